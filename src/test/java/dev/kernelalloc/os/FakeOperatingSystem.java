package dev.kernelalloc.os;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.IntPredicate;
import java.util.function.Supplier;
import java.util.stream.Stream;

/**
 * An operating system for tests: its memory is real, everything else is simulated and can be set.
 *
 * <ul>
 *   <li>Blocks and pages come from {@link Platform#current()}, so they can be read and written.
 *   <li>Locks are counted and limited by {@link #lockLimit}, without locking anything.
 *   <li>A page gets a frame when it is populated or locked, numbered from {@link #nextFrame} on;
 *       writing to it does not show. The page map entry then says present, exclusive, frame number.
 *   <li>Giving back what is not live, committing outside a reservation and the like are mistakes of
 *       the caller: {@link IllegalStateException}.
 *   <li>Every 2 MiB that are advised {@code HUGE_PAGES} before they are populated as a whole, or
 *       collapsed, are huge: their frames count up from a multiple of 512. There are as many as
 *       {@link #transparentHugePages}, and in the pool as many as {@link #poolPages}.
 *   <li>Pins and kernel regions are counted; {@link #pinnedBytes} and {@link #liveReservations}.
 *   <li>{@link #refuse} makes any call fail, always or the nth time, before it has any effect.
 *       {@link #move} alone has one, as Linux may: a hole where the pages were to go, which is not
 *       the caller's any more.
 *   <li>{@link #calls} tells what was called; {@link #assertNothingLeaked} that all came back.
 * </ul>
 *
 * <p>Safe for use by several threads; each call is atomic.
 */
public final class FakeOperatingSystem implements OperatingSystem {

    /**
     * A method of {@link OperatingSystem}; {@code free} and {@code alignedFree} cannot be refused.
     */
    public enum Operation {
        MALLOC,
        CALLOC,
        REALLOC,
        ALIGNED_ALLOC,
        FREE,
        ALIGNED_FREE,
        RESERVE,
        RESERVE_HIDDEN,
        COMMIT,
        PROTECT,
        RELEASE,
        ADVISE,
        DISCARD,
        POPULATE,
        LOCK,
        UNLOCK,
        LOCK_BUDGET,
        AVAILABLE_BYTES,
        READ_PAGE_MAP,
        READ_FRAME_FLAGS,
        READ_FRAME_COUNTS,
        OPEN_PAGE_MAP,
        RESERVE_HUGE,
        MOVE,
        RELEASE_PART,
        KERNEL_REGION,
        COLLAPSE,
        HUGE_BYTES,
        BIND,
        NODE_OF,
        PIN,
        UNPIN,
        HELD_PINS,
        LOCKED_MAPPINGS,
        PIN_BUDGET;

        /** Returns the operations that can be refused. */
        public static Stream<Operation> refusable() {
            return Stream.of(values()).filter(Operation::isRefusable);
        }

        private boolean isRefusable() {
            return this != FREE && this != ALIGNED_FREE;
        }
    }

    /**
     * A call that was made, also when it was refused.
     *
     * @param operation the method
     * @param place its address or frame number; 0 where it has none
     * @param bytes its size; 0 where it has none
     */
    public record Call(Operation operation, long place, long bytes) {}

    /**
     * Pages that have a name.
     *
     * @param address of the first
     * @param bytes of all
     * @param text the name
     */
    public record Name(long address, long bytes, String text) {}

    /** The page map's bits that the simulation sets. */
    public static final long PRESENT = 1L << 63;

    public static final long EXCLUSIVE = 1L << 56;

    private static final long HUGE_PAGE_BYTES = 2 << 20;
    private static final long HUGE_FRAMES = 512;

