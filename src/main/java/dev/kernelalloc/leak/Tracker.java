package dev.kernelalloc.leak;

import dev.kernelalloc.LeakReport;
import dev.kernelalloc.LiveBlocksException;
import dev.kernelalloc.Tracking;

import org.jspecify.annotations.Nullable;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Consumer;
import java.util.function.LongSupplier;

/**
 * The leak tracker of an allocator: selects blocks and keeps their records. It refers to no block
 * and no allocator, so tracked objects stay collectable.
 */
public final class Tracker {

    private static final int ONE_IN_1024 = (1 << 10) - 1;
    private static final int EVERY_ONE = 0;
    private static final int NONE = -1;

    /** Tracking one takes about two microseconds. */
    private static final long SAMPLE_INTERVAL_NANOS = 1_000_000;

    private static final VarHandle MASK;

    static {
        try {
            MASK = MethodHandles.lookup().findVarHandle(Tracker.class, "mask", int.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    /** The tracker for memory that came from outside the library. */
    private static volatile @Nullable Tracker ofExternal;

    /** Lost owners and their allocation sites. */
    private record GroupKey(LeakReport.Kind kind, List<StackTraceElement> site) {}

    private record Sum(long owners, long bytes) {
        Sum plus(Sum other) {
            return new Sum(owners + other.owners, bytes + other.bytes);
        }
    }

    public record RawBlock(long bytes, AllocationSite site) {}

    private final String tag;
    private final List<Consumer<LeakReport>> listeners;

    /** Counts of lost owners: as many entries as the program has sites that lose owners. */
    private final Map<GroupKey, Sum> lost = new ConcurrentHashMap<>();

    /** Keyed by address; a map without locks, since allocating and freeing threads use it. */
    private final Map<Long, RawBlock> rawBlocks = new ConcurrentSkipListMap<>();

    /**
     * Whether a raw block has ever been tracked. Plain: it is set before the block's address is
     * published, so a thread that frees the block sees it.
     */
    private boolean knowsRawBlocks;

    @SuppressWarnings("unused") // by MASK
    private int mask;

    private final LongSupplier nanoClock;
    private volatile long sampledAt;

    public Tracker(String tag, Tracking level, List<Consumer<LeakReport>> listeners) {
        this(tag, level, listeners, System::nanoTime);
    }

    Tracker(
            String tag,
            Tracking level,
            List<Consumer<LeakReport>> listeners,
            LongSupplier nanoClock) {
        this.tag = tag;
        this.listeners = List.copyOf(listeners);
        this.nanoClock = nanoClock;
        this.sampledAt = nanoClock.getAsLong() - SAMPLE_INTERVAL_NANOS;
        level(level);
    }

    public static Tracker ofExternal() {
        Tracker known = ofExternal;
        return known != null ? known : createExternal();
    }

    private static synchronized Tracker createExternal() {
        Tracker known = ofExternal;
        if (known == null) {
            known = new Tracker("memory from elsewhere", TrackingProperty.read(), List.of());
            ofExternal = known;
        }
        return known;
    }

    String tag() {
        return tag;
    }

    List<Consumer<LeakReport>> listeners() {
        return listeners;
    }

    public Tracking level() {
        return switch ((int) MASK.getOpaque(this)) {
            case NONE -> Tracking.OFF;
            case EVERY_ONE -> Tracking.ALL;
            default -> Tracking.SAMPLED;
        };
    }

    public void level(Tracking level) {
        int wanted =
                switch (level) {
                    case OFF -> NONE;
                    case SAMPLED -> ONE_IN_1024;
                    case ALL -> EVERY_ONE;
                };
        MASK.setOpaque(this, wanted);
    }

    // ---- owners -------------------------------------------------------------------------------

    /**
     * Returns whether to track the next owner. The choice is random, since a program that counts in
     * powers of two would show a counter the same owner each time. Random numbers are thread-local,
     * so they cost no shared cache line. At most one owner per millisecond is tracked, so that
     * tracking costs nothing for millions of owners per second.
     */
    public boolean samples() {
        int picked = (int) MASK.getOpaque(this);
        return picked == EVERY_ONE
                || picked != NONE
                        && (ThreadLocalRandom.current().nextInt() & picked) == 0
                        && isTime();
    }

    /** Returns how many owners to skip until {@link #isTimeForOne} is called for one. */
    public int untilNext() {
        return level() == Tracking.ALL
                ? 1
                : 1 + ThreadLocalRandom.current().nextInt(2 * ONE_IN_1024 + 1);
    }

    /** Returns whether to track the owner selected by {@link #untilNext}. */
    public boolean isTimeForOne() {
        return switch (level()) {
            case OFF -> false;
            case SAMPLED -> isTime();
            case ALL -> true;
        };
    }

    private boolean isTime() {
        long now = nanoClock.getAsLong();
        if (now - sampledAt < SAMPLE_INTERVAL_NANOS) {
            return false;
        }
        sampledAt = now; // a concurrent call may pick one too
        return true;
    }

    /**
     * Returns one less than the power of two of which one is sampled on average; 0: all, -1: none.
     */
    public int mask() {
        return (int) MASK.getOpaque(this);
    }

    /** Returns a sentinel for a new owner that is sampled; null for others. Never fails. */
    public @Nullable Sentinel sentinel(LeakReport.Kind kind, long address, long bytes) {
        return samples() ? sentinelOfOne(kind, address, bytes) : null;
    }

    /** Returns a sentinel for an owner that is always tracked unless tracking is off. */
    public @Nullable Sentinel sentinelOfOne(LeakReport.Kind kind, long address, long bytes) {
        if (level() == Tracking.OFF) {
            return null;
        }
        Sentinel sentinel = null;
        try {
            sentinel = new Sentinel(this, kind, address, bytes);
            return sentinel.post();
        } catch (Throwable _) { // the Java heap or stack is exhausted
            if (sentinel != null) {
                sentinel.end();
            }
            return null;
        }
    }

    /** Counts a lost owner; returns how many of that kind were lost at that site. */
    long countLost(LeakReport report) {
        return lost.merge(
                        new GroupKey(report.kind(), report.site()),
                        new Sum(1, report.bytes()),
                        Sum::plus)
                .owners();
    }

    // ---- raw blocks ---------------------------------------------------------------------------

    /** Returns whether raw blocks are tracked now. */
    public boolean recordsRawBlocks() {
        return (int) MASK.getOpaque(this) == EVERY_ONE;
    }

    /** Returns whether raw blocks are tracked now, or some of those that were are live. */
    public boolean tracksRawBlocks() {
        return recordsRawBlocks() || knowsRawBlocks && !rawBlocks.isEmpty();
    }

    /** Returns whether a raw block that is freed may be tracked. */
    public boolean knowsRawBlocks() {
        return knowsRawBlocks;
    }

    /**
     * Records a raw block. Never fails: if the Java heap has no room for a record, the block is not
     * tracked.
     */
    public void addRaw(long address, long bytes) {
        try {
            knowsRawBlocks = true;
            rawBlocks.put(address, new RawBlock(bytes, AllocationSite.full()));
        } catch (Throwable _) {
            // the Java heap or stack is exhausted
        }
    }

    /**
     * Ends a raw block by an action, or keeps its record if that throws. The record is removed
     * first: as soon as the block is free, another may get its address.
     */
    public void endRaw(long address, Runnable end) {
        RawBlock block = forgetRaw(address);
        try {
            end.run();
        } catch (IllegalArgumentException e) {
            remember(address, block);
            throw e;
        }
    }

    /** Removes and returns the record of a raw block, which is no longer tracked. */
    public @Nullable RawBlock forgetRaw(long address) {
        return rawBlocks.remove(address);
    }

    /** Undoes {@link #forgetRaw} for a block that stays live. */
    public void remember(long address, @Nullable RawBlock block) {
        if (block != null) {
            rawBlocks.putIfAbsent(address, block);
        }
    }

    // ---- at the end ---------------------------------------------------------------------------

    /** Returns the tracked owners that are alive or were lost, most bytes first. */
    public List<LiveBlocksException.Group> alive() {
        Map<GroupKey, Sum> sums = new HashMap<>(lost);
        LeakRecords.ALL.forEach(
                record -> {
                    if (record.tracker() == this) {
                        LeakReport report = record.report();
                        if (report != null) {
                            add(sums, report.kind(), report.site(), report.bytes());
                        }
                    }
                });
        rawBlocks
                .values()
                .forEach(
                        block ->
                                add(
                                        sums,
                                        LeakReport.Kind.RAW_BLOCK,
                                        block.site.callers(),
                                        block.bytes));
        List<LiveBlocksException.Group> groups = new ArrayList<>();
        sums.forEach(
                (key, sum) -> {
                    if (isCountedAsBlock(key.kind)) {
                        groups.add(
                                new LiveBlocksException.Group(
                                        key.kind, key.site, sum.owners, sum.bytes));
                    }
                });
        groups.sort(
                Comparator.comparingLong(LiveBlocksException.Group::bytes)
                        .reversed()
                        .thenComparing(group -> group.site().toString()));
        return groups;
    }

    /** Returns whether memory of such an owner is among the live blocks of its allocator. */
    private static boolean isCountedAsBlock(LeakReport.Kind kind) {
        return kind != LeakReport.Kind.LEASE && kind != LeakReport.Kind.ALLOCATOR;
    }

    private static void add(
            Map<GroupKey, Sum> sums,
            LeakReport.Kind kind,
            List<StackTraceElement> site,
            long bytes) {
        sums.merge(new GroupKey(kind, site), new Sum(1, bytes), Sum::plus);
    }
}
