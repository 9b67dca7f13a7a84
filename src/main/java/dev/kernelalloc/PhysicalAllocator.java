package dev.kernelalloc;

import dev.kernelalloc.frames.FrameBlocks;
import dev.kernelalloc.frames.FrameChunks;
import dev.kernelalloc.frames.FrameListener;
import dev.kernelalloc.frames.Frames;
import dev.kernelalloc.heap.Block;
import dev.kernelalloc.heap.Blocks;
import dev.kernelalloc.heap.Budget;
import dev.kernelalloc.heap.Counters;
import dev.kernelalloc.heap.HeapSettings;
import dev.kernelalloc.heap.HighWater;
import dev.kernelalloc.heap.LiveBlocks;
import dev.kernelalloc.heap.SlabHeap;
import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.Platform;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.Drift;
import dev.kernelalloc.physical.FrameReport;
import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.physical.LostGuarantee;
import dev.kernelalloc.physical.PhysicalAddress;
import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.physical.PhysicalExtent;
import dev.kernelalloc.physical.PhysicalRequest;
import dev.kernelalloc.physical.PhysicalSlab;
import dev.kernelalloc.physical.Provenance;
import dev.kernelalloc.physical.Verification;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.Consumer;

/**
 * Blocks in memory that is populated, locked, and whose physical addresses are known.
 *
 * <p>{@link #allocate(long, long)}, boxes and arenas get blocks by the allocator's own request,
 * {@link PhysicalRequest#DEFAULT} unless the builder is given another. They are cut from slabs as
 * those of a {@link PoolAllocator} are, down to 8 bytes, and cost as much; slabs are prepared as a
 * whole, and begin small. Such a block may be freed and another handed out in its place without the
 * kernel noticing. One limit is {@link PoolAllocator}'s too: of two threads that free a raw block
 * in the same instant, none may be refused. Where a process may lock less than 1 MiB, each block
 * has pages of its own instead, so that the little is not spent on slabs.
 *
 * <p>{@link #allocate(PhysicalRequest)} gives blocks of whole pages that are contiguous, placed,
 * huge, pinned or guarded, as the request says, or an {@link AllocationException} that says what
 * was found instead.
 *
 * <p>Locking counts against {@code RLIMIT_MEMLOCK} unless the process has {@code CAP_IPC_LOCK};
 * over the limit there is an {@link AllocationException} of reason {@link
 * AllocationException.Reason#LOCK_LIMIT}. Physical addresses are shown by Linux alone, to a process
 * that had {@code CAP_SYS_ADMIN} in the first user namespace when the allocator was made;
 * everything else works without. Memory is never executable, a child made by fork(2) does not get
 * it unless asked for, and the kernel does not merge it with equal pages, unless the whole process
 * asks for that later (prctl(2), {@code PR_SET_MEMORY_MERGE}).
 *
 * <p>Linux limits the mappings of a process, 65,530 by default ({@code vm.max_map_count}). Half of
 * them may belong to slabs and blocks of such allocators; beyond that an {@link
 * AllocationException} is thrown. A slab or block takes one, a guarded one three, and a contiguous
 * one of base pages one for each run of pages that was moved into place.
 */
public final class PhysicalAllocator implements KernelAllocator {

    /** Below that, slabs of 64 KiB would use up what may be locked. */
    private static final long LEAST_LOCKABLE_FOR_SLABS = 1L << 20;

    private static final long MAX_THREAD_CACHE_BYTES = 1L << 20;
    private static final long MAX_CACHE_BYTES = 16L << 20;

    private final Frames frames;

    /** Those of boxes, arenas and {@link #allocate(long, long)}. */
    private final CheckedBlocks blocks;

    private final FrameBlocks source;
    private final LiveBlocks requested;

    /** Those of {@link #allocate(PhysicalRequest)}; the same as {@link #blocks} without slabs. */
    private final CheckedBlocks requestedBlocks;

    /** Whether there has ever been one of those: who needs none does not look for them. */
    private volatile boolean requests;

    private final AllocatorGuard guard;

    private final OperatingSystem os;
    private final Budget budget;

    /** Of this allocator and of its children. */
    private final List<Consumer<Pressure>> pressureListeners;

    /** What children begin with. */
    private final Builder settings;

    /** The budget knows it weakly. */
    private final Budget.Holder idle;