    private final OperatingSystem memory = Platform.current();
    private final List<Call> calls = new ArrayList<>();
    private final Map<Operation, Refusing> refusing = new EnumMap<>(Operation.class);
    private final Map<Long, Long> blocks = new HashMap<>();
    private final TreeMap<Long, Long> alignedBlocks = new TreeMap<>();
    private final TreeMap<Long, Long> reservations = new TreeMap<>();
    private final Set<Long> committedPages = new HashSet<>();
    private final Set<Long> lockedPages = new HashSet<>();
    private final Map<Long, Long> pageMap = new HashMap<>();
    private final Map<Long, long[]> passing = new HashMap<>();
    private final Map<Long, Long> frameFlags = new HashMap<>();
    private final Map<Long, Long> frameCounts = new HashMap<>();
    private final Map<Long, Set<Advice>> advice = new HashMap<>();
    private long nextFrame = 0x1000;
    private long lockLimit = Long.MAX_VALUE;
    private long availableBytes = Long.MAX_VALUE;
    private long availableBytesOfNode = Long.MAX_VALUE;
    private long untouchedHeapBytes;
    private HugeAllowance hugeAllowance = HugeAllowance.ANY;
    private Machine machine = Machine.PHYSICAL;
    private long maxMappings = 65530;
    private final Set<Long> hugePages = new HashSet<>();
    private final Map<Integer, Long> pins = new HashMap<>();
    private List<MemoryGroup> memoryGroups = List.of();
    private long transparentHugePages = Long.MAX_VALUE;
    private long poolPages;
    private long pinLimit = Long.MAX_VALUE;
    private int node;
    private int nextPin;
    private int openPageMaps;
    private boolean namesPages;
    private int namings;
    private final TreeMap<Long, Name> names = new TreeMap<>();

    // ---- what a test sets ---------------------------------------------------------------------

    /** Refuses every such call from now on, until {@link #allow}. */
    public Refusing refuse(Operation operation) {
        return refuse(
                operation, () -> new Refusal.OutOfMemory(operation + ": refused by the test"));
    }

    /** The same with a refusal of the test's choice. */
    public synchronized Refusing refuse(Operation operation, Supplier<? extends Refusal> refusal) {
        if (!operation.isRefusable()) {
            throw new IllegalArgumentException(operation + " cannot be refused");
        }
        Refusing answer = new Refusing(refusal);
        refusing.put(operation, answer);
        return answer;
    }

    /** Ends {@link #refuse}. */
    public synchronized void allow(Operation operation) {
        refusing.remove(operation);
    }

    /** Ends every {@link #refuse}. */
    public synchronized void allowAll() {
        refusing.clear();
    }

    /** The most that may be locked, in bytes. */
    public synchronized void lockLimit(long bytes) {
        lockLimit = bytes;
    }

    /** The most that may be pinned, in bytes. */
    public synchronized void pinLimit(long bytes) {
        pinLimit = bytes;
    }

    /** How many transparent huge pages of 2 MiB can be had from now on. */
    public synchronized void transparentHugePages(long pages) {
        transparentHugePages = pages;
    }

    /** How many pages of 2 MiB the pool has left. */
    public synchronized void poolPages(long pages) {
        poolPages = pages;
    }

    /** Lets pages be named from now on; before, that is not supported. */
    public synchronized void nameable() {
        namesPages = true;
    }

    /** The names that pages have. */
    public synchronized List<Name> names() {
        return List.copyOf(names.values());
    }

    /** How often {@link #name(long, long, MemorySegment, MemorySegment)} was called. */
    public synchronized int namings() {
        return namings;
    }

    /** The answer of {@link #nodeOf} and the only node there is. */
    public synchronized void node(int number) {
        node = number;
    }

    /** The answer of {@link #memoryGroups(long)}. */
    public synchronized void memoryGroups(MemoryGroup... groups) {
        memoryGroups = List.of(groups);
    }

    /** The answer of {@link #availableBytes()}. */
    public synchronized void availableBytes(long bytes) {
        availableBytes = bytes;
    }

    /** The answer of {@link #availableBytesOfNode(int)}, for every node. */
    public synchronized void nodeHasLeft(long bytes) {
        availableBytesOfNode = bytes;
    }

    /** The answer of {@link #hugeAllowance(long)}. */
    public synchronized void hugeAllowance(HugeAllowance allowance) {
        hugeAllowance = allowance;
    }

