package dev.kernelalloc.core;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.LeakReport;
import dev.kernelalloc.Tracking;
import dev.kernelalloc.bulk.Alignment;
import dev.kernelalloc.frames.Frames;
import dev.kernelalloc.heap.Block;
import dev.kernelalloc.heap.Blocks;
import dev.kernelalloc.heap.Budget;
import dev.kernelalloc.heap.Counters;
import dev.kernelalloc.heap.LiveBlocks;
import dev.kernelalloc.heap.SlabHeap;
import dev.kernelalloc.heap.StackReserve;
import dev.kernelalloc.leak.AllocatorGuard;
import dev.kernelalloc.leak.EventRecorder;
import dev.kernelalloc.leak.Reasons;
import dev.kernelalloc.leak.Tracker;
import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.physical.PhysicalExtent;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * The blocks of an allocator behind the public contract: arguments are checked here, and here alone
 * a refusal becomes an {@link AllocationException}.
 *
 * <p>An allocator and all owners of its memory refer to this object, which refers to the guard of
 * the allocator. A call that may be the last one, and that touches the blocks, ends in a
 * reachability fence: so the cleanup that runs once the guard is unreachable has exclusive access
 * to the blocks, and sees all that threads have done with them.
 */
public final class CheckedBlocks implements Origin, Budget.Holder {

    private static final MemorySegment.Scope GLOBAL_SCOPE = Arena.global().scope();

    /** The size below which copying is faster than moving by the system. */
    private static final long GROWABLE_BYTES = 1 << 20;

    private final String tag;
    private final Blocks blocks;

    /**
     * The same blocks, if they are the engine: a monomorphic call, whatever other heaps the JVM
     * has.
     */
    private final @Nullable SlabHeap engine;

    /** The guarantees for the pages of every block. */
    private final Set<Guarantee> guarantees;

    /** The frames of the pages; only for physical memory. */
    private final @Nullable Frames frames;

    private final Tracker tracker;

    private final Registration registration;

    /** The guard of the allocator; null if every block is one of the C heap. */
    private final @Nullable AllocatorGuard guard;

    private boolean processWide; // guarded by this

    static {
        // The JVM links this switch on its first execution, which must not happen while the Java
        // heap is exhausted: explaining a refusal must not end in a LinkageError.
        Reasons.of(new Refusal.OutOfMemory("warm-up"));
    }

    public CheckedBlocks(
            String tag,
            Blocks blocks,
            Tracker tracker,
            @Nullable AllocatorGuard guard,
            boolean supplied) {
        this(tag, blocks, Set.of(), null, tracker, Registration.open(tag, blocks, supplied), guard);
    }

    public CheckedBlocks(
            String tag,
            Blocks blocks,
            Set<Guarantee> guarantees,
            @Nullable Frames frames,
            Tracker tracker,
            Registration registration,
            @Nullable AllocatorGuard guard) {
        this.tag = tag;
        this.guard = guard;
        this.tracker = tracker;
        this.registration = registration;
        this.guarantees = guarantees;
        this.frames = frames;
        this.blocks = blocks;
        this.engine = blocks instanceof SlabHeap slabs ? slabs : null;
        updateFastPaths();
    }

    // ---- raw blocks ---------------------------------------------------------------------------

    // Each method creates the segment at one site: with two that merge, the JIT would allocate it.

    public MemorySegment allocate(long bytes, long alignment) {
        long address = engine != null ? engine.tryAllocate(bytes, alignment) : 0;
        if (address == 0) {
            address = allocateSlowly(bytes, alignment, false);
        }
        Reference.reachabilityFence(this);
        return segment(address, bytes);
    }

    public MemorySegment allocateZeroed(long bytes, long alignment) {
        long address = engine != null ? engine.tryAllocateZeroed(bytes, alignment) : 0;
        if (address == 0) {
            address = allocateSlowly(bytes, alignment, true);
        }
        Reference.reachabilityFence(this);
        return segment(address, bytes);
    }

    private long allocateSlowly(long bytes, long alignment, boolean zeroed) {
        check(bytes, alignment);
        try {
            long address = blocks.allocate(bytes, alignment, zeroed);
            track(address, bytes);
            return address;
        } catch (Refusal e) {
            throw explained(e, bytes, alignment);
        }
    }

    public Optional<MemorySegment> tryAllocate(long bytes, long alignment) {
        check(bytes, alignment);
        try {
            Optional<MemorySegment> block =
                    present(blocks.allocate(bytes, alignment, false), bytes);
            Reference.reachabilityFence(this);
            return block;
        } catch (Refusal e) {
            registration.refused(Reasons.of(e));
            EventRecorder.refused(tag, e, bytes, alignment);
            return Optional.empty();
        }
    }

