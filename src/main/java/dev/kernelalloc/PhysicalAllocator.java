package dev.kernelalloc;

import dev.kernelalloc.bulk.Alignment;
import dev.kernelalloc.core.CheckedBlocks;
import dev.kernelalloc.core.Limits;
import dev.kernelalloc.core.Registration;
import dev.kernelalloc.frames.Adoption;
import dev.kernelalloc.frames.FrameBlocks;
import dev.kernelalloc.frames.FrameChecks;
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
import dev.kernelalloc.heap.Retry;
import dev.kernelalloc.heap.SlabHeap;
import dev.kernelalloc.leak.AllocatorGuard;
import dev.kernelalloc.leak.EventRecorder;
import dev.kernelalloc.leak.Tracker;
import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.Platform;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.Drift;
import dev.kernelalloc.physical.ExtentVisitor;
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
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.Consumer;

/**
 * An allocator of populated, locked memory with known physical addresses.
 *
 * <p>{@link #allocate(long, long)}, boxes and arenas follow the allocator's own request, {@link
 * PhysicalRequest#DEFAULT} unless the builder has another. Their blocks are cut from slabs as those
 * of a {@link PoolAllocator} are, down to 8 bytes, and cost as much; slabs are prepared as a whole,
 * and begin small. Such a block may be freed and reused without the kernel noticing. One limit is
 * that of {@link PoolAllocator}: if two threads free a raw block at the same instant, neither may
 * be refused. If a process may lock less than 1 MiB, each block has pages of its own instead,
 * because slabs would use up the limit.
 *
 * <p>{@link #allocate(PhysicalRequest)} returns blocks of whole pages that are contiguous, placed,
 * huge, pinned or guarded, as requested, or throws an {@link AllocationException} that states what
 * was found instead.
 *
 * {@snippet lang = java :
 * try (PhysicalAllocator physical = PhysicalAllocator.create()) {
 *     MemorySegment ring =
 *             physical.allocate(PhysicalRequest.ofBytes(16 << 10).contiguous().build());
 *     PhysicalAddress address = physical.addressOf(ring); // what a device is programmed with
 *     physical.free(ring);
 * }
 * }
 *
 * <p>Locking counts against {@code RLIMIT_MEMLOCK} unless the process has {@code CAP_IPC_LOCK};
 * over the limit an {@link AllocationException} of reason {@link
 * AllocationException.Reason#LOCK_LIMIT} is thrown. Only Linux shows physical addresses, to a
 * process that had {@code CAP_SYS_ADMIN} in the initial user namespace when the allocator was
 * created; everything else works without. Memory is never executable. A child made by fork(2) does
 * not inherit it by default. The kernel does not merge it with equal pages, unless the whole
 * process requests that later (prctl(2), {@code PR_SET_MEMORY_MERGE}).
 *
 * <p>Linux limits the mappings of a process, 65,530 by default ({@code vm.max_map_count}). Slabs
 * and blocks of such allocators may use half of them; beyond that an {@link AllocationException} is
 * thrown. A slab or block takes one, a guarded block three, and a contiguous block of base pages
 * one for each run of pages that was moved into place.
 */
public final class PhysicalAllocator extends AbstractAllocator {

    /** Below that, slabs of 64 KiB would use up what may be locked. */
    private static final long LEAST_LOCKABLE_FOR_SLABS = 1L << 20;

    /** The least with which a thread has a cache of its own, if the lock limit allows. */
    private static final long MAX_THREAD_CACHE_BYTES = SlabHeap.MIN_THREAD_CACHE_BYTES;

    private static final long MAX_CACHE_BYTES = 16L << 20;

    private final Frames frames;

    private final FrameBlocks source;
    private final LiveBlocks requested;

    /** The source of the slabs; null without slabs. */
    private final @Nullable FrameChunks chunks;

    /** Those of {@link #allocate(PhysicalRequest)}; the same as {@link #blocks} without slabs. */
    private final CheckedBlocks requestedBlocks;

    /** Whether there has ever been one of those: who needs none does not look for them. */
    private volatile boolean requests;

    private final AllocatorGuard guard;

    private final OperatingSystem os;

    /** Those of this allocator and of its children. */
    private final List<Consumer<Pressure>> pressureListeners;

    /** The settings of children. */
    private final Builder settings;

    /** Referred to weakly by the budget. */
    private final Budget.Holder idle;