    /** The answer of {@link #untouchedHeapBytes()}. */
    public synchronized void untouchedHeapBytes(long bytes) {
        untouchedHeapBytes = bytes;
    }

    /** The answer of {@link #machine()}. */
    public synchronized void machine(Machine answer) {
        machine = answer;
    }

    /** The answer of {@link #maxMappings()}. */
    public synchronized void maxMappings(long mappings) {
        maxMappings = mappings;
    }

    /** The number of the next frame given out; the following ones count up. */
    public synchronized void nextFrame(long frame) {
        nextFrame = frame;
    }

    /** Sets the page map entry of the page that holds {@code address}, as if the page had moved. */
    public synchronized void pageMapEntry(long address, long entry) {
        pageMap.put(page(address), entry);
    }

    /** The same for the next readings of it alone, as if the page was on its way elsewhere. */
    public synchronized void pageMapEntryFor(int readings, long address, long entry) {
        passing.put(page(address), new long[] {readings, entry});
    }

    /** Sets a frame's flags; they are 0 otherwise. */
    public synchronized void frameFlags(long frame, long flags) {
        frameFlags.put(frame, flags);
    }

    /**
     * Sets how often a frame is mapped; otherwise that is once for frames given out, and 0 for
     * others.
     */
    public synchronized void frameCount(long frame, long count) {
        frameCounts.put(frame, count);
    }

    // ---- what a test asks ---------------------------------------------------------------------

    /** Every call so far, in order. */
    public synchronized List<Call> calls() {
        return List.copyOf(calls);
    }

    /** The requests of all calls so far, in order. */
    public synchronized List<Operation> operations() {
        return calls.stream().map(Call::operation).toList();
    }

    /** How often a method was called. */
    public synchronized long count(Operation operation) {
        return calls.stream().filter(call -> call.operation() == operation).count();
    }

    public synchronized void forgetCalls() {
        calls.clear();
    }

    /** Blocks of the C heap that were not given back. */
    public synchronized int liveBlocks() {
        return blocks.size() + alignedBlocks.size();
    }

    /** Their sizes as asked for. */
    public synchronized long liveBlockBytes() {
        return sum(blocks) + sum(alignedBlocks);
    }

    public synchronized int liveReservations() {
        return reservations.size();
    }

    public synchronized long reservedBytes() {
        return sum(reservations);
    }

    public synchronized long lockedBytes() {
        return lockedPages.size() * pageBytes();
    }

    /** Page maps that were opened and not closed. */
    public synchronized int openPageMaps() {
        return openPageMaps;
    }

    public synchronized long pinnedBytes() {
        return pins.values().stream().mapToLong(Long::longValue).sum();
    }

    /** The frame of the page that holds {@code address}. */
    public synchronized long frameAt(long address) {
        return pageMap.get(page(address)) & (1L << 55) - 1;
    }

    /** The advice given for the page that holds {@code address}. */
    public synchronized Set<Advice> adviceAt(long address) {
        return Set.copyOf(advice.getOrDefault(page(address), Set.of()));
    }

    /** Throws unless every block and every reservation has been given back. */
    public synchronized void assertNothingLeaked() {
        if (liveBlocks() + liveReservations() + pins.size() > 0) {
            throw new AssertionError(
                    "not given back: blocks "
                            + blocks
                            + ", aligned blocks "
                            + alignedBlocks
                            + ", reservations "
                            + reservations
                            + ", pins "
                            + pins);
        }
    }

    // ---- the C heap ---------------------------------------------------------------------------

    @Override
    public String name() {
        return "Fake " + memory.name();
    }

    @Override
    public synchronized long malloc(long bytes) throws Refusal {
        enter(Operation.MALLOC, 0, bytes);
        return live(blocks, memory.malloc(bytes), bytes);
    }

    @Override
    public synchronized long calloc(long bytes) throws Refusal {
        enter(Operation.CALLOC, 0, bytes);
        return live(blocks, memory.calloc(bytes), bytes);
    }

