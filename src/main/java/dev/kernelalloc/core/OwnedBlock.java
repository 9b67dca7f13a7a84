package dev.kernelalloc.core;

import dev.kernelalloc.LeakReport;
import dev.kernelalloc.Tracking;
import dev.kernelalloc.heap.StackReserve;
import dev.kernelalloc.leak.Sentinel;
import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.physical.PhysicalExtent;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Locale;
import java.util.function.Supplier;

/**
 * A block of one owner, confined to the thread that allocated it. Its liveness is that of an arena
 * of its own: anything derived from its segment is dead once the block has ended.
 */
public final class OwnedBlock {

    /** The address of a block without memory: none is requested, and none is released. */
    static final long NO_ADDRESS = 0;

    private final CheckedBlocks source;
    private final Arena lifetime;
    private final MemorySegment segment;

    /** The size requested from the source. */
    private final long bytes;

    private final long alignment;
    private final @Nullable Sentinel sentinel;

    /** The thread of the arena, for messages; null once another owner has the memory. */
    private @Nullable Thread owner = Thread.currentThread();

    private OwnedBlock(
            CheckedBlocks source,
            Arena lifetime,
            MemorySegment segment,
            long bytes,
            long alignment,
            @Nullable Sentinel sentinel) {
        this.source = source;
        this.lifetime = lifetime;
        this.segment = segment;
        this.bytes = bytes;
        this.alignment = alignment;
        this.sentinel = sentinel;
    }

    /** Allocates a block of exactly that size. */
    public static OwnedBlock allocate(
            CheckedBlocks source, long bytes, long alignment, boolean zeroed) {
        requireStack(source);
        long address = source.allocateOwned(bytes, alignment, zeroed);
        return owning(source, address, bytes, bytes, alignment, track(source, address, bytes));
    }

    /**
     * Allocates a block of at least that size: all that the source provides. Its contents are
     * undefined.
     */
    static OwnedBlock allocateAtLeast(CheckedBlocks source, long bytes, long alignment) {
        requireStack(source);
        long address = source.allocateOwned(bytes, alignment, false);
        long usable = source.usableOwned(address, bytes, alignment);
        return owning(source, address, usable, bytes, alignment, track(source, address, bytes));
    }

    /**
     * Where all owners are tracked, creates none that could not be closed, which takes more of the
     * stack then. Otherwise this check would be half the time of an array, and the end of the stack
     * may cost a block.
     */
    private static void requireStack(CheckedBlocks source) {
        if (source.tracker().level() == Tracking.ALL) {
            StackReserve.requireForOwner();
        }
    }

    private static @Nullable Sentinel track(CheckedBlocks source, long address, long bytes) {
        Sentinel sentinel = source.tracker().sentinel(LeakReport.Kind.CONTAINER, address, bytes);
        if (sentinel != null) {
            ClosingSites.prepare();
        }
        return sentinel;
    }

    /** Returns a block without memory. */
    public static OwnedBlock none(CheckedBlocks source, long alignment) {
        source.requireOpen();
        Arena lifetime = Arena.ofConfined();
        return new OwnedBlock(
                source,
                lifetime,
                NativeMemory.segment(NO_ADDRESS, 0, lifetime),
                0,
                alignment,
                null);
    }

    private static OwnedBlock owning(
            CheckedBlocks source,
            long address,
            long usable,
            long bytes,
            long alignment,
            @Nullable Sentinel sentinel) {
        try {
            Arena lifetime = Arena.ofConfined();
            MemorySegment segment = NativeMemory.segment(address, usable, lifetime);
            return new OwnedBlock(source, lifetime, segment, bytes, alignment, sentinel);
        } catch (Throwable e) {
            if (sentinel != null) {
                sentinel.end();
            }
            source.freeOwned(address, bytes, alignment); // the Java heap or stack is exhausted
            throw e;
        }
    }

    /** Returns the usable memory. */
    public MemorySegment segment() {
        return segment;
    }

    /** Returns the source to which the memory is released, and from which more is requested. */
    public CheckedBlocks source() {
        return source;
    }

    /** Returns whether this block has neither been closed nor handed over. */
    public boolean isAlive() {
        return segment.scope().isAlive();
    }

    /**
     * Hands the memory over to another owner, with a liveness of its own. This block ends without
     * releasing the memory, and closing it has no effect any more.
     *
     * @param usable how many of its bytes the new owner uses
     * @return the block of the new owner
     * @throws IllegalStateException if it has ended, or a downcall is using the segment; nothing
     *     has changed then
     */
    OwnedBlock handOver(long usable) {
        OwnedBlock next = successor(usable);
        detach();
        return next;
    }

    /**
     * Returns the same memory for another owner, with a liveness of its own. This block keeps it
     * until {@link #detach}, so that nothing is lost where the new owner cannot be created.
     *
     * @param usable how many of its bytes the new owner uses
     */
    public OwnedBlock successor(long usable) {
        Arena renewed = Arena.ofConfined();
        MemorySegment whole = NativeMemory.segment(segment.address(), usable, renewed);
        return new OwnedBlock(source, renewed, whole, bytes, alignment, sentinel);
    }