    private Optional<MemorySegment> present(long address, long bytes) {
        try {
            return Optional.of(tracked(NativeMemory.segment(address, bytes)));
        } catch (Error e) {
            blocks.free(address); // the Java heap or stack is exhausted
            throw e;
        }
    }

    public MemorySegment reallocate(MemorySegment block, long bytes, long alignment) {
        check(bytes, alignment);
        long address = rawAddress(block);
        long resized =
                tracker.knowsRawBlocks()
                        ? resizeTracked(address, bytes, alignment)
                        : resize(address, bytes, alignment);
        return resized == 0
                ? move(address, bytes, alignment)
                : tracked(NativeMemory.segment(resized, bytes));
    }

    /**
     * Resizes a tracked block. The record ends first: once the block moves, another may get its
     * address.
     */
    private long resizeTracked(long address, long bytes, long alignment) {
        Tracker.RawBlock record = tracker.forgetRaw(address);
        long resized = 0;
        try {
            resized = resize(address, bytes, alignment);
        } finally {
            if (resized == 0) {
                tracker.remember(address, record);
            }
        }
        return resized;
    }

    private long resize(long address, long bytes, long alignment) {
        try {
            return blocks.resize(address, bytes, alignment);
        } catch (Refusal e) {
            throw explained(e, bytes, alignment);
        }
    }

    private MemorySegment move(long address, long bytes, long alignment) {
        // No call below overflows the stack, so exactly one of the two blocks is freed.
        StackReserve.requireForCaller();
        long kept = Math.min(blocks.usableBytes(address), bytes);
        MemorySegment moved = allocate(bytes, alignment);
        try {
            if (moved.address() == address) { // a pressure listener has freed it
                throw new IllegalArgumentException(
                        String.format(
                                Locale.ROOT,
                                "the block at 0x%x was freed while it was reallocated",
                                address));
            }
            blocks.usableBytes(address); // fails if a listener has freed it
            NativeMemory.copy(address, moved.address(), kept);
            free(address);
            return moved;
        } catch (Throwable e) {
            free(moved.address()); // another thread has freed the block, or it was overrun
            throw e;
        }
    }

    public void free(MemorySegment block) {
        free(rawAddress(block));
    }

    private void free(long address) {
        if (engine == null || !engine.tryFree(address)) {
            freeSlowly(address);
        }
        Reference.reachabilityFence(this);
    }

    private void freeSlowly(long address) {
        if (!tracker.knowsRawBlocks()) {
            blocks.free(address);
            return;
        }
        tracker.endRaw(address, () -> blocks.free(address));
        updateFastPaths();
    }

    /**
     * Enables the fast paths unless raw blocks are tracked: then each of their calls takes the slow
     * path.
     */
    private void updateFastPaths() {
        if (engine != null) {
            boolean tracks;
            do { // again, if another thread has changed it since
                tracks = tracker.tracksRawBlocks();
                engine.fastPaths(!tracks);
            } while (tracks != tracker.tracksRawBlocks());
        }
    }

    /** Records the allocation site of a raw block, if raw blocks are tracked. */
    private void track(long address, long bytes) {
        if (tracker.recordsRawBlocks()) {
            tracker.addRaw(address, bytes);
        }
    }

    /** Records the allocation site of a raw block, and returns the block. */
    public MemorySegment tracked(MemorySegment block) {
        track(block.address(), block.byteSize());
        return block;
    }

    public long usableSize(MemorySegment block) {
        return blocks.usableBytes(rawAddress(block));
    }

