package dev.kernelalloc;

import dev.kernelalloc.core.ClosingSites;
import dev.kernelalloc.core.OwnerText;
import dev.kernelalloc.leak.Sentinel;
import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.physical.PhysicalExtent;
import dev.kernelalloc.struct.StructType;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * The right of one thread to use the memory of a {@link SharedBox}, until it is closed. The memory
 * stays while the lease lasts, even if the box is closed.
 *
 * <p>It belongs to the thread that took it: an access by another thread, through the lease, its
 * view or its segment, throws {@link WrongThreadException}. After {@link #close} every access
 * throws {@link IllegalStateException}.
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
     * Returns the value: a copy if the type is a record; if it is an interface, a live view that
     * ends with this lease.
     *
     * @return the value
     * @throws IllegalStateException if this lease is closed
     * @throws WrongThreadException if called by another thread
     */
    public T get() {
        try {
            return box.type().get(segment);
        } catch (IllegalStateException | WrongThreadException e) {
            throw explain(e);
        }
    }

    /**
     * Copies a value into the box.
     *
     * @param value a record; or a view, whose bytes are copied
     * @throws IllegalStateException if this lease is closed
     * @throws WrongThreadException if called by another thread
     */
    public void set(T value) {
        try {
            box.type().set(segment, value);
        } catch (IllegalStateException | WrongThreadException e) {
            throw explain(e);
        }
    }

    /**
     * Reads the value, and writes the result of a function of it. Not atomic: other leases may
     * write in between.
     *
     * @param function a function of the value that returns another value, or the same
     * @throws IllegalStateException if this lease is closed
     * @throws WrongThreadException if called by another thread
     */
    public void update(UnaryOperator<T> function) {
        set(function.apply(get()));
    }

    /**
     * Returns the memory as a segment that ends with this lease.
     *
     * @return a segment confined to the thread of this lease
     */
    public MemorySegment segment() {
        return segment;
    }

    /**
     * Returns the physical location of the value; adjoining pieces are merged. The location is the
     * one that was read when the memory was prepared: see {@link
     * PhysicalAllocator#extents(MemorySegment)}, which can also split the pieces for a device.
     *
     * @return at least one extent, unless there are no bytes
     * @throws UnsupportedOperationException if the memory is not a {@link PhysicalAllocator}'s
     * @throws PhysicalAddressException if a byte's address is unknown, with the reason
     * @throws IllegalStateException if this lease is closed
     * @throws WrongThreadException if called by another thread
     */
    public List<PhysicalExtent> extents() {
        MemorySegment mine = NativeMemory.segment(segment.address(), segment.byteSize(), lifetime);
        return box.block().origin().extents(mine.address(), mine.byteSize());
    }

    /** This lease has been refused, and no one has it. */
    void forget() {
        if (sentinel != null) {
            sentinel.end();
        }
    }

    /** Describes the guarantee of the pages, for people. */
    String guarantee() {
        return box.block().origin().guarantee();
    }

    /**
     * Returns the struct type of the memory.
     *
     * @return the type of the box
     */
    public StructType<T> type() {
        return box.type();
    }

    /**
     * Ends this lease, its views and its segment. If the box is closed and this is its last lease,
     * the memory is freed; exceptions of the release function of an adopted box are thrown then.
     *
     * @throws IllegalStateException if it is closed already, or a downcall is using the segment;
     *     nothing has changed then
     * @throws WrongThreadException if called by another thread
     */
    @Override
    public void close() {
        if (!segment.scope().isAlive()) {
            throw new IllegalStateException("already closed: " + this + closedAt());
        }
        lifetime.close();
        if (sentinel != null) {
            sentinel.end(); // keeps the closing site: recorded by scope, that would be an object
        }
        box.end();
    }

    /** Adds the memory to an exception of an access, and the closing site if this has ended. */
    private RuntimeException explain(RuntimeException thrown) {
        return thrown instanceof IllegalStateException ended
                ? ClosingSites.explain(ended, segment, closedAt())
                : ClosingSites.explain(thrown, segment, null);
    }

    /** Returns the end of a message about a use after {@link #close}; empty if it is unknown. */
    String closedAt() {
        return sentinel == null ? "" : sentinel.closedAt();
    }

    /**
     * Returns the fields and the address; only the address if this lease is closed, or on another
     * thread.
     */
    @Override
    public String toString() {
        return OwnerText.of(
                "Lease",
                box.type().type().getSimpleName(),
                segment,
                () -> box.type().toString(segment),
                box.block().location());
    }
}