    /**
     * Over slabs and pages of its own.
     *
     * @param settings that nobody changes any more
     * @param budget that pages are charged to
     * @param pressureListeners of the budget
     */
    private PhysicalAllocator(
            OperatingSystem os,
            Builder settings,
            Budget budget,
            List<Consumer<Pressure>> pressureListeners) {
        String tag = settings.tag;
        this.os = os;
        this.settings = settings;
        this.budget = budget;
        this.pressureListeners = pressureListeners;
        Tracker tracker = new Tracker(tag, settings.tracking, settings.leakListeners);
        this.guard = new AllocatorGuard(tracker, pressureListeners);
        AllocatorGuard.Counting counting = guard.counting();
        Journal journal = new Journal(tag);
        PhysicalRequest request = settings.request;
        this.frames =
                new Frames(
                        os,
                        tag,
                        settings.pageMap,
                        new FrameListener(
                                with(journal::mapped, counting(settings.mapped, counting, 1)),
                                with(journal::unmapped, counting(settings.unmapped, counting, -1)),
                                with(journal::drifted, settings.drifted),
                                with(journal::lost, settings.lost)),
                        budget);
        settings.verifyPeriod.ifPresent(frames::verifyEvery);
        this.source = new FrameBlocks(frames, request);
        HighWater capacity = new HighWater();
        this.requested = new LiveBlocks(tag, source, capacity);
        long lockable =
                request.least().contains(Guarantee.LOCKED)
                        ? frames.lockableBytes()
                        : Long.MAX_VALUE;
        boolean wholePages = request.contiguous() || request.guarded() || request.alignment() > 1;
        Blocks served = requested;
        if (!wholePages && lockable >= LEAST_LOCKABLE_FOR_SLABS) {
            SlabHeap heap =
                    new SlabHeap(
                            settings(tag, Math.min(lockable, budget.leastLimit())),
                            new FrameChunks(frames, request),
                            capacity,
                            journal.ofHeapWithoutChunks());
            served = heap;
        }
        List<Blocks> all = served == requested ? List.of(requested) : List.of(served, requested);
        Ledger ledger = Ledger.open(tag, frames, all);
        this.requestedBlocks =
                new CheckedBlocks(tag, requested, request.least(), frames, tracker, ledger, guard);
        this.blocks =
                served == requested
                        ? requestedBlocks
                        : new CheckedBlocks(
                                tag,
                                served,
                                request.least(),
                                frames,
                                new Tracker(tag, settings.tracking, settings.leakListeners),
                                ledger,
                                guard);
        this.idle = new Idle(frames, blocks);
        budget.heldBy(idle);
        if (!settings.hasSlabListeners()) {
            guard.guard(reclaiming(budget, all, frames));
        }
    }

    /** What can be given up: of the heap, and pages that nothing uses. */
    private record Idle(Frames frames, CheckedBlocks blocks) implements Budget.Holder {

        @Override
        public void giveUpIdle() {
            blocks.giveUpIdle();
            frames.trim();
        }

        @Override
        public Counters estimate() {
            return blocks.estimate();
        }
    }

    /** Refers to the memory, and to nothing that is guarded. */
    private static Runnable reclaiming(Budget budget, List<Blocks> all, Frames frames) {
        return () -> {
            budget.end();
            all.forEach(Blocks::reclaimUnreachable);
            frames.close();
        };
    }

    /** Listeners, and last of them one that counts what would stay locked. */
    private static List<Consumer<PhysicalSlab>> counting(
            List<Consumer<PhysicalSlab>> listeners, AllocatorGuard.Counting counting, int sign) {
        return with(slab -> counting.add(sign * slab.memory().byteSize()), listeners);
    }

    /** One more listener, the last: told of a slab only when no other has refused it. */
    private static <T> List<Consumer<T>> with(Consumer<T> last, List<Consumer<T>> listeners) {
        List<Consumer<T>> all = new ArrayList<>(listeners);
        all.add(last);
        return all;
    }

    private static HeapSettings settings(String tag, long limitBytes) {
        return new HeapSettings(
                tag,
                Limits.threadCacheBytes(MAX_THREAD_CACHE_BYTES, limitBytes),
                Limits.cacheBytes(MAX_CACHE_BYTES, limitBytes));
    }