    /**
     * Creates an allocator with slabs and pages of its own.
     *
     * @param settings settings that do not change any more
     * @param budget the budget to charge
     * @param pressureListeners the listeners of the budget
     */
    private PhysicalAllocator(
            OperatingSystem os,
            Builder settings,
            Budget budget,
            List<Consumer<Pressure>> pressureListeners) {
        String tag = settings.tag;
        Tracker tracker = new Tracker(tag, settings.tracking, settings.leakListeners);
        AllocatorGuard guard = new AllocatorGuard(tracker, pressureListeners);
        AllocatorGuard.Counting counting = guard.counting();
        EventRecorder recorder = new EventRecorder(tag);
        PhysicalRequest request = settings.request;
        Frames frames =
                new Frames(
                        os,
                        tag,
                        settings.pageMap,
                        new FrameListener(
                                with(recorder::mapped, counting(settings.mapped, counting, 1)),
                                with(recorder::unmapped, counting(settings.unmapped, counting, -1)),
                                with(recorder::drifted, settings.drifted),
                                with(recorder::lost, settings.lost),
                                !settings.mapped.isEmpty()),
                        budget);
        settings.verifyPeriod.ifPresent(frames::verifyEvery);
        FrameBlocks source = new FrameBlocks(frames, request);
        HighWater capacity = new HighWater();
        LiveBlocks requested = new LiveBlocks(tag, source, capacity);
        long lockable =
                request.least().contains(Guarantee.LOCKED)
                        ? frames.lockableBytes()
                        : Long.MAX_VALUE;
        boolean wholePages = request.contiguous() || request.guarded() || request.alignment() > 1;
        Blocks served = requested;
        FrameChunks chunks = null;
        if (!wholePages && lockable >= LEAST_LOCKABLE_FOR_SLABS) {
            chunks = new FrameChunks(frames, request);
            SlabHeap heap =
                    new SlabHeap(
                            settings(tag, Math.min(lockable, budget.leastLimit())),
                            chunks,
                            capacity,
                            recorder.ofHeapWithoutChunks());
            frames.map().onWithdrawal(heap::withdraw);
            served = heap;
        }
        List<Blocks> all = served == requested ? List.of(requested) : List.of(served, requested);
        Registration registration = Registration.open(tag, frames, all);
        CheckedBlocks requestedBlocks =
                new CheckedBlocks(
                        tag, requested, request.least(), frames, tracker, registration, guard);
        CheckedBlocks blocks =
                served == requested
                        ? requestedBlocks
                        : new CheckedBlocks(
                                tag,
                                served,
                                request.least(),
                                frames,
                                new Tracker(tag, settings.tracking, settings.leakListeners),
                                registration,
                                guard);
        super(blocks, budget);
        this.os = os;
        this.settings = settings;
        this.pressureListeners = pressureListeners;
        this.guard = guard;
        this.frames = frames;
        this.source = source;
        this.requested = requested;
        this.chunks = chunks;
        this.requestedBlocks = requestedBlocks;
        this.idle = new Idle(frames, blocks);
        budget.setHolder(idle);
        if (!settings.hasSlabListeners()) {
            guard.guard(reclaiming(budget, all, chunks, frames));
        }
    }

    /** The idle memory that can be released: of the heap, and pages without use. */
    private record Idle(Frames frames, CheckedBlocks blocks) implements Budget.Holder {

        @Override
        public void releaseIdle() {
            blocks.releaseIdle();
            frames.trim();
        }

        @Override
        public Counters estimate() {
            return blocks.estimate();
        }
    }

    /** Refers to the memory, and to nothing that is guarded. */
    private static Runnable reclaiming(
            Budget budget, List<Blocks> all, @Nullable FrameChunks chunks, Frames frames) {
        return () -> {
            budget.end();
            all.forEach(Blocks::reclaimUnreachable);
            closeReserve(chunks);
            frames.close();
        };
    }

    private static void closeReserve(@Nullable FrameChunks chunks) {
        if (chunks != null) {
            chunks.closeReserve();
        }
    }

    /** Listeners, and last of them one that counts what would stay locked. */
    private static List<Consumer<PhysicalSlab>> counting(
            List<Consumer<PhysicalSlab>> listeners, AllocatorGuard.Counting counting, int sign) {
        return with(slab -> counting.accept(sign * slab.memory().byteSize()), listeners);
    }