    /**
     * Returns the same block without an owner, to be shared or passed to another thread. This block
     * keeps the memory until {@link #detach}.
     */
    public Unowned unowned() {
        return new Unowned(
                source, segment.address(), segment.byteSize(), bytes, alignment, sentinel);
    }

    /**
     * Ends this block without releasing the memory; closing it has no effect any more.
     *
     * @throws IllegalStateException if it has ended, or a downcall is using the segment; nothing
     *     has changed then
     */
    public void detach() {
        endLife();
        owner = null;
    }

    /**
     * A block without an owner.
     *
     * @param used how many of its bytes owners use
     * @param asked how many the source was asked for
     */
    public record Unowned(
            CheckedBlocks source,
            long address,
            long used,
            long requested,
            long alignment,
            @Nullable Sentinel sentinel) {

        /** Returns the block to share. */
        public BoxedBlock block() {
            Origin oversized = new Origin.Oversized(source, requested);
            Origin origin = sentinel == null ? oversized : new Tracked(oversized, sentinel);
            return new BoxedBlock(origin, address, used, alignment, 0, false);
        }

        /** Records that the block belongs to an owner of that kind from now on. */
        public void passTo(LeakReport.Kind kind) {
            if (sentinel != null) {
                sentinel.passTo(kind);
            }
        }

        /** Attaches the block to one owner, in the calling thread. */
        public OwnedBlock attach() {
            Arena lifetime = Arena.ofConfined();
            MemorySegment segment = NativeMemory.segment(address, used, lifetime);
            return new OwnedBlock(source, lifetime, segment, requested, alignment, sentinel);
        }
    }

    /** Returns the requested alignment. */
    long alignment() {
        return alignment;
    }

    /**
     * Enlarges the memory by its source, for the same owner, which has derived nothing from the
     * segment yet. This block ends.
     *
     * @return the enlarged block
     * @throws AllocationException if memory is not available; nothing has changed then
     */
    OwnedBlock enlarged(long wanted) {
        StackReserve.requireForCaller();
        long address;
        try {
            address = source.growOwned(segment.address(), wanted, alignment);
        } catch (Error e) { // the Java heap is exhausted: the source has ended the block
            owner = null;
            lifetime.close();
            throw e;
        }
        owner = null;
        if (sentinel != null) {
            sentinel.record().move(address, wanted);
        }
        try {
            return owning(
                    source,
                    address,
                    source.usableOwned(address, wanted, alignment),
                    wanted,
                    alignment,
                    sentinel);
        } finally {
            lifetime.close();
        }
    }

    /** Returns the bytes that the source lets be used, including those behind the segment. */
    public long usableBytes() {
        return segment.address() == NO_ADDRESS
                ? 0
                : source.usableOwned(segment.address(), bytes, alignment);
    }

    /** Returns the extents of physical memory of bytes of this block, from {@code offset} on. */
    public List<PhysicalExtent> extents(long offset, long count) {
        requireAccess();
        return source.extents(segment.address() + offset, count);
    }

    /**
     * Throws if this block has ended, or is confined to another thread: for methods that touch no
     * memory.
     */
    public void requireAccess() {
        try {
            NativeMemory.segment(NO_ADDRESS, 0, lifetime);
        } catch (IllegalStateException | WrongThreadException e) {
            throw explain(e);
        }
    }

    /** Adds memory, threads and site to an exception of an access. */
    public RuntimeException explain(RuntimeException thrown) {
        return ClosingSites.explain(thrown, segment, owner);
    }

    private void endLife() {
        try {
            lifetime.close();
        } catch (IllegalStateException | WrongThreadException e) {
            throw explain(e);
        }
    }

    /**
     * Ends this block and releases the memory, unless it has another owner already.
     *
     * @throws IllegalStateException if it was closed before, or a downcall is using the segment;
     *     nothing has changed then. Also if the source finds that the block was overrun: it has
     *     ended then
     * @throws StackOverflowError if the stack is nearly used up; nothing has changed then, if the
     *     block is tracked
     */
    public void close() {
        if (owner == null) {
            return;
        }
        if (!isAlive()) {
            throw new IllegalStateException(
                    String.format(
                            Locale.ROOT,
                            "already closed: the owner of the memory at 0x%x, %d bytes%s",
                            segment.address(),
                            segment.byteSize(),
                            ClosingSites.of(segment.scope())));
        }
        if (sentinel != null) {
            StackReserve.requireForCaller(); // its end takes more stack than the rest
        }
        endLife();
        if (sentinel != null) {
            if (sentinel.recordsSites()) { // seldom, so that the scope need be no object
                ClosingSites.record(sentinel, segment.scope());
            }
            sentinel.end();
        }
        if (segment.address() != NO_ADDRESS) {
            source.freeOwned(segment.address(), bytes, alignment);
        }
    }

    /**
     * Describes an owner: its name, contents and location; the location alone once it has ended,
     * and on another thread.
     *
     * @param name the name of the owner
     * @param contents called only if they may be read
     */
    public String describe(String name, Supplier<String> contents) {
        String location =
                OwnerText.location(segment.address(), segment.byteSize(), source.guarantee());
        if (owner == null) {
            return String.format(Locale.ROOT, "%s[handed over, was %s]", name, location);
        }
        return OwnerText.of(name, "", segment, contents, location);
    }
}
