package dev.kernelalloc;

import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.physical.PhysicalExtent;
import dev.kernelalloc.struct.StructType;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Locale;
import java.util.function.UnaryOperator;

/**
 * The right of one thread to use the memory of a {@link SharedBox}, until it is closed. The memory
 * stays while the lease lasts, also when the box is closed meanwhile.
 *
 * <p>It belongs to the thread that took it: another thread's access, through the lease, its view or
 * its segment, throws {@link WrongThreadException}. After {@link #close} every access throws {@link
 * IllegalStateException}.
 *
 * @param <T> the type in the box
 */
public final class Lease<T> implements AutoCloseable {

    private final SharedBox<T> box;
    private final Arena lifetime;
    private final MemorySegment segment;
    private final @Nullable Sentinel sentinel;

    Lease(SharedBox<T> box, Arena lifetime, MemorySegment segment, @Nullable Sentinel sentinel) {
        this.box = box;
        this.lifetime = lifetime;
        this.segment = segment;
        this.sentinel = sentinel;
    }

    /**
     * The value: a copy when the type is a record; a live view when it is an interface, dead when
     * this lease is closed.
     *
     * @return the value
     * @throws IllegalStateException when this lease is closed
     * @throws WrongThreadException when called by another thread
     */
    public T get() {
        return box.type().get(segment);
    }

    /**
     * Copies a value into the box.
     *
     * @param value of a record; or a view, whose bytes are copied
     * @throws IllegalStateException when this lease is closed
     * @throws WrongThreadException when called by another thread
     */
    public void set(T value) {
        box.type().set(segment, value);
    }

    /**
     * Reads the value, and writes what a function makes of it. Not atomic: other leases may write
     * meanwhile.
     *
     * @param function gets the value, and returns another or the same
     * @throws IllegalStateException when this lease is closed
     * @throws WrongThreadException when called by another thread
     */
    public void update(UnaryOperator<T> function) {
        set(function.apply(get()));
    }

    /**
     * The memory, dead when this lease is closed.
     *
     * @return a segment confined to the thread of this lease
     */
    public MemorySegment segment() {
        return segment;
    }

    /**
     * The pieces of physical memory that the value lies in, in its order; those that touch are one.
     * As known since the memory was prepared: see {@link PhysicalAllocator#extents(MemorySegment)},
     * which also splits them as devices want it.
     *
     * @return at least one extent, unless there are no bytes
     * @throws UnsupportedOperationException when the memory is not a {@link PhysicalAllocator}'s
     * @throws PhysicalAddressException when a byte's address is not known, with the reason
     * @throws IllegalStateException when this lease is closed
     * @throws WrongThreadException when called by another thread
     */
    public List<PhysicalExtent> extents() {
        MemorySegment mine = NativeMemory.segment(segment.address(), segment.byteSize(), lifetime);
        return box.block().origin().extents(mine.address(), mine.byteSize());
    }

    /**
     * What the memory looks like.
     *
     * @return the type of the box
     */
    public StructType<T> type() {
        return box.type();
    }

    /**
     * Ends this lease, its views and its segment. When the box is closed and this is its last
     * lease, the memory goes back; what the release function of an adopted box throws is thrown on
     * then.
     *
     * @throws IllegalStateException when it is closed already, or a downcall is using the segment;
     *     nothing has changed then
     * @throws WrongThreadException when called by another thread
     */
    @Override
    public void close() {
        lifetime.close();
        if (sentinel != null) {
            sentinel.end();
        }
        box.end();
    }

    /** The fields and the place; the place alone once closed, or on another thread. */
    @Override
    public String toString() {
        String name = box.type().type().getSimpleName();
        String place = box.block().place();
        if (!segment.scope().isAlive()) {
            return String.format(Locale.ROOT, "Lease[%s, closed, was %s]", name, place);
        }
        if (!segment.isAccessibleBy(Thread.currentThread())) {
            return String.format(Locale.ROOT, "Lease[%s of another thread, %s]", name, place);
        }
        return String.format(Locale.ROOT, "Lease[%s, %s]", box.type().toString(segment), place);
    }
}