    @Override
    public synchronized long realloc(long address, long bytes) throws Refusal {
        enter(Operation.REALLOC, address, bytes);
        expect(blocks.containsKey(address), "realloc of no live block", address);
        long moved = memory.realloc(address, bytes);
        blocks.remove(address);
        return live(blocks, moved, bytes);
    }

    @Override
    public synchronized long alignedAlloc(long alignment, long bytes) throws Refusal {
        enter(Operation.ALIGNED_ALLOC, 0, bytes);
        return live(alignedBlocks, memory.alignedAlloc(alignment, bytes), bytes);
    }

    @Override
    public boolean hasAlignedRealloc() {
        return memory.hasAlignedRealloc();
    }

    @Override
    public synchronized long alignedRealloc(long address, long bytes) throws Refusal {
        enter(Operation.REALLOC, address, bytes);
        expect(alignedBlocks.containsKey(address), "realloc of no live aligned block", address);
        long moved = memory.alignedRealloc(address, bytes);
        alignedBlocks.remove(address);
        return live(alignedBlocks, moved, bytes);
    }

    @Override
    public synchronized void free(long address) {
        calls.add(new Call(Operation.FREE, address, 0));
        expect(blocks.remove(address) != null, "free of no live block", address);
        memory.free(address);
    }

    @Override
    public synchronized void alignedFree(long address) {
        calls.add(new Call(Operation.ALIGNED_FREE, address, 0));
        expect(
                alignedBlocks.remove(address) != null,
                "alignedFree of no live aligned block",
                address);
        memory.alignedFree(address);
    }

    private static long live(Map<Long, Long> live, long address, long bytes) {
        live.put(address, bytes);
        return address;
    }

    // ---- pages --------------------------------------------------------------------------------

    @Override
    public long pageBytes() {
        return memory.pageBytes();
    }

    @Override
    public synchronized long reserve(long bytes, long alignment, MemorySegment callState)
            throws Refusal {
        enter(Operation.RESERVE, 0, bytes);
        expect(bytes % pageBytes() == 0, "reserve of part of a page", bytes);
        expect(alignment >= pageBytes() && Long.bitCount(alignment) == 1, "alignment", alignment);
        return live(reservations, memory.reserve(bytes, alignment, callState), bytes);
    }

    /** Ordinary pages, committed, locked and given frames as {@link #lock} does. */
    @Override
    public synchronized long reserveHidden(long bytes, long guardBytes, MemorySegment callState)
            throws Refusal {
        enter(Operation.RESERVE_HIDDEN, 0, bytes);
        expect(bytes % pageBytes() == 0, "reserveHidden of part of a page", bytes);
        expect(guardBytes % pageBytes() == 0, "guard of part of a page", guardBytes);
        expectWithinLimit(bytes, lockedBytes() + bytes);
        long start = memory.reserve(bytes + 2 * guardBytes, pageBytes(), callState);
        live(reservations, start, bytes + 2 * guardBytes);
        memory.commit(start + guardBytes, bytes, callState);
        committedPages.addAll(pages(start + guardBytes, bytes));
        lockedPages.addAll(pages(start + guardBytes, bytes));
        giveFrames(start + guardBytes, bytes);
        return start;
    }

    @Override
    public synchronized void commit(long address, long bytes, MemorySegment callState)
            throws Refusal {
        enter(Operation.COMMIT, address, bytes);
        expectReserved(address, bytes);
        memory.commit(address, bytes, callState);
        committedPages.addAll(pages(address, bytes));
    }

    @Override
    public synchronized void protect(
            long address, long bytes, Access access, MemorySegment callState) throws Refusal {
        enter(Operation.PROTECT, address, bytes);
        expectCommitted(address, bytes);
        memory.protect(address, bytes, access, callState);
    }

    @Override
    public synchronized void release(long address, long bytes, MemorySegment callState)
            throws Refusal {
        enter(Operation.RELEASE, address, bytes);
        Long reserved = reservations.get(address);
        expect(reserved != null && reserved == bytes, "release of no whole reservation", address);
        memory.release(address, bytes, callState);
        reservations.remove(address);
        forget(address, bytes);
    }

