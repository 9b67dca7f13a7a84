package dev.kernelalloc;

import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.physical.PhysicalExtent;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Spliterator;
import java.util.function.Consumer;

/**
 * The right of one thread to use the elements of a {@link SharedArray}, until it is closed. The
 * memory stays while the lease lasts, also when the array is closed meanwhile.
 *
 * <p>It belongs to the thread that took it: another thread's access, through the lease, its slices,
 * its views or its segment, throws {@link WrongThreadException}. After {@link #close} every access
 * throws {@link IllegalStateException}.
 *
 * <p><b>Parallel streams.</b> {@link #stream} of a lease may be parallel, that of a slice of it may
 * not. Every other thread that the stream runs in takes a lease of its own for each piece of its
 * work and ends it with the piece, so that a live view of an element is good while its piece is
 * worked on, and only in that thread: map views to values before they are collected or sorted.
 *
 * @param <T> what an element is
 */
public abstract class ArrayLease<T> extends NativeSlice<T> implements AutoCloseable {

    /** Of this package alone. */
    ArrayLease() {}

    /**
     * The pieces of physical memory that the elements lie in, in their order; those that touch are
     * one. As known since the memory was prepared: see {@link
     * PhysicalAllocator#extents(MemorySegment)}, which also splits them as devices want it.
     *
     * @return at least one extent, unless there are no bytes
     * @throws UnsupportedOperationException when the memory is not a {@link PhysicalAllocator}'s
     * @throws PhysicalAddressException when a byte's address is not known, with the reason
     * @throws IllegalStateException when this lease is closed
     * @throws WrongThreadException when called by another thread
     */
    public abstract List<PhysicalExtent> extents();

    /** What this is a lease of. */
    abstract SharedArray<T> array();

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
        try (ArrayLease<T> own = array().join()) {
            own.forEach(from, to, action);
        }
    }

    /**
     * The elements in their order. Its parts may be worked on by other threads, under leases of
     * their own, while this lease is not closed.
     *
     * @return a sized, ordered spliterator
     */
    @Override
    public final Spliterator<T> spliterator() {
        return new LeaseSpliterator<>(this);
    }

    /**
     * Ends this lease, its slices, its views and its segment. When the array is closed and this is
     * its last lease, the memory goes back.
     *
     * @throws IllegalStateException when it is closed already, or a downcall is using the segment;
     *     nothing has changed then
     * @throws WrongThreadException when called by another thread
     */
    @Override
    public abstract void close();

    /**
     * The first elements, the place, and what is promised of its pages; once closed, or on another
     * thread, without the elements.
     */
    @Override
    public final String toString() {
        return show("ArrayLease", ", " + array().guarantee());
    }
}
