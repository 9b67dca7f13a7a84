package dev.kernelalloc;

import dev.kernelalloc.heap.StackReserve;
import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.physical.PhysicalExtent;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Locale;
import java.util.function.Supplier;

/**
 * A block of one owner, confined to the thread that took it. Its state of life is that of an arena
 * of its own: whatever was made from its segment is dead when the block has ended.
 */
final class OwnedBlock {

    /** Of no memory: nothing is asked for, and nothing goes back. */
    static final long NOWHERE = 0;

    private final CheckedBlocks source;
    private final Arena lifetime;
    private final MemorySegment segment;

    /** As asked of the source. */
    private final long bytes;

    private final long alignment;
    private final @Nullable Sentinel sentinel;
    private boolean handedOver;

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

    /** A block of exactly that size. */
    static OwnedBlock take(CheckedBlocks source, long bytes, long alignment, boolean zeroed) {
        long address = source.allocateOwned(bytes, alignment, zeroed);
        return owning(source, address, bytes, bytes, alignment, track(source, address, bytes));
    }

    /** A block of at least that size: all that the source gives. Its contents are undefined. */
    static OwnedBlock takeRoomy(CheckedBlocks source, long bytes, long alignment) {
        long address = source.allocateOwned(bytes, alignment, false);
        long usable = source.usableOwned(address, bytes, alignment);
        return owning(source, address, usable, bytes, alignment, track(source, address, bytes));
    }

    private static @Nullable Sentinel track(CheckedBlocks source, long address, long bytes) {
        return source.tracker().sentinel(LeakReport.Kind.CONTAINER, address, bytes);
    }

    /** Nothing yet. */
    static OwnedBlock none(CheckedBlocks source, long alignment) {
        source.requireOpen();
        Arena lifetime = Arena.ofConfined();
        return new OwnedBlock(
                source, lifetime, NativeMemory.segment(NOWHERE, 0, lifetime), 0, alignment, null);
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

    /** The memory that may be used. */
    MemorySegment segment() {
        return segment;
    }

    /** Where the memory goes back to, and more of it comes from. */
    CheckedBlocks source() {
        return source;
    }

    /** Whether this block has neither been closed nor handed over. */
    boolean isAlive() {
        return segment.scope().isAlive();
    }

    /**
     * The same block for another owner, with a life of its own. This one ends without giving the
     * memory back, and closing it does nothing any more.
     *
     * @param usable how many of its bytes the new owner uses
     * @throws IllegalStateException if it has ended, or a downcall is using the segment; nothing
     *     has changed then
     */
    OwnedBlock handOver(long usable) {
        Arena renewed = Arena.ofConfined();
        MemorySegment whole = NativeMemory.segment(segment.address(), usable, renewed);
        OwnedBlock heir = new OwnedBlock(source, renewed, whole, bytes, alignment, sentinel);
        leave();
        return heir;
    }

    /**
     * The same block without an owner, to be shared or to belong to another thread. This one still
     * has it, until it {@linkplain #leave leaves} it.
     */
    Unowned unowned() {
        return new Unowned(
                source, segment.address(), segment.byteSize(), bytes, alignment, sentinel);
    }

    /**
     * Ends this block without giving the memory back; closing it does nothing any more.
     *
     * @throws IllegalStateException if it has ended, or a downcall is using the segment; nothing
     *     has changed then
     */
    void leave() {
        lifetime.close();
        handedOver = true;
    }

    /**
     * A block without an owner.
     *
     * @param used how many of its bytes owners use
     * @param asked how many the source was asked for
     */
    record Unowned(
            CheckedBlocks source,
            long address,
            long used,
            long asked,
            long alignment,
            @Nullable Sentinel sentinel) {

        /** For those who share it. */
        BoxedBlock block() {
            Origin roomy = new Origin.Roomy(source, asked);
            Origin origin = sentinel == null ? roomy : new Tracked(roomy, sentinel);
            return new BoxedBlock(origin, address, used, alignment, 0, false);
        }

        /** Tells that it belongs to such an owner from now on. */
        void passTo(LeakReport.Kind kind) {
            if (sentinel != null) {
                sentinel.passTo(kind);
            }
        }

        /** For one owner, in the calling thread. */
        OwnedBlock attach() {
            Arena lifetime = Arena.ofConfined();
            MemorySegment segment = NativeMemory.segment(address, used, lifetime);
            return new OwnedBlock(source, lifetime, segment, asked, alignment, sentinel);
        }
    }

    /** How it was asked for. */
    long alignment() {
        return alignment;
    }

    /**
     * The same memory enlarged by its source, for the same owner, who has made nothing from the
     * segment yet. This block ends.
     *
     * @throws AllocationException if memory is not available; nothing has changed then
     */
    OwnedBlock enlarged(long wanted) {
        StackReserve.requireForCaller();
        long address;
        try {
            address = source.growOwned(segment.address(), wanted, alignment);
        } catch (Error e) { // the Java heap is exhausted: the source has ended the block
            handedOver = true;
            lifetime.close();
            throw e;
        }
        handedOver = true;
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

    /** How many bytes the source lets be used, also of those behind the segment. */
    long usableBytes() {
        return segment.address() == NOWHERE
                ? 0
                : source.usableOwned(segment.address(), bytes, alignment);
    }

    /** The pieces of physical memory that bytes of this block lie in, from {@code offset} on. */
    List<PhysicalExtent> extents(long offset, long count) {
        requireAccess();
        return source.extents(segment.address() + offset, count);
    }

    /**
     * Throws when this block has ended, or is confined to another thread: for what touches no
     * memory.
     */
    void requireAccess() {
        NativeMemory.segment(NOWHERE, 0, lifetime);
    }

    /**
     * Ends this block and gives the memory back, unless it has another owner by now.
     *
     * @throws IllegalStateException if it was closed before, or a downcall is using the segment;
     *     nothing has changed then. Also when the source finds that the block was overrun: it has
     *     ended then
     */
    void close() {
        if (handedOver) {
            return;
        }
        lifetime.close();
        if (sentinel != null) {
            sentinel.end();
        }
        if (segment.address() != NOWHERE) {
            source.freeOwned(segment.address(), bytes, alignment);
        }
    }

    /**
     * What an owner shows of itself: its name and contents, and the place; the place alone once it
     * has ended, and on another thread.
     *
     * @param name of the owner
     * @param contents are asked for only where they may be read
     */
    String show(String name, Supplier<String> contents) {
        String place =
                String.format(
                        Locale.ROOT,
                        "at 0x%x, %d bytes, %s",
                        segment.address(),
                        segment.byteSize(),
                        source.guarantee());
        if (handedOver) {
            return String.format(Locale.ROOT, "%s[handed over, was %s]", name, place);
        }
        if (!isAlive()) {
            return String.format(Locale.ROOT, "%s[closed, was %s]", name, place);
        }
        if (!segment.isAccessibleBy(Thread.currentThread())) {
            return String.format(Locale.ROOT, "%s[of another thread, %s]", name, place);
        }
        return String.format(Locale.ROOT, "%s[%s, %s]", name, contents.get(), place);
    }
}