    private void forget(long address, long bytes) {
        for (long page : pages(address, bytes)) {
            committedPages.remove(page);
            lockedPages.remove(page);
            pageMap.remove(page);
            advice.remove(page);
            if (hugePages.remove(page) && poolPages != 0) {
                poolPages++;
            }
        }
    }

    @Override
    public synchronized void releasePart(long address, long bytes, MemorySegment callState)
            throws Refusal {
        enter(Operation.RELEASE_PART, address, bytes);
        expectReserved(address, bytes);
        memory.releasePart(address, bytes, callState);
        cut(address, bytes);
        forget(address, bytes);
    }

    /** Takes a part out of a reservation. */
    private void cut(long address, long bytes) {
        Map.Entry<Long, Long> whole = reservations.floorEntry(address);
        long end = whole.getKey() + whole.getValue();
        reservations.remove(whole.getKey());
        if (whole.getKey() < address) {
            reservations.put(whole.getKey(), address - whole.getKey());
        }
        if (address + bytes < end) {
            reservations.put(address + bytes, end - address - bytes);
        }
    }

    @Override
    public synchronized void move(long from, long to, long bytes, MemorySegment callState)
            throws Refusal {
        try {
            enter(Operation.MOVE, from, bytes);
        } catch (Refusal e) {
            expectReserved(to, bytes);
            memory.releasePart(to, bytes, callState);
            cut(to, bytes);
            throw e;
        }
        expectCommitted(from, bytes);
        expectReserved(to, bytes);
        memory.move(from, to, bytes, callState);
        cut(from, bytes);
        for (long page : pages(from, bytes)) {
            long target = to + page - from;
            committedPages.remove(page);
            committedPages.add(target);
            pageMap.put(target, pageMap.remove(page));
            if (lockedPages.remove(page)) {
                lockedPages.add(target);
            }
            if (hugePages.remove(page)) {
                hugePages.add(target);
            }
            advice.put(target, advice.remove(page));
        }
    }

    @Override
    public synchronized long reserveHuge(
            long bytes,
            long guardBytes,
            long alignment,
            long hugePageBytes,
            MemorySegment callState)
            throws Refusal {
        enter(Operation.RESERVE_HUGE, 0, bytes);
        expect(bytes % hugePageBytes == 0, "part of a huge page", bytes);
        expect(guardBytes % alignment == 0, "guard of part of the alignment", guardBytes);
        if (hugePageBytes != HUGE_PAGE_BYTES || bytes / HUGE_PAGE_BYTES > poolPages) {
            throw new Refusal.OutOfMemory("the pool has " + poolPages + " pages");
        }
        long whole = bytes + 2 * guardBytes;
        long start = live(reservations, memory.reserve(whole, alignment, callState), whole);
        long address = start + guardBytes;
        poolPages -= bytes / HUGE_PAGE_BYTES;
        memory.commit(address, bytes, callState);
        committedPages.addAll(pages(address, bytes));
        for (long at = address; at < address + bytes; at += HUGE_PAGE_BYTES) {
            giveHugeFrame(at);
        }
        return start;
    }

    @Override
    public synchronized long kernelRegion(long bytes, MemorySegment callState) throws Refusal {
        enter(Operation.KERNEL_REGION, 0, bytes);
        long address = live(reservations, memory.reserve(bytes, pageBytes(), callState), bytes);
        memory.commit(address, bytes, callState);
        committedPages.addAll(pages(address, bytes));
        giveFrames(address, bytes);
        return address;
    }

    @Override
    public synchronized void collapse(long address, long bytes, MemorySegment callState)
            throws Refusal {
        enter(Operation.COLLAPSE, address, bytes);
        expectCommitted(address, bytes);
        for (long at = address; at < address + bytes; at += HUGE_PAGE_BYTES) {
            if (!hugePages.contains(at)) {
                if (transparentHugePages == 0) {
                    throw new Refusal.OutOfMemory("no huge page is free");
                }
                transparentHugePages--;
                giveHugeFrame(at);
            }
        }
    }