    /** Makes a block of C code a raw block; only if each block is one of the C heap. */
    public MemorySegment adopt(MemorySegment block, LiveBlocks live) {
        long address = rawAddress(block);
        requireNotNull(block);
        if (block.byteSize() == 0) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "%s has no size: reinterpret it to the size it has in C first",
                            block));
        }
        long bytes = block.byteSize();
        live.adopt(new Block(address, bytes, bytes, Block.Origin.C_HEAP));
        return tracked(block);
    }

    /** Hands a raw block over to C code. */
    public void disown(MemorySegment block, LiveBlocks live) {
        long address = rawAddress(block);
        tracker.endRaw(address, () -> live.disown(address));
    }

    private MemorySegment segment(long address, long bytes) {
        try {
            return NativeMemory.segment(address, bytes);
        } catch (Throwable e) { // all, not only Error: that is less code
            freeSlowly(address); // the Java heap or stack is exhausted
            throw e;
        }
    }

    // ---- blocks of a box or an arena ----------------------------------------------------------

    /**
     * Allocates a block for a box or an arena, which frees it by {@link #freeOwned}; returns its
     * address.
     */
    public long allocateOwned(long bytes, long alignment, boolean zeroed) {
        check(bytes, alignment);
        try {
            return blocks.allocateOwned(bytes, alignment, zeroed);
        } catch (Refusal e) {
            throw explained(e, bytes, alignment);
        }
    }

    /** Returns the engine; null if these blocks are not its. */
    public @Nullable SlabHeap engine() {
        return engine;
    }

    /**
     * Allocates an owned block of a valid size and alignment; returns its address and marks. The
     * caller, which has the exact size, zeroes the block unless {@link Blocks#ZEROED} is among the
     * marks, and tracks the owner if {@link Blocks#SAMPLED} is.
     */
    public long allocateMarked(long bytes, long alignment, boolean zeroed) {
        long block = engine != null ? engine.tryAllocateOwned(bytes, alignment) : 0;
        return block != 0 ? block : allocateMarkedSlow(bytes, alignment, zeroed);
    }

    public long allocateMarkedSlow(long bytes, long alignment, boolean zeroed) {
        try {
            long block = blocks.allocateOwnedMarked(bytes, alignment, zeroed);
            return isSampled(bytes, alignment) ? block | Blocks.SAMPLED : block;
        } catch (Refusal e) {
            throw explained(e, bytes, alignment);
        }
    }

    private boolean isSampled(long bytes, long alignment) {
        return engine != null
                ? engine.samples(tracker.mask(), bytes, alignment)
                : tracker.samples();
    }

    /**
     * Frees a block of {@link #allocateOwned} or {@link #allocateMarked}, once, with the same
     * arguments.
     */
    @Override
    public void freeOwned(long address, long bytes, long alignment) {
        if (engine == null || !engine.tryFreeOwned(address)) {
            blocks.freeOwned(address, bytes, alignment);
        }
        Reference.reachabilityFence(this);
    }

    /** Returns the usable size in bytes of a live block of {@link #allocateOwned}. */
    long usableOwned(long address, long bytes, long alignment) {
        return blocks.usableOwned(address, bytes, alignment);
    }

    /**
     * Returns the alignment with which to request a block of {@link #allocateOwned} that {@link
     * #growOwned} can enlarge; 0 if a new block and a copy are as good.
     */
    long growableAlignment(long bytes, long alignment) {
        return bytes < GROWABLE_BYTES ? 0 : blocks.growableAlignment(alignment);
    }

    /** Enlarges such a block; returns its new address. */
    long growOwned(long address, long bytes, long alignment) {
        check(bytes, alignment);
        try {
            return blocks.growOwned(address, bytes, alignment);
        } catch (Refusal e) {
            throw explained(e, bytes, alignment);
        }
    }

    // ---- raw blocks that become owned, and the reverse ----------------------------------------

    /** Makes a raw block owned, which must have room for that many bytes; returns its address. */
    public long makeOwned(MemorySegment block, long bytes) {
        long address = rawAddress(block);
        long usable = blocks.usableBytes(address);
        if (usable < bytes) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "the block at 0x%x has %d bytes, not %d",
                            address,
                            usable,
                            bytes));
        }
        tracker.endRaw(address, () -> blocks.makeOwned(address));
        return address;
    }

    /** Makes an owned block raw. */
    @Override
    public void makeRaw(long address) {
        blocks.makeRaw(address);
        if (tracker.recordsRawBlocks()) {
            tracker.addRaw(address, blocks.usableBytes(address));
        }
    }

    /** Frees a block of {@link #makeOwned}, once; its requested size and alignment are unknown. */
    void freeOnceRaw(long address) {
        blocks.freeOnceRaw(address);
        Reference.reachabilityFence(this);
    }

    @Override
    public CheckedBlocks forCopies() {
        return this;
    }

    @Override
    public Tracker tracker() {
        return tracker;
    }

    /** Sets the tracking level; the countdowns of all threads restart. */
    public void tracking(Tracking level) {
        tracker.level(level);
        updateFastPaths();
        if (engine != null) {
            engine.resetSampling();
        }
    }

    /**
     * Returns the origin for a block that was just allocated: these blocks, tracked if it is
     * sampled.
     */
    Origin origin(long address, long bytes, LeakReport.Kind kind) {
        return tracker.samples() ? Tracked.of(this, address, bytes, kind) : this;
    }

    // ---- state --------------------------------------------------------------------------------

    public Registration registration() {
        return registration;
    }

    /** Describes the guarantees for the pages of every block; empty if there are none. */
    @Override
    public String guarantee() {
        return guarantees.stream()
                .sorted()
                .map(guarantee -> guarantee.name().toLowerCase(Locale.ROOT))
                .collect(Collectors.joining(" and "));
    }

    @Override
    public List<PhysicalExtent> extents(long address, long bytes) {
        if (frames == null) {
            throw new UnsupportedOperationException(
                    String.format(
                            Locale.ROOT,
                            "where memory of allocator '%s' lies is not known: only memory of a"
                                    + " PhysicalAllocator has extents",
                            tag));
        }
        return bytes == 0 ? List.of() : frames.map().extents(address, bytes, Long.MAX_VALUE, 0);
    }

    public void trim() {
        blocks.trim();
        Reference.reachabilityFence(this);
    }

    @Override
    public void releaseIdle() {
        if (blocks instanceof Budget.Holder holder) {
            holder.releaseIdle();
        }
        Reference.reachabilityFence(this);
    }

    @Override
    public Counters estimate() {
        return blocks instanceof Budget.Holder holder ? holder.estimate() : blocks.counters();
    }

    /** Makes these blocks serve the whole process: from now on they cannot be closed. */
    public synchronized void serveProcess() {
        requireOpen();
        processWide = true;
        if (guard != null) {
            guard.dismiss(); // it is never closed
        }
    }

    public void requireOpen() {
        if (blocks.isClosed()) {
            throw Blocks.closed(tag);
        }
    }

    public synchronized void requireMayBeClosed() {
        if (processWide) {
            throw new UnsupportedOperationException(
                    "allocator '" + tag + "' serves the whole process: it cannot be closed");
        }
    }

    public synchronized void close() {
        requireMayBeClosed();
        blocks.close();
        Reference.reachabilityFence(this);
        Counters left = blocks.counters();
        if (left.liveBlocks() != 0) {
            throw LiveBlocksMessage.exception(
                    tag, left.liveBlocks(), left.liveBytes(), tracker.level(), tracker.alive());
        }
    }

    @Override
    public String toString() {
        Counters now = blocks.counters();
        return String.format(
                Locale.ROOT,
                "[%s, %d live blocks, %d bytes%s]",
                tag,
                now.liveBlocks(),
                now.liveBytes(),
                blocks.isClosed() ? ", closed" : "");
    }

    // ---- arguments and refusals ---------------------------------------------------------------

    private static void check(long bytes, long alignment) {
        if (bytes < 0) {
            throw new IllegalArgumentException("byteSize=" + bytes + " must not be negative");
        }
        if (!Alignment.isPowerOfTwo(alignment)) {
            throw new IllegalArgumentException(
                    "byteAlignment=" + alignment + " must be a power of two");
        }
        if (bytes > Long.MAX_VALUE - alignment) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "byteSize=%d and byteAlignment=%d together exceed Long.MAX_VALUE",
                            bytes,
                            alignment));
        }
    }

    /**
     * Returns the address of a segment that could be a raw block: native, and in the scope that
     * never closes.
     */
    private static long rawAddress(MemorySegment block) {
        if (!block.isNative()) {
            throw new IllegalArgumentException(
                    block + " lies in the Java heap: it is not a block of an allocator");
        }
        if (!block.scope().equals(GLOBAL_SCOPE)) {
            throw new IllegalArgumentException(
                    block
                            + " belongs to a box or an arena, whose close frees it: only raw blocks"
                            + " are freed by hand");
        }
        return block.address();
    }

    /** Throws if a C function has returned NULL, its result on failure. */
    public static void requireNotNull(MemorySegment segment) {
        if (segment.address() == 0) {
            throw new IllegalArgumentException(
                    "segment at address 0: the function it came from has failed, check for NULL"
                            + " first");
        }
    }

    public AllocationException explained(Refusal refusal, long bytes, long alignment) {
        EventRecorder.refused(tag, refusal, bytes, alignment);
        // Built by hand: a formatter would load classes, and the Java heap may be exhausted.
        String message =
                new StringBuilder("allocator '")
                        .append(tag)
                        .append("' could not provide ")
                        .append(bytes)
                        .append(" bytes aligned to ")
                        .append(alignment)
                        .append(": ")
                        .append(refusal.getMessage())
                        .toString();
        AllocationException.Reason reason = Reasons.of(refusal);
        registration.refused(reason);
        return new AllocationException(reason, message, refusal);
    }
}