    /** Appends a listener, which receives a slab only if no other has refused it. */
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
     * Creates an allocator, tagged {@code physical}.
     *
     * @return an allocator that the caller closes
     * @throws IllegalCallerException if native access is denied; the message names the flag to add
     */
    public static PhysicalAllocator create() {
        return builder().build();
    }

    /**
     * Returns a builder of an allocator.
     *
     * @return a builder with the defaults
     */
    public static Builder builder() {
        Platform.requireHeadroom(); // a setting is read from system properties
        return new Builder();
    }

    // ---- memory ahead of use ------------------------------------------------------------------

    /**
     * Keeps memory prepared: from now until it is closed, this allocator holds at least that many
     * bytes in slabs of 2 MiB, in use or not. {@link #allocate(long, long)}, boxes and arenas make
     * no system call while such memory is unused, and {@link #trim} does not release it. It is
     * charged to the limit of this allocator. Blocks that are too large for such a slab, and those
     * by {@linkplain #allocate(PhysicalRequest) request}, are not taken from it.
     *
     * <p>Call it before the first allocation: slabs of other sizes, as an allocator without a
     * reserve makes them, do not count. It takes as long as populating and locking that memory.
     *
     * @param bytes the bytes to hold, rounded up to 2 MiB; less than before releases the surplus
     *     that is unused
     * @throws IllegalArgumentException if {@code bytes} is negative
     * @throws IllegalStateException if this allocator is closed, or has no slabs: its request is
     *     contiguous, guarded or aligned, or the process may lock less than 1 MiB
     * @throws AllocationException if there is not as much memory; what was reserved before stays
     */
    public void reserve(long bytes) {
        if (bytes < 0) {
            throw new IllegalArgumentException("bytes=" + bytes + " must not be negative");
        }
        blocks.requireOpen();
        if (chunks == null) {
            throw new IllegalStateException(
                    this
                            + " has no slabs, each block has pages of its own: use a request that"
                            + " is neither contiguous, guarded nor aligned, and raise ulimit -l");
        }
        try {
            chunks.reserve(bytes, new IdleMemory());
        } catch (Refusal e) {
            throw requestedBlocks.explained(e, bytes, 1);
        }
    }

    // ---- blocks by request --------------------------------------------------------------------

    /**
     * Allocates a raw block of whole pages that fulfils a request. Its contents are undefined.
     * {@link #free} frees it; {@link #reallocate} keeps to the request.
     *
     * <p>It takes system calls, unless a contiguous block is found in pages left by an earlier one.
     *
     * @param request the requirements
     * @return a segment of the request's size, which lives until it is freed
     * @throws AllocationException if the request cannot be fulfilled; the message states for each
     *     backing why not, what was found instead and the remedy
     * @throws IllegalStateException if this allocator is closed
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
            source.release(block); // closed in between, or the Java heap is exhausted
            throw e;
        }
        if (requested.isClosed()) {
            requestedBlocks.free(segment);
            requestedBlocks.requireOpen();
        }
        return segment;
    }

    private Block obtain(PhysicalRequest request) {
        try {
            return source.obtain(request, false, new IdleMemory());
        } catch (Refusal e) {
            throw requestedBlocks.explained(e, request.size(), request.alignment());
        }
    }

    /** The idle memory of this allocator, released for one request. */
    private final class IdleMemory implements Retry.Remedy {

        private boolean trimmed;

        /** Trims once, unless a limit was exceeded, whose remedies include that. */
        @Override
        public boolean apply(Refusal refusal) {
            if (trimmed || refusal instanceof Refusal.OverBudget) {
                return false;
            }
            trimmed = true;
            trim();
            return true;
        }
    }

    // ---- memory of others -----------------------------------------------------------------------