    @Override
    public synchronized long hugeBytes(long address, long bytes, MemorySegment callState)
            throws Refusal {
        enter(Operation.HUGE_BYTES, address, bytes);
        return pages(address, bytes).stream()
                        .filter(page -> hugePages.contains(page & -HUGE_PAGE_BYTES))
                        .count()
                * pageBytes();
    }

    @Override
    public synchronized void bind(
            long address, long bytes, int wanted, boolean required, MemorySegment callState)
            throws Refusal {
        enter(Operation.BIND, address, bytes);
        expectReserved(address, bytes);
        if (wanted != node && required) {
            throw new Refusal.NotSupported("there is no node " + wanted);
        }
    }

    @Override
    public synchronized int nodeOf(long address, MemorySegment callState) throws Refusal {
        enter(Operation.NODE_OF, address, 0);
        return node;
    }

    @Override
    public synchronized int pin(long address, long bytes, MemorySegment callState) throws Refusal {
        enter(Operation.PIN, address, bytes);
        expectCommitted(address, bytes);
        expect(bytes <= MAX_PIN_BYTES, "too large a pin", bytes);
        if (pinnedBytes() + bytes > pinLimit) {
            throw new Refusal.LockLimit(
                    "pinning " + bytes + " bytes: pinned " + pinnedBytes() + ", limit " + pinLimit);
        }
        pins.put(nextPin, bytes);
        return nextPin++;
    }

    @Override
    public synchronized void unpin(int pin, MemorySegment callState) throws Refusal {
        enter(Operation.UNPIN, pin, 0);
        expect(pins.remove(pin) != null, "unpin of no pin", pin);
    }

    @Override
    public synchronized IntPredicate heldPins(MemorySegment callState) throws Refusal {
        enter(Operation.HELD_PINS, 0, 0);
        return Set.copyOf(pins.keySet())::contains;
    }

    @Override
    public synchronized LockedMappings lockedMappings() throws Refusal {
        enter(Operation.LOCKED_MAPPINGS, 0, 0);
        LockedMappings locked = new LockedMappings();
        lockedPages.forEach(address -> locked.add(address, address + pageBytes()));
        return locked;
    }

    @Override
    public synchronized LockBudget pinBudget() throws Refusal {
        enter(Operation.PIN_BUDGET, 0, 0);
        return new LockBudget(pinnedBytes(), pinLimit, pinLimit, false);
    }

    @Override
    public synchronized HugeAllowance hugeAllowance(long pageBytes) {
        return hugeAllowance;
    }

    @Override
    public synchronized List<HugePool> hugePools() {
        return List.of(
                new HugePool(HUGE_PAGE_BYTES, poolPages, poolPages, 0, 0, Map.of(node, poolPages)));
    }

    @Override
    public synchronized List<MemoryGroup> memoryGroups(long enoughBytes) {
        return memoryGroups;
    }

    /** A name is known as it was given; to take one off ends those that begin there. */
    @Override
    public synchronized void name(
            long address, long bytes, MemorySegment name, MemorySegment callState) throws Refusal {
        namings++;
        if (!namesPages) {
            throw new Refusal.NotSupported("naming: the test has not allowed it");
        }
        if (address % pageBytes() != 0 || bytes % pageBytes() != 0 || bytes <= 0) {
            throw new IllegalStateException("%d bytes at 0x%x".formatted(bytes, address));
        }
        names.subMap(address, address + bytes).clear();
        if (name.address() != 0) {
            names.put(address, new Name(address, bytes, name.getString(0)));
        }
    }

    @Override
    public synchronized void advise(long address, long bytes, Advice kind, MemorySegment callState)
            throws Refusal {
        enter(Operation.ADVISE, address, bytes);
        Map.Entry<Long, Long> block = alignedBlocks.lowerEntry(address + bytes);
        if (block != null && block.getKey() + block.getValue() > address) {
            memory.advise(address, bytes, kind, callState);
            return;
        }
        expectReserved(address, bytes);
        for (long page : pages(address, bytes)) {
            advice.computeIfAbsent(page, _ -> new HashSet<>()).add(kind);
        }
    }