    /**
     * A new allocator, tagged {@code physical}.
     *
     * @return an allocator that the caller closes
     * @throws IllegalCallerException when native access is denied; the message names the flag to
     *     add
     */
    public static PhysicalAllocator create() {
        return builder().build();
    }

    /**
     * Settings for a new allocator.
     *
     * @return a builder with the defaults
     */
    public static Builder builder() {
        Platform.requireHeadroom(); // a setting is read from system properties
        return new Builder();
    }

    // ---- blocks by request --------------------------------------------------------------------

    /**
     * A raw block as a request wants it, of whole pages. Its contents are undefined. It is freed by
     * {@link #free}; {@link #reallocate} keeps to the request.
     *
     * <p>It costs system calls, unless a contiguous block is found in pages that an earlier one has
     * left.
     *
     * @param request what is wanted
     * @return a segment of the request's size, which lives until it is freed
     * @throws AllocationException when it cannot be had; the message says for each way that was
     *     tried why not, what was found instead and what would help
     * @throws IllegalStateException when this allocator is closed
     */
    public MemorySegment allocate(PhysicalRequest request) {
        requestedBlocks.requireOpen();
        requests = true;
        Block block = obtain(request);
        MemorySegment segment;
        try {
            segment = NativeMemory.segment(block.address(), request.size());
            requested.adopt(block);
            requestedBlocks.tracked(segment);
        } catch (RuntimeException | Error e) {
            source.giveBack(block); // closed meanwhile, or the Java heap is exhausted
            throw e;
        }
        if (requested.isClosed()) {
            requestedBlocks.free(segment);
            requestedBlocks.requireOpen();
        }
        return segment;
    }

    /** What is idle may be what is missing. */
    private Block obtain(PhysicalRequest request) {
        try {
            return source.obtain(request, false);
        } catch (Refusal.OverBudget e) {
            // What is idle has been given back.
            throw requestedBlocks.explained(e, request.size(), request.alignment());
        } catch (Refusal first) {
            trim();
        }
        try {
            return source.obtain(request, false);
        } catch (Refusal e) {
            throw requestedBlocks.explained(e, request.size(), request.alignment());
        }
    }

    // ---- where memory lies --------------------------------------------------------------------

    /**
     * Where the first byte of a segment lies in physical memory, as resolved when its slab was
     * prepared. Does not enter the kernel.
     *
     * @param segment memory of a live block of this allocator, or a slice of it; at least one byte
     * @return the address
     * @throws PhysicalAddressException when it is not known, with the reason
     * @throws IllegalArgumentException when the segment is empty, or not memory of this allocator;
     *     that a block was freed is known only once its slab is gone
     * @throws IllegalStateException when the segment's box or arena is closed
     */
    public PhysicalAddress addressOf(MemorySegment segment) {
        return frames.addressOf(addressOfLive(segment), bytesOf(segment));
    }

    /**
     * Where a byte of a segment lies in physical memory, as {@link #addressOf(MemorySegment)}.
     *
     * @param segment memory of a live block of this allocator, or a slice of it
     * @param offset of the byte
     * @return the address
     * @throws PhysicalAddressException when it is not known, with the reason
     * @throws IndexOutOfBoundsException when the offset does not lie in the segment
     * @throws IllegalArgumentException when the segment is not memory of this allocator
     * @throws IllegalStateException when the segment's box or arena is closed
     */
    public PhysicalAddress addressOf(MemorySegment segment, long offset) {
        long address = addressOfLive(segment);
        return frames.addressOf(address + Objects.checkIndex(offset, segment.byteSize()), 1);
    }

    /**
     * The pieces of physical memory that a segment lies in, in its order; those that touch are one.
     *
     * @param segment memory of a live block of this allocator, or a slice of it
     * @return at least one extent, unless the segment is empty
     * @throws PhysicalAddressException when a byte's address is not known, with the reason
     * @throws IllegalArgumentException when the segment is not memory of this allocator
     * @throws IllegalStateException when the segment's box or arena is closed
     */
    public List<PhysicalExtent> extents(MemorySegment segment) {
        return extents(segment, Long.MAX_VALUE, 0);
    }

