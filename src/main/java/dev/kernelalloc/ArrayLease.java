package dev.kernelalloc;

import dev.kernelalloc.core.IndexSpliterator;
import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.physical.PhysicalExtent;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Spliterator;
import java.util.function.Consumer;

/**
 * The right of one thread to use the elements of a {@link SharedArray}, until it is closed. The
 * memory stays while the lease lasts, even if the array is closed.
 *
 * <p>It belongs to the thread that took it: an access by another thread, through the lease, its
 * slices, its views or its segment, throws {@link WrongThreadException}. After {@link #close} every
 * access throws {@link IllegalStateException}.
 *
 * <p><b>Parallel streams.</b> The {@link #stream} of a lease may be parallel, that of a slice of it
 * may not. Every other thread that the stream runs in takes a lease of its own for each part of its
 * work and ends it with the part. A live view of an element is therefore valid only while its part
 * is processed, and only in that thread: map views to values before they are collected or sorted.
 *
 * @param <T> the type of an element
 */
public abstract class ArrayLease<T> extends NativeSlice<T> implements AutoCloseable {

    /** Only for this package. */
    ArrayLease() {}

    /**
     * Returns the physical location of the elements, in their order; adjoining pieces are merged.
     * The location is the one that was read when the memory was prepared: see {@link
     * PhysicalAllocator#extents(MemorySegment)}, which can also split the pieces for a device.
     *
     * @return at least one extent, unless there are no bytes
     * @throws UnsupportedOperationException if the memory is not a {@link PhysicalAllocator}'s
     * @throws PhysicalAddressException if a byte's address is unknown, with the reason
     * @throws IllegalStateException if this lease is closed
     * @throws WrongThreadException if called by another thread
     */
    public abstract List<PhysicalExtent> extents();

    /**
     * Returns a lease of the calling thread that continues this one, even after the array is
     * closed.
     *
     * @throws IllegalStateException if the memory was freed
     */
    abstract ArrayLease<T> join();

    /** Describes the guarantee of the pages, for people. */
    abstract String guarantee();

    /** For the thread of this lease. */
    abstract void forEach(long from, long to, Consumer<? super T> action);

    /**
     * For any thread, as long as this lease is not closed. Another thread may see late that it is:
     * what keeps the memory for it is the lease that it takes itself.
     */
    final void forEachAnywhere(long from, long to, Consumer<? super T> action) {
        if (segment().isAccessibleBy(Thread.currentThread())) {
            forEach(from, to, action);
            return;
        }
        if (!segment().scope().isAlive()) {
            throw new IllegalStateException(this + ": its stream ends with it");
        }
        try (ArrayLease<T> own = join()) {
            own.forEach(from, to, action);
        }
    }

    /**
     * Returns a spliterator over the elements in their order. Other threads may process its parts,
     * under leases of their own, while this lease is not closed.
     *
     * @return a sized, ordered spliterator
     */
    @Override
    public final Spliterator<T> spliterator() {
        return new IndexSpliterator<T>(this::forEachAnywhere, 0, length());
    }

    /**
     * Ends this lease, its slices, its views and its segment. If the array is closed and this is
     * its last lease, the memory is freed.
     *
     * @throws IllegalStateException if it is closed already, or a downcall is using the segment;
     *     nothing has changed then
     * @throws WrongThreadException if called by another thread
     */
    @Override
    public abstract void close();

    /**
     * Returns the first elements, the address and the guarantee of the pages; without the elements
     * if this lease is closed, or on another thread.
     */
    @Override
    public final String toString() {
        return show("ArrayLease", guarantee());
    }
}