    @Override
    public synchronized void discard(long address, long bytes, MemorySegment callState)
            throws Refusal {
        enter(Operation.DISCARD, address, bytes);
        Map.Entry<Long, Long> block = alignedBlocks.floorEntry(address);
        expect(
                block != null && address + bytes <= block.getKey() + block.getValue(),
                "discard outside of a live block",
                address);
        memory.discard(address, bytes, callState);
    }

    @Override
    public synchronized void populate(MemorySegment populated, MemorySegment callState)
            throws Refusal {
        long address = populated.address();
        long bytes = populated.byteSize();
        enter(Operation.POPULATE, address, bytes);
        expectCommitted(address, bytes);
        for (long at = address + HUGE_PAGE_BYTES - 1 & -HUGE_PAGE_BYTES;
                at + HUGE_PAGE_BYTES <= address + bytes;
                at += HUGE_PAGE_BYTES) {
            boolean wanted = adviceAt(at).contains(Advice.HUGE_PAGES) && !pageMap.containsKey(at);
            if (wanted && transparentHugePages > 0) {
                transparentHugePages--;
                giveHugeFrame(at);
            }
        }
        giveFrames(address, bytes);
    }

    private void giveHugeFrame(long address) {
        long frame = nextFrame + HUGE_FRAMES - 1 & -HUGE_FRAMES;
        nextFrame = frame + HUGE_FRAMES;
        hugePages.add(address);
        for (long page : pages(address, HUGE_PAGE_BYTES)) {
            pageMap.put(page, PRESENT | EXCLUSIVE | frame++);
        }
    }

    @Override
    public synchronized void lock(MemorySegment memory, MemorySegment callState) throws Refusal {
        long address = memory.address();
        long bytes = memory.byteSize();
        enter(Operation.LOCK, address, bytes);
        expectCommitted(address, bytes);
        Set<Long> locked = new HashSet<>(lockedPages);
        locked.addAll(pages(address, bytes));
        expectWithinLimit(bytes, locked.size() * pageBytes());
        lockedPages.addAll(locked);
        giveFrames(address, bytes);
    }

    @Override
    public synchronized void unlock(MemorySegment memory, MemorySegment callState) throws Refusal {
        long address = memory.address();
        long bytes = memory.byteSize();
        enter(Operation.UNLOCK, address, bytes);
        expectReserved(address, bytes);
        lockedPages.removeAll(pages(address, bytes));
    }

    @Override
    public synchronized long lockLimitBytes() {
        return lockLimit;
    }

    @Override
    public synchronized LockBudget lockBudget() throws Refusal {
        enter(Operation.LOCK_BUDGET, 0, 0);
        return new LockBudget(lockedBytes(), lockLimit, lockLimit, false);
    }

    @Override
    public synchronized long untouchedHeapBytes() {
        return untouchedHeapBytes;
    }

    @Override
    public synchronized long availableBytes() throws Refusal {
        enter(Operation.AVAILABLE_BYTES, 0, 0);
        return availableBytes;
    }

    @Override
    public synchronized long availableBytesOfNode(int node) {
        return availableBytesOfNode;
    }

    private void expectWithinLimit(long bytes, long lockedThen) throws Refusal {
        if (lockedThen > lockLimit) {
            throw new Refusal.LockLimit(
                    "locking "
                            + bytes
                            + " bytes: locked "
                            + lockedBytes()
                            + ", limit "
                            + lockLimit);
        }
    }

    private void giveFrames(long address, long bytes) {
        for (long page : pages(address, bytes)) {
            pageMap.computeIfAbsent(page, _ -> PRESENT | EXCLUSIVE | nextFrame++);
        }
    }

    // ---- where pages lie ----------------------------------------------------------------------

    @Override
    public synchronized void readPageMap(
            long address, MemorySegment entries, MemorySegment callState) throws Refusal {
        enter(Operation.READ_PAGE_MAP, address, entries.byteSize());
        for (long i = 0; i < entries.byteSize() / Long.BYTES; i++) {
            long page = page(address) + i * pageBytes();
            long[] passed = passing.get(page);
            long entry =
                    passed != null && passed[0]-- > 0 ? passed[1] : pageMap.getOrDefault(page, 0L);
            entries.setAtIndex(ValueLayout.JAVA_LONG, i, entry);
        }
    }

