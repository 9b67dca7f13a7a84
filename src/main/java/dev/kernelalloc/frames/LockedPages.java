package dev.kernelalloc.frames;

import dev.kernelalloc.frames.PageRun.Place;
import dev.kernelalloc.heap.Block;
import dev.kernelalloc.heap.BlockSource;
import dev.kernelalloc.os.CallState;
import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.OperatingSystem.Advice;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.FrameFlag;
import dev.kernelalloc.physical.FrameReport;
import dev.kernelalloc.physical.PhysicalAddress;
import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.physical.PhysicalAddressException.Reason;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.EnumSet;
import java.util.Map;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Whole pages as a source of blocks: each block a mapping of its own, locked before it is handed
 * out, and resolved once.
 *
 * <p>The order in which pages are prepared matters. Advice first, because it changes what a fork or
 * a merge may do to pages that exist; then the lock, because the kernel checks its limit before it
 * populates anything; then an explicit write fault, so that no page shares the page of zeros; and
 * the page map last, because everything before may give a page another frame.
 */
public final class LockedPages implements BlockSource {

    /** After this many bytes the machine is looked at again, whether it has more. */
    private static final long CHECKED_BYTES = 16L << 20;

    /** All runs of the process: the kernel limits its mappings, and the JVM needs some itself. */
    private static final AtomicLong LIVE_RUNS = new AtomicLong();

    private final OperatingSystem os;
    private final PhysicalAddress.Scope scope;
    private final long maxRuns;
    private final ConcurrentSkipListMap<Long, PageRun> runs = new ConcurrentSkipListMap<>();
    private final AtomicLong uncheckedBytes = new AtomicLong();

    private record Reservation(long address, long bytes) {}

    /**
     * What the system refused to take back, for want of mappings: tried again at every occasion.
     */
    private final Queue<Reservation> unreleased = new ConcurrentLinkedQueue<>();

    /** A source of no pages yet. */
    public LockedPages(OperatingSystem os) {
        this.os = os;
        this.maxRuns = os.maxMappings() / 2;
        this.scope =
                switch (os.machine()) {
                    case PHYSICAL -> PhysicalAddress.Scope.HOST;
                    case VIRTUAL -> PhysicalAddress.Scope.GUEST;
                    case UNKNOWN -> PhysicalAddress.Scope.UNKNOWN;
                };
    }