    /**
     * The same as a device wants it: split into pieces that are not too long and do not cross a
     * boundary.
     *
     * @param segment memory of a live block of this allocator, or a slice of it
     * @param longest bytes of one piece, at least 1
     * @param boundary a power of two, of which no multiple lies between two bytes of a piece; 0 for
     *     none
     * @return at least one extent, unless the segment is empty
     * @throws PhysicalAddressException when a byte's address is not known, with the reason
     * @throws IllegalArgumentException when the segment is not memory of this allocator, or {@code
     *     longest} or {@code boundary} is not as above
     * @throws IllegalStateException when the segment's box or arena is closed
     */
    public List<PhysicalExtent> extents(MemorySegment segment, long longest, long boundary) {
        if (longest < 1 || boundary < 0 || (boundary & boundary - 1) != 0) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "longest=%d must be at least 1, boundary=%d a power of two or 0",
                            longest,
                            boundary));
        }
        long address = addressOfLive(segment);
        return segment.byteSize() == 0
                ? List.of() // at its address another block may begin
                : frames.extents(address, segment.byteSize(), longest, boundary);
    }

    /**
     * The virtual address of a byte of this allocator that lies at a physical address: a search
     * through its slabs.
     *
     * @param address as from {@link #addressOf(MemorySegment)}
     * @return the address that {@link MemorySegment#address} counts in; empty when no slab of this
     *     allocator has it
     */
    public OptionalLong virtualAddressOf(PhysicalAddress address) {
        return frames.virtualAddressOf(address.value());
    }

    /**
     * The NUMA node that the page of a segment's first byte is of, as the system says now.
     *
     * @param segment memory of a live block of this allocator, or a slice of it; at least one byte
     * @return its number; empty where the system does not tell
     * @throws IllegalArgumentException when the segment is empty, or not memory of this allocator
     * @throws IllegalStateException when the segment's box or arena is closed
     */
    public OptionalInt node(MemorySegment segment) {
        return frames.nodeOf(addressOfLive(segment), bytesOf(segment));
    }

    /**
     * What the kernel says now of the page frame of a segment's first byte: its address from a
     * fresh reading of the page map, its flags and its mappings from {@code /proc/kpageflags} and
     * {@code /proc/kpagecount}. A few microseconds.
     *
     * @param segment memory of a live block of this allocator, or a slice of it; at least one byte
     * @return the report
     * @throws PhysicalAddressException when the page map or the frame's records cannot be read
     * @throws IllegalArgumentException when the segment is empty, or not memory of this allocator
     * @throws IllegalStateException when the segment's box or arena is closed
     */
    public FrameReport inspect(MemorySegment segment) {
        return frames.inspect(addressOfLive(segment), bytesOf(segment));
    }

    // ---- what is promised ---------------------------------------------------------------------

    /**
     * What is promised of the pages of a segment: what was asked for, or more; less what {@link
     * #verify} has found lost.
     *
     * @param segment memory of a live block of this allocator, or a slice of it; at least one byte
     * @return the guarantees its block has
     * @throws IllegalArgumentException when the segment is empty, or not memory of this allocator
     * @throws IllegalStateException when the segment's box or arena is closed
     */
    public Set<Guarantee> guarantee(MemorySegment segment) {
        return frames.guarantees(addressOfLive(segment), bytesOf(segment));
    }

    /**
     * How the pages of a segment were obtained, and why no better way was taken.
     *
     * @param segment memory of a live block of this allocator, or a slice of it; at least one byte
     * @return the way, and those declined
     * @throws IllegalArgumentException when the segment is empty, or not memory of this allocator
     * @throws IllegalStateException when the segment's box or arena is closed
     */
    public Provenance provenance(MemorySegment segment) {
        return frames.provenance(addressOfLive(segment), bytesOf(segment));
    }

    /**
     * Audits all memory of this allocator: reads the page map again and compares, and checks that
     * every guarantee holds. {@link Guarantee#LOCKED} is read from the flags of frames or of
     * mappings, {@link Guarantee#HUGE} from the page map, {@link Guarantee#PINNED} from the
     * kernel's count of pinned bytes and from the io_uring that holds the pins, {@link
     * Guarantee#CONTIGUOUS} from the frames.
     *
     * <p>It takes some 40 ns a page of the base size, less in huge ones. Where the records of
     * frames can be read, as by root, frames that are no longer the page's own are found too, for
     * 0.3 µs a page and more; where they cannot, and something is locked, the process's mappings
     * are read once, which takes milliseconds. Addresses that have changed are the new ones from
     * then on, and {@linkplain Builder#onDrift listeners} are told of each. A guarantee that is
     * found lost stays lost: {@link #guarantee} does not name it any more, each verification does,
     * and {@linkplain Builder#onGuaranteeLost listeners} are told once.
     *
     * @return what was found; without the right to see frames {@link
     *     Verification.Verdict#NOT_VERIFIABLE}, unless a guarantee was lost
     * @throws PhysicalAddressException of reason {@link PhysicalAddressException.Reason#MOVED} when
     *     a page has moved that was {@link Guarantee#PINNED} until now
     */
    public Verification verify() {
        return requirePinned(frames.verify());
    }

    /**
     * The same for the slab that a segment lies in.
     *
     * @param segment memory of a live block of this allocator, or a slice of it; at least one byte
     * @return what was found
     * @throws PhysicalAddressException of reason {@link PhysicalAddressException.Reason#MOVED} when
     *     a page has moved that was {@link Guarantee#PINNED}
     * @throws IllegalArgumentException when the segment is empty, or not memory of this allocator
     * @throws IllegalStateException when the segment's box or arena is closed
     */
    public Verification verify(MemorySegment segment) {
        return requirePinned(frames.verify(addressOfLive(segment), bytesOf(segment)));
    }

    private static Verification requirePinned(Verification found) {
        List<Drift> broken = found.drifts().stream().filter(Drift::pinned).toList();
        if (!broken.isEmpty()) {
            throw new PhysicalAddressException(
                    PhysicalAddressException.Reason.MOVED,
                    String.format(
                            Locale.ROOT,
                            "%d pages that were pinned are not where they were, the first: %s",
                            broken.size(),
                            broken.getFirst()));
        }
        return found;
    }

    // ---- two kinds of blocks ------------------------------------------------------------------

    @Override
    public void free(MemorySegment block) {
        blocksOf(block).free(block);
    }

    @Override
    public MemorySegment reallocate(MemorySegment block, long byteSize, long byteAlignment) {
        return blocksOf(block).reallocate(block, byteSize, byteAlignment);
    }

    @Override
    public long usableSize(MemorySegment block) {
        return blocksOf(block).usableSize(block);
    }

    /** Those that a raw block is one of. */
    CheckedBlocks blocksOf(MemorySegment block) {
        return requests && frames.isOutsideEngine(block.address()) ? requestedBlocks : blocks;
    }

    @Override
    public void trim() {
        blocks.trim();
        requestedBlocks.trim();
    }

    @Override
    public void tracking(Tracking level) {
        blocks.tracking(level);
        requestedBlocks.tracking(level);
    }

    @Override
    public long limit() {
        return budget.limit();
    }

    @Override
    public void limit(long bytes) {
        budget.limit(Limits.requireBytes(bytes));
    }

    @Override
    public long charged() {
        return budget.used();
    }

    @Override
    public long peakCharged() {
        return budget.peak();
    }

    /**
     * {@inheritDoc}
     *
     * <p>The child opens the page map itself, unless the builder was given one: made after the
     * process has given up its rights it does not see physical addresses.
     */
    @Override
    public PhysicalAllocator child(String tag, long limit) {
        Builder own = new Builder(settings).tag(tag).limit(limit);
        return new PhysicalAllocator(os, own, budget.child(tag, limit), pressureListeners);
    }

    @Override
    public void close() {
        blocks.requireMayBeClosed();
        budget.close();
        guard.closing();
        IllegalStateException first = closed(blocks);
        IllegalStateException second = blocks == requestedBlocks ? null : closed(requestedBlocks);
        frames.close();
        if (budget.used() == 0) {
            guard.dismiss();
        }
        if (first != null && second != null) {
            first.addSuppressed(second);
        }
        if (first != null || second != null) {
            throw first != null ? first : second;
        }
    }

    private static @Nullable IllegalStateException closed(CheckedBlocks blocks) {
        try {
            blocks.close();
            return null;
        } catch (IllegalStateException e) {
            return e;
        }
    }

    @Override
    public String toString() {
        return "PhysicalAllocator" + blocks;
    }

    CheckedBlocks blocks() {
        return blocks;
    }

    private static long addressOfLive(MemorySegment segment) {
        if (!segment.isNative()) {
            throw new IllegalArgumentException(
                    segment + " lies in the Java heap: it has no place of its own");
        }
        if (!segment.scope().isAlive()) {
            throw new IllegalStateException(segment + " is closed");
        }
        return segment.address();
    }

    /** An empty segment has no byte; the one at its address may be another block's. */
    private static long bytesOf(MemorySegment segment) {
        long bytes = segment.byteSize();
        if (bytes == 0) {
            throw new IllegalArgumentException(
                    segment + " is empty: ask about a segment of at least one byte");
        }
        return bytes;
    }

    /** Settings for a new {@link PhysicalAllocator}; not for use by several threads at once. */
    public static final class Builder {

        private String tag = "physical";
        private PhysicalRequest request = PhysicalRequest.DEFAULT;
        private OptionalInt pageMap = OptionalInt.empty();
        private Optional<Duration> verifyPeriod = Optional.empty();
        private final List<Consumer<PhysicalSlab>> mapped = new ArrayList<>();
        private final List<Consumer<PhysicalSlab>> unmapped = new ArrayList<>();
        private final List<Consumer<Drift>> drifted = new ArrayList<>();
        private final List<Consumer<LostGuarantee>> lost = new ArrayList<>();

        private Tracking tracking = Tracking.ofProcess();
        private final List<Consumer<LeakReport>> leakListeners = new ArrayList<>();
        private final List<Consumer<Pressure>> pressureListeners = new ArrayList<>();
        private long limit = Budget.UNLIMITED;

        private Builder() {}

        private boolean hasSlabListeners() {
            return !(mapped.isEmpty() && unmapped.isEmpty() && drifted.isEmpty() && lost.isEmpty());
        }

        private Builder(Builder other) {
            this.tag = other.tag;
            this.request = other.request;
            this.pageMap = other.pageMap;
            this.verifyPeriod = other.verifyPeriod;
            this.mapped.addAll(other.mapped);
            this.unmapped.addAll(other.unmapped);
            this.drifted.addAll(other.drifted);
            this.lost.addAll(other.lost);
            this.tracking = other.tracking;
            this.leakListeners.addAll(other.leakListeners);
            this.pressureListeners.addAll(other.pressureListeners);
            this.limit = other.limit;
        }

        /**
         * What the memory is for, as shown in statistics and messages.
         *
         * @param tag any text
         * @return this builder
         */
        public Builder tag(String tag) {
            this.tag = Objects.requireNonNull(tag, "tag");
            return this;
        }

        /**
         * What holds for the blocks of {@link #allocate(long, long)}, boxes and arenas; {@link
         * PhysicalRequest#DEFAULT} unless set. A request that is contiguous, guarded or aligned
         * gives every block pages of its own; any other leaves blocks to be cut from slabs.
         *
         * @param request of any size
         * @return this builder
         */
        public Builder request(PhysicalRequest request) {
            this.request = Objects.requireNonNull(request, "request");
            return this;
        }

        /**
         * A page map of this process that was opened with the right to see frames, for a process
         * that has not: the kernel asks for the rights of whoever opened it. Unless set, the
         * allocator opens one when it is made, so a process may also give up its rights after that.
         *
         * @param fileDescriptor of {@code /proc/<this process>/pagemap}; it stays the caller's, who
         *     closes it after the allocator
         * @return this builder
         * @throws IllegalArgumentException when it is negative
         */
        public Builder pageMap(int fileDescriptor) {
            if (fileDescriptor < 0) {
                throw new IllegalArgumentException(
                        "fileDescriptor=" + fileDescriptor + " must not be negative");
            }
            this.pageMap = OptionalInt.of(fileDescriptor);
            return this;
        }

        /**
         * Told of each slab before a block is cut from it, for example to register it with a device
         * or a driver. It runs on the thread that allocates, and must not use this allocator. What
         * it throws ends that request, and the slab with it, of which {@link #onSlabUnmapped}
         * listeners are told then.
         *
         * @param listener to be told
         * @return this builder
         */
        public Builder onSlabMapped(Consumer<PhysicalSlab> listener) {
            mapped.add(Objects.requireNonNull(listener, "listener"));
            return this;
        }

        /**
         * Told of each slab before its memory goes. It runs on any thread, also one of the library,
         * and must not use this allocator. What it throws is logged.
         *
         * @param listener to be told
         * @return this builder
         */
        public Builder onSlabUnmapped(Consumer<PhysicalSlab> listener) {
            unmapped.add(Objects.requireNonNull(listener, "listener"));
            return this;
        }

        /**
         * Told of each page that {@link PhysicalAllocator#verify} finds elsewhere. What it throws
         * is logged.
         *
         * @param listener to be told
         * @return this builder
         */
        public Builder onDrift(Consumer<Drift> listener) {
            drifted.add(Objects.requireNonNull(listener, "listener"));
            return this;
        }

        /**
         * Adds a listener that is told once of each guarantee that {@link PhysicalAllocator#verify}
         * finds lost. It runs on the thread that verifies. What it throws is logged.
         *
         * @param listener to be told
         * @return this builder
         */
        public Builder onGuaranteeLost(Consumer<LostGuarantee> listener) {
            lost.add(Objects.requireNonNull(listener, "listener"));
            return this;
        }

        /**
         * Of how many blocks is remembered where they were made. Unless set the system property
         * {@code dev.kernelalloc.tracking} says it, and without that it is {@link
         * Tracking#SAMPLED}. {@link PhysicalAllocator#tracking(Tracking)} changes it later. An
         * allocator that is made with a level other than {@link Tracking#OFF} is tracked itself.
         *
         * @param level which of them
         * @return this builder
         */
        public Builder tracking(Tracking level) {
            this.tracking = Objects.requireNonNull(level, "level");
            return this;
        }

        /**
         * Told of each tracked owner that was lost, and of this allocator if it is, after the log:
         * on a thread of the library, once the collector has found it. What it throws is logged.
         *
         * @param listener to be told; it is kept for as long as something is tracked
         * @return this builder
         */
        public Builder onLeak(Consumer<LeakReport> listener) {
            leakListeners.add(Objects.requireNonNull(listener, "listener"));
            return this;
        }

        /**
         * Calls {@link PhysicalAllocator#verify} periodically on a thread of the library, {@code
         * kernel-alloc-verify}, which runs while the allocator has slabs. Listeners of {@link
         * #onDrift} are called on that thread with what it finds, pinned pages included.
         *
         * @param period from the end of one verification to the beginning of the next
         * @return this builder
         * @throws IllegalArgumentException when it is not positive
         */
        public Builder verifyEvery(Duration period) {
            if (!period.isPositive()) {
                throw new IllegalArgumentException("period=" + period + " must be positive");
            }
            this.verifyPeriod = Optional.of(period);
            return this;
        }

        /**
         * How much the allocator and its {@linkplain KernelAllocator#child children} may take from
         * the system together; unless set as much as there is. Before a request is refused for
         * that, whatever is idle is given back, caches of other live threads aside; then listeners
         * of {@link #onPressure} are asked. Pages are counted as they are mapped; looking for
         * contiguous ones takes more for a moment, within the limit. {@link
         * KernelAllocator#limit(long)} changes it later.
         *
         * @param bytes not negative; {@link Long#MAX_VALUE} for no limit
         * @return this builder
         * @throws IllegalArgumentException when it is negative
         */
        public Builder limit(long bytes) {
            this.limit = Limits.requireBytes(bytes);
            return this;
        }

        /**
         * Told before a limit refuses: that of this allocator, or of a child of it. What the
         * listener frees, closes or adds to the limit may serve the request, which is tried once
         * more. It runs on the thread that allocates, which holds nothing of the allocator
         * meanwhile, so it may use it, but for the owner that is about to grow; by several threads
         * at once; never within itself: what it allocates beyond the limit is refused. What it
         * throws is logged.
         *
         * @param listener to be told
         * @return this builder
         */
        public Builder onPressure(Consumer<Pressure> listener) {
            pressureListeners.add(Objects.requireNonNull(listener, "listener"));
            return this;
        }

        /**
         * Makes an allocator.
         *
         * @return an allocator that the caller closes
         * @throws IllegalCallerException when native access is denied; the message names the flag
         *     to add
         */
        public PhysicalAllocator build() {
            return build(Platform.current());
        }

        PhysicalAllocator build(OperatingSystem os) {
            List<Consumer<Pressure>> listeners = List.copyOf(pressureListeners);
            return new PhysicalAllocator(
                    os,
                    new Builder(this),
                    Budget.of(tag, limit, Limits.listener(listeners)),
                    listeners);
        }
    }
}