    @Override
    public synchronized OpenFile openPageMap(MemorySegment callState) throws Refusal {
        enter(Operation.OPEN_PAGE_MAP, 0, 0);
        return identified(++openPageMaps, callState);
    }

    @Override
    public OpenFile identified(int descriptor, MemorySegment callState) {
        return new OpenFile(descriptor, FileIdentity.NONE);
    }

    @Override
    public void readPageMap(
            OpenFile pageMap, long address, MemorySegment entries, MemorySegment callState)
            throws Refusal {
        readPageMap(address, entries, callState);
    }

    @Override
    public synchronized void closeFile(OpenFile file, MemorySegment callState) {
        openPageMaps--;
    }

    @Override
    public synchronized void readFrameFlags(
            long frame, MemorySegment entries, MemorySegment callState) throws Refusal {
        enter(Operation.READ_FRAME_FLAGS, frame, entries.byteSize());
        for (long i = 0; i < entries.byteSize() / Long.BYTES; i++) {
            entries.setAtIndex(ValueLayout.JAVA_LONG, i, frameFlags.getOrDefault(frame + i, 0L));
        }
    }

    @Override
    public synchronized void readFrameCounts(
            long frame, MemorySegment entries, MemorySegment callState) throws Refusal {
        enter(Operation.READ_FRAME_COUNTS, frame, entries.byteSize());
        for (long i = 0; i < entries.byteSize() / Long.BYTES; i++) {
            long given = pageMap.containsValue(PRESENT | EXCLUSIVE | (frame + i)) ? 1 : 0;
            entries.setAtIndex(
                    ValueLayout.JAVA_LONG, i, frameCounts.getOrDefault(frame + i, given));
        }
    }

    @Override
    public synchronized Machine machine() {
        return machine;
    }

    @Override
    public synchronized long maxMappings() {
        return maxMappings;
    }

    // ---- the rules ----------------------------------------------------------------------------

    private void enter(Operation operation, long place, long bytes) throws Refusal {
        calls.add(new Call(operation, place, bytes));
        Refusing answer = refusing.get(operation);
        if (answer != null) {
            answer.call();
        }
    }

    private void expectReserved(long address, long bytes) {
        Map.Entry<Long, Long> reservation = reservations.floorEntry(address);
        boolean inside =
                reservation != null
                        && address + bytes <= reservation.getKey() + reservation.getValue();
        expect(
                inside && address == page(address) && bytes > 0,
                "not within a reservation",
                address);
    }

    private void expectCommitted(long address, long bytes) {
        expectReserved(address, bytes);
        expect(committedPages.containsAll(pages(address, bytes)), "not committed", address);
    }

    private static void expect(boolean holds, String mistake, long value) {
        if (!holds) {
            throw new IllegalStateException(mistake + ": 0x" + Long.toHexString(value));
        }
    }

    private long page(long address) {
        return address & -pageBytes();
    }

    private List<Long> pages(long address, long bytes) {
        List<Long> pages = new ArrayList<>();
        for (long page = page(address); page < address + bytes; page += pageBytes()) {
            pages.add(page);
        }
        return pages;
    }

    private static long sum(Map<Long, Long> sizes) {
        return sizes.values().stream().mapToLong(Long::longValue).sum();
    }

    /** How a method is refused. */
    public static final class Refusing {

        private final Supplier<? extends Refusal> refusal;
        private long calls;
        private volatile long only;

        private Refusing(Supplier<? extends Refusal> refusal) {
            this.refusal = refusal;
        }

        /** Refuses the nth call from now on alone, counted from 1. */
        public void onNth(long n) {
            only = n;
        }

        private void call() throws Refusal {
            calls++;
            if (only == 0 || only == calls) {
                throw refusal.get();
            }
        }
    }
}