    /**
     * Locks, pins and resolves memory that the program or a library has mapped, in place: of an
     * {@code mmap}, a file or an arena. Its pages are populated first, and each gets a frame of its
     * own; pages of a shared mapping are those of all who map it. Pages of the huge page pool are
     * locked as they are. The memory is not charged to this allocator, which does not release it.
     *
     * <p>Of the request, the guarantees count, that it is contiguous with alignment, window and
     * boundary, and a node that is required; the memory must meet them already, except for lock and
     * pin. Its size, and how pages are obtained, is not looked at. Whether a child made by fork(2)
     * has the memory, and whether it is merged or dumped, stays as its owner decided: such pages
     * move if they are not pinned.
     *
     * @param memory writable native memory that begins and ends at pages, and is not this
     *     allocator's
     * @param request the requirements
     * @return the adopted memory, to be closed before the memory is unmapped
     * @throws AllocationException if the memory does not meet the request, or may not be locked or
     *     pinned; it is populated then, and otherwise as before
     * @throws IllegalArgumentException if the memory is not as above, or the request is guarded
     * @throws IllegalStateException if this allocator or the memory is closed, before this returns
     * @throws WrongThreadException if the memory is confined to another thread
     */
    public AdoptedMemory adopt(MemorySegment memory, PhysicalRequest request) {
        blocks.requireOpen();
        long address = addressOfLive(memory);
        long bytes = bytesOf(memory);
        AdoptedMemory.requireAccessible(memory);
        long pageBytes = os.pageBytes();
        if (memory.isReadOnly()
                || request.guarded()
                || !Alignment.isAligned(address | bytes, pageBytes)
                || frames.map().overlaps(address, bytes)) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "memory=%s guarded=%s pageBytes=%d: memory that is adopted is writable,"
                                    + " begins and ends at pages, is not this allocator's, and has"
                                    + " no guards",
                            memory,
                            request.guarded(),
                            pageBytes));
        }
        Adoption adoption;
        try {
            adoption = frames.adopt(memory, request);
        } catch (Refusal e) {
            throw requestedBlocks.explained(e, bytes, 1);
        }
        try {
            addressOfLive(memory); // another thread may have closed its arena meanwhile
            blocks.requireOpen(); // or this allocator
            return new AdoptedMemory(this, memory, adoption);
        } catch (RuntimeException | Error e) {
            adoption.end();
            throw e;
        }
    }

    // ---- physical addresses --------------------------------------------------------------------

    /**
     * Returns the physical address of the first byte of a segment, as resolved when its slab was
     * prepared. Does not enter the kernel.
     *
     * @param segment memory of a live block of this allocator, or a slice of it; at least one byte
     * @return the address
     * @throws PhysicalAddressException if the address is unknown, with the reason
     * @throws IllegalArgumentException if the segment is empty, or not memory of this allocator; a
     *     freed block is detected only once its slab is released
     * @throws IllegalStateException if the segment's box or arena is closed
     */
    public PhysicalAddress addressOf(MemorySegment segment) {
        return frames.map().addressOf(addressOfLive(segment), bytesOf(segment));
    }

    /**
     * Returns the physical address of a byte of a segment, as {@link #addressOf(MemorySegment)}.
     *
     * @param segment memory of a live block of this allocator, or a slice of it
     * @param offset the offset of the byte
     * @return the address
     * @throws PhysicalAddressException if the address is unknown, with the reason
     * @throws IndexOutOfBoundsException if the offset is outside the segment
     * @throws IllegalArgumentException if the segment is not memory of this allocator
     * @throws IllegalStateException if the segment's box or arena is closed
     */
    public PhysicalAddress addressOf(MemorySegment segment, long offset) {
        long address = addressOfLive(segment);
        return frames.map().addressOf(address + Objects.checkIndex(offset, segment.byteSize()), 1);
    }

    /**
     * Returns the physical location of a segment, in its order; adjoining pieces are merged.
     *
     * @param segment memory of a live block of this allocator, or a slice of it
     * @return at least one extent, unless the segment is empty
     * @throws PhysicalAddressException if a byte's address is unknown, with the reason
     * @throws IllegalArgumentException if the segment is not memory of this allocator
     * @throws IllegalStateException if the segment's box or arena is closed
     */
    public List<PhysicalExtent> extents(MemorySegment segment) {
        return extents(segment, Long.MAX_VALUE, 0);
    }

    /**
     * Returns the physical location of a segment as a device needs it: split into pieces that are
     * not too long and do not cross a boundary.
     *
     * @param segment memory of a live block of this allocator, or a slice of it
     * @param longest the maximum size of a piece in bytes, at least 1
     * @param boundary a power of two, of which no multiple is between two bytes of a piece; 0 for
     *     none
     * @return at least one extent, unless the segment is empty
     * @throws PhysicalAddressException if a byte's address is unknown, with the reason
     * @throws IllegalArgumentException if the segment is not memory of this allocator, or {@code
     *     longest} or {@code boundary} is not as above
     * @throws IllegalStateException if the segment's box or arena is closed
     */
    public List<PhysicalExtent> extents(MemorySegment segment, long longest, long boundary) {
        FrameChecks.requirePieces(longest, boundary);
        long address = addressOfLive(segment);
        return segment.byteSize() == 0
                ? List.of() // at its address another block may begin
                : frames.map().extents(address, segment.byteSize(), longest, boundary);
    }

    /**
     * Visits the physical location of a segment, split as by {@link #extents(MemorySegment, long,
     * long)}, without creating an object for each piece.
     *
     * @param segment memory of a live block of this allocator, or a slice of it
     * @param longest the maximum size of a piece in bytes, at least 1
     * @param boundary a power of two, of which no multiple is between two bytes of a piece; 0 for
     *     none
     * @param visitor receives each extent, in the order of the segment; none if the segment is
     *     empty. Its exceptions end the visit and are passed on
     * @throws PhysicalAddressException if a byte's address is unknown, with the reason; before any
     *     extent is visited
     * @throws IllegalArgumentException if the segment is not memory of this allocator, or {@code
     *     longest} or {@code boundary} is not as above
     * @throws IllegalStateException if the segment's box or arena is closed
     */
    public void extents(MemorySegment segment, long longest, long boundary, ExtentVisitor visitor) {
        FrameChecks.requirePieces(longest, boundary);
        Objects.requireNonNull(visitor, "visitor");
        long address = addressOfLive(segment);
        if (segment.byteSize() > 0) {
            frames.map().extents(address, segment.byteSize(), longest, boundary, visitor);
        }
    }

    /**
     * Returns the virtual address of the byte of this allocator that is at a physical address, in
     * constant time: by a table that the first call builds, of 32 to 64 bytes for each huge page or
     * base page.
     *
     * @param address a physical address, as of {@link #addressOf(MemorySegment)}
     * @return the address, as of {@link MemorySegment#address}; empty if no slab of this allocator
     *     has it
     */
    public OptionalLong virtualAddressOf(PhysicalAddress address) {
        return frames.map().virtualAddressOf(address.value());
    }

    /**
     * Returns the NUMA node of the page of a segment's first byte, as the system reports it now.
     *
     * @param segment memory of a live block of this allocator, or a slice of it; at least one byte
     * @return the number of the node; empty if the system does not report it
     * @throws IllegalArgumentException if the segment is empty, or not memory of this allocator
     * @throws IllegalStateException if the segment's box or arena is closed
     */
    public OptionalInt node(MemorySegment segment) {
        return frames.map().nodeOf(addressOfLive(segment), bytesOf(segment));
    }

    /**
     * Returns the kernel's present report on the page frame of a segment's first byte: its address
     * from a fresh reading of the page map, its flags and its mappings from {@code
     * /proc/kpageflags} and {@code /proc/kpagecount}. Takes a few microseconds.
     *
     * @param segment memory of a live block of this allocator, or a slice of it; at least one byte
     * @return the report
     * @throws PhysicalAddressException if the page map or the frame's records are not readable
     * @throws IllegalArgumentException if the segment is empty, or not memory of this allocator
     * @throws IllegalStateException if the segment's box or arena is closed
     */
    public FrameReport inspect(MemorySegment segment) {
        return frames.map().inspect(addressOfLive(segment), bytesOf(segment));
    }

    // ---- guarantees ----------------------------------------------------------------------------

    /**
     * Returns the guarantees of the pages of a segment: those requested, or more, without those
     * that {@link #verify} has found lost.
     *
     * @param segment memory of a live block of this allocator, or a slice of it; at least one byte
     * @return the guarantees of its block
     * @throws IllegalArgumentException if the segment is empty, or not memory of this allocator
     * @throws IllegalStateException if the segment's box or arena is closed
     */
    public Set<Guarantee> guarantee(MemorySegment segment) {
        return frames.map().guarantees(addressOfLive(segment), bytesOf(segment));
    }

    /**
     * Returns which backing served a segment, and why no better one did.
     *
     * @param segment memory of a live block of this allocator, or a slice of it; at least one byte
     * @return the backing, and those declined
     * @throws IllegalArgumentException if the segment is empty, or not memory of this allocator
     * @throws IllegalStateException if the segment's box or arena is closed
     */
    public Provenance provenance(MemorySegment segment) {
        return frames.map().provenance(addressOfLive(segment), bytesOf(segment));
    }

    /**
     * Audits all memory of this allocator: reads the page map again and compares, and checks that
     * every guarantee holds. {@link Guarantee#LOCKED} is read from the flags of frames or of
     * mappings, {@link Guarantee#HUGE} from the page map, {@link Guarantee#PINNED} from the
     * kernel's count of pinned bytes and from the io_uring that holds the pins, {@link
     * Guarantee#CONTIGUOUS} from the frames.
     *
     * <p>It takes some 40 ns per base page, less in huge ones. If the records of frames are
     * readable, as by root, frames that no longer belong to the page are also detected, for 0.3 µs
     * per page and more. If they are not, and memory is locked, the process's mappings are read
     * once, which takes milliseconds. Changed addresses are used from then on, and {@linkplain
     * Builder#onDrift listeners} receive each. A lost guarantee stays lost: {@link #guarantee} no
     * longer names it, each verification does, and {@linkplain Builder#onGuaranteeLost listeners}
     * receive it once.
     *
     * @return the findings; {@link Verification.Verdict#NOT_VERIFIABLE} without the right to see
     *     frames, unless a guarantee was lost
     * @throws PhysicalAddressException of reason {@link PhysicalAddressException.Reason#MOVED} if a
     *     page has moved that was {@link Guarantee#PINNED} until now
     */
    public Verification verify() {
        return FrameChecks.requirePinned(frames.map().verify());
    }

    /**
     * Audits the slab of a segment, as {@link #verify()}.
     *
     * @param segment memory of a live block of this allocator, or a slice of it; at least one byte
     * @return the findings
     * @throws PhysicalAddressException of reason {@link PhysicalAddressException.Reason#MOVED} if a
     *     page has moved that was {@link Guarantee#PINNED}
     * @throws IllegalArgumentException if the segment is empty, or not memory of this allocator
     * @throws IllegalStateException if the segment's box or arena is closed
     */
    public Verification verify(MemorySegment segment) {
        return FrameChecks.requirePinned(
                frames.map().verify(addressOfLive(segment), bytesOf(segment)));
    }

    // ---- two kinds of blocks ------------------------------------------------------------------

    @Override
    public void free(MemorySegment block) {
        blocksWith(block).free(block);
    }

    @Override
    public MemorySegment reallocate(MemorySegment block, long byteSize, long byteAlignment) {
        return blocksWith(block).reallocate(block, byteSize, byteAlignment);
    }

    @Override
    public long usableSize(MemorySegment block) {
        return blocksWith(block).usableSize(block);
    }

    @Override
    CheckedBlocks blocksWith(MemorySegment block) {
        return requests && frames.map().isOutsideEngine(block.address()) ? requestedBlocks : blocks;
    }

    @Override
    public void trim() {
        blocks.trim();
        requestedBlocks.trim();
    }

    @Override
    public List<LiveBlocksException.Group> liveGroups() {
        List<LiveBlocksException.Group> groups = new ArrayList<>(super.liveGroups());
        groups.addAll(requestedBlocks.tracker().alive());
        groups.sort(Comparator.comparingLong(LiveBlocksException.Group::bytes).reversed());
        return groups;
    }

    @Override
    public void tracking(Tracking level) {
        blocks.tracking(level);
        requestedBlocks.tracking(level);
    }

    /**
     * {@inheritDoc}
     *
     * <p>The child opens the page map itself, unless the builder was given one: if it is created
     * after the process dropped its rights, it does not see physical addresses.
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
        closeReserve(chunks);
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

    private static long addressOfLive(MemorySegment segment) {
        if (!segment.isNative()) {
            throw new IllegalArgumentException(
                    segment + " is in the Java heap: it has no physical address of its own");
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

    /** A builder of a {@link PhysicalAllocator}, for one thread at a time. */
    public static final class Builder extends Settings<Builder> {

        private PhysicalRequest request = PhysicalRequest.DEFAULT;
        private OptionalInt pageMap = OptionalInt.empty();
        private Optional<Duration> verifyPeriod = Optional.empty();
        private final List<Consumer<PhysicalSlab>> mapped = new ArrayList<>();
        private final List<Consumer<PhysicalSlab>> unmapped = new ArrayList<>();
        private final List<Consumer<Drift>> drifted = new ArrayList<>();
        private final List<Consumer<LostGuarantee>> lost = new ArrayList<>();

        private Builder() {
            super("physical");
        }

        private boolean hasSlabListeners() {
            return !(mapped.isEmpty() && unmapped.isEmpty() && drifted.isEmpty() && lost.isEmpty());
        }

        private Builder(Builder other) {
            super(other);
            this.request = other.request;
            this.pageMap = other.pageMap;
            this.verifyPeriod = other.verifyPeriod;
            this.mapped.addAll(other.mapped);
            this.unmapped.addAll(other.unmapped);
            this.drifted.addAll(other.drifted);
            this.lost.addAll(other.lost);
        }

        @Override
        Builder self() {
            return this;
        }

        /**
         * Sets the request for blocks of {@link #allocate(long, long)}, boxes and arenas; {@link
         * PhysicalRequest#DEFAULT} by default. If it is contiguous, guarded or aligned, every block
         * has pages of its own; otherwise blocks are cut from slabs.
         *
         * @param request a request of any size
         * @return this builder
         */
        public Builder request(PhysicalRequest request) {
            this.request = Objects.requireNonNull(request, "request");
            return this;
        }

        /**
         * Sets a page map of this process that was opened with the right to see frames, for a
         * process without the right: the kernel checks the rights of the process that opened it. By
         * default the allocator opens one when it is created, so a process may also drop its rights
         * after that.
         *
         * @param fileDescriptor a descriptor of {@code /proc/<this process>/pagemap}; the caller
         *     closes it after the allocator
         * @return this builder
         * @throws IllegalArgumentException if it is negative
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
         * Adds a listener that receives each slab before a block is cut from it, for example to
         * register it with a device or a driver. The slab is locked and pinned then, and its
         * extents are known if the process sees frames. If a registration moves pages that are not
         * pinned, as one that pins them may, {@link #onDrift} listeners receive each before a block
         * is handed out, and {@link PhysicalAllocator#addressOf} returns the new address. It runs
         * on the thread that allocates, and must not use this allocator. Its exceptions end that
         * request, and the slab with it, which {@link #onSlabUnmapped} listeners receive then.
         *
         * @param listener the listener to add
         * @return this builder
         */
        public Builder onSlabMapped(Consumer<PhysicalSlab> listener) {
            mapped.add(Objects.requireNonNull(listener, "listener"));
            return this;
        }

        /**
         * Adds a listener that receives each slab before its memory is released. It runs on any
         * thread, including those of the library, and must not use this allocator. Its exceptions
         * are logged.
         *
         * @param listener the listener to add
         * @return this builder
         */
        public Builder onSlabUnmapped(Consumer<PhysicalSlab> listener) {
            unmapped.add(Objects.requireNonNull(listener, "listener"));
            return this;
        }

        /**
         * Adds a listener that receives each page that {@link PhysicalAllocator#verify} finds at
         * another address. Its exceptions are logged.
         *
         * @param listener the listener to add
         * @return this builder
         */
        public Builder onDrift(Consumer<Drift> listener) {
            drifted.add(Objects.requireNonNull(listener, "listener"));
            return this;
        }

        /**
         * Adds a listener that receives once each guarantee that {@link PhysicalAllocator#verify}
         * finds lost. It runs on the thread that verifies. Its exceptions are logged.
         *
         * @param listener the listener to add
         * @return this builder
         */
        public Builder onGuaranteeLost(Consumer<LostGuarantee> listener) {
            lost.add(Objects.requireNonNull(listener, "listener"));
            return this;
        }

        /**
         * Runs {@link PhysicalAllocator#verify} periodically on a thread of the library, {@code
         * kernel-alloc-verify}, which exists while the allocator has slabs. Listeners of {@link
         * #onDrift} run on that thread and receive its findings, pinned pages included.
         *
         * @param period the time from the end of one verification to the start of the next
         * @return this builder
         * @throws IllegalArgumentException if it is not positive
         */
        public Builder verifyEvery(Duration period) {
            if (!period.isPositive()) {
                throw new IllegalArgumentException("period=" + period + " must be positive");
            }
            this.verifyPeriod = Optional.of(period);
            return this;
        }

        /**
         * Creates an allocator.
         *
         * @return an allocator that the caller closes
         * @throws IllegalCallerException if native access is denied; the message names the flag to
         *     add
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