    @Override
    public Block obtain(long bytes, long alignment, boolean zeroed) throws Refusal {
        trim();
        long capacity = pagesFor(bytes);
        requireAvailable(capacity);
        takeRun();
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment callState = scratch.allocate(CallState.LAYOUT);
            long address = os.reserve(capacity, Math.max(alignment, os.pageBytes()), callState);
            try {
                os.commit(address, capacity, callState);
                advise(address, capacity, callState);
                os.lock(address, capacity, callState);
                os.populate(address, capacity, callState);
                Place place = resolve(address, capacity, callState);
                runs.put(address, new PageRun(address, capacity, place));
                return new Block(address, bytes, capacity, Block.Origin.PAGES);
            } catch (Refusal | RuntimeException | Error e) {
                runs.remove(address);
                release(new Reservation(address, capacity), callState);
                throw e;
            }
        } catch (Refusal | RuntimeException | Error e) {
            LIVE_RUNS.decrementAndGet();
            throw e;
        }
    }

    /** In place where the same pages do; otherwise a new block and a copy. */
    @Override
    public Optional<Block> resize(Block block, long bytes, long alignment) throws Refusal {
        boolean samePlace =
                pagesFor(bytes) == block.capacityBytes()
                        && (block.address() & (alignment - 1)) == 0;
        return samePlace
                ? Optional.of(
                        new Block(block.address(), bytes, block.capacityBytes(), block.origin()))
                : Optional.empty();
    }

    @Override
    public void giveBack(Block block) {
        // Out of the table first: once unmapped, the address may be another thread's.
        runs.remove(block.address());
        LIVE_RUNS.decrementAndGet();
        try (Arena scratch = Arena.ofConfined()) {
            release(
                    new Reservation(block.address(), block.capacityBytes()),
                    scratch.allocate(CallState.LAYOUT));
        }
    }

    /** Tries again to give back what the system has refused to take. */
    @Override
    public void trim() {
        if (unreleased.isEmpty()) {
            return;
        }
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment callState = scratch.allocate(CallState.LAYOUT);
            for (int left = unreleased.size(); left > 0; left--) {
                Reservation reservation = unreleased.poll();
                if (reservation != null) {
                    release(reservation, callState);
                }
            }
        }
    }

    /**
     * Where a byte lies, as resolved when its page was obtained; does not enter the kernel.
     *
     * @param address of the byte
     * @param bytes that must lie in the same run of pages, at least 1
     * @throws PhysicalAddressException when that is not known
     * @throws IllegalArgumentException when these pages did not come from here
     */
    public PhysicalAddress addressOf(long address, long bytes) {
        PageRun run = runOf(address, bytes);
        return switch (run.place()) {
            case Place.Resolved(long[] entries) -> {
                int page = Math.toIntExact((address - run.address()) / os.pageBytes());
                yield physicalAddress(entries[page], address);
            }
            case Place.Unreadable(Refusal why) -> throw unknown(why);
        };
    }

    /**
     * What the kernel says of the frame of a byte now.
     *
     * @throws PhysicalAddressException when the page map or the frame's records cannot be read
     * @throws IllegalArgumentException when the byte's page did not come from here
     */
    public FrameReport inspect(long address, long bytes) {
        runOf(address, bytes);
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment callState = scratch.allocate(CallState.LAYOUT);
            MemorySegment answer = scratch.allocate(ValueLayout.JAVA_LONG);
            os.readPageMap(address, answer, callState);
            long entry = zeroPageMarked(answer.get(ValueLayout.JAVA_LONG, 0), callState);
            PhysicalAddress page = physicalAddress(entry, pageOf(address));
            long frame = page.value() / os.pageBytes();
            Set<FrameFlag> flags = flagsOf(frame, callState);
            os.readFrameCounts(frame, answer, callState);
            return new FrameReport(page, flags, answer.get(ValueLayout.JAVA_LONG, 0));
        } catch (Refusal e) {
            throw unknown(e);
        }
    }

    /** Fails unless all those bytes, at least 1, came from here as one block. */
    public void requireOwn(long address, long bytes) {
        runOf(address, bytes);
    }

    private void release(Reservation reservation, MemorySegment callState) {
        try {
            os.release(reservation.address, reservation.bytes, callState);
        } catch (Refusal e) {
            unreleased.add(reservation);
        }
    }

    private void takeRun() throws Refusal {
        long live = LIVE_RUNS.incrementAndGet();
        if (live > maxRuns) {
            LIVE_RUNS.decrementAndGet();
            throw new Refusal.OutOfMemory(
                    ("this process has %d blocks of pages, each a mapping, and the kernel allows it"
                         + " %d mappings, of which the JVM needs some: use fewer and larger blocks,"
                         + " or raise sysctl vm.max_map_count")
                            .formatted(live - 1, os.maxMappings()));
        }
    }

    private long pagesFor(long bytes) throws Refusal {
        long page = os.pageBytes();
        if (bytes > Long.MAX_VALUE - page) {
            throw new Refusal.OutOfMemory(
                    "%d bytes in pages of %d bytes: more than can be addressed"
                            .formatted(bytes, page));
        }
        return Math.ceilDiv(Math.max(1, bytes), page) * page;
    }

    private void requireAvailable(long bytes) throws Refusal {
        if (uncheckedBytes.addAndGet(bytes) < CHECKED_BYTES) {
            return;
        }
        uncheckedBytes.set(0);
        long available = os.availableBytes();
        if (bytes > available - CHECKED_BYTES) {
            throw new Refusal.OutOfMemory(
                    ("%d bytes of locked memory: the machine has about %d bytes left, and locking"
                         + " them would end a process. Ask for less, or free memory first")
                            .formatted(bytes, available));
        }
    }

    private void advise(long address, long bytes, MemorySegment callState) throws Refusal {
        for (Advice advice : new Advice[] {Advice.DONT_FORK, Advice.DONT_MERGE}) {
            try {
                os.advise(address, bytes, advice, callState);
            } catch (Refusal.NotSupported _) {
                // A system without the feature does not do what the advice forbids.
            }
        }
    }

    private Place resolve(long address, long bytes, MemorySegment callState) {
        try (Arena scratch = Arena.ofConfined()) {
            long pages = bytes / os.pageBytes();
            MemorySegment read = scratch.allocate(ValueLayout.JAVA_LONG, pages);
            os.readPageMap(address, read, callState);
            long[] entries = read.toArray(ValueLayout.JAVA_LONG);
            for (int i = 0; i < entries.length; i++) {
                entries[i] = zeroPageMarked(entries[i], callState);
            }
            return new Place.Resolved(entries);
        } catch (Refusal e) {
            return new Place.Unreadable(e);
        }
    }

    /** An entry whose frame is not the page's own is marked when that is the page of zeros. */
    private long zeroPageMarked(long entry, MemorySegment callState) {
        if (!PageMapEntry.isShared(entry)) {
            return entry;
        }
        try {
            Set<FrameFlag> flags = flagsOf(entry & PageMapEntry.FRAME_MASK, callState);
            return flags.contains(FrameFlag.ZERO_PAGE) ? entry | PageMapEntry.ZERO_PAGE : entry;
        } catch (Refusal e) {
            return entry; // shared it is, with whom cannot be seen
        }
    }

    private Set<FrameFlag> flagsOf(long frame, MemorySegment callState) throws Refusal {
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment bits = scratch.allocate(ValueLayout.JAVA_LONG);
            os.readFrameFlags(frame, bits, callState);
            return flags(bits.get(ValueLayout.JAVA_LONG, 0));
        }
    }

    private PageRun runOf(long address, long bytes) {
        Map.Entry<Long, PageRun> below = runs.floorEntry(address);
        if (below == null || !below.getValue().covers(address, bytes)) {
            throw new IllegalArgumentException(
                    "%d bytes at 0x%x are not memory of this allocator".formatted(bytes, address));
        }
        return below.getValue();
    }

    private PhysicalAddress physicalAddress(long entry, long address) {
        long frame = PageMapEntry.frame(entry, pageOf(address));
        return new PhysicalAddress(frame * os.pageBytes() + (address - pageOf(address)), scope);
    }

    private long pageOf(long address) {
        return address & -os.pageBytes();
    }

    private static Set<FrameFlag> flags(long bits) {
        Set<FrameFlag> flags = EnumSet.noneOf(FrameFlag.class);
        for (FrameFlag flag : FrameFlag.values()) {
            if ((bits >>> flag.bit() & 1) != 0) {
                flags.add(flag);
            }
        }
        return flags;
    }

    private static PhysicalAddressException unknown(Refusal why) {
        Reason reason = why instanceof Refusal.NotSupported ? Reason.NOT_SUPPORTED : Reason.HIDDEN;
        return new PhysicalAddressException(reason, "no physical address: " + why.getMessage());
    }
}
