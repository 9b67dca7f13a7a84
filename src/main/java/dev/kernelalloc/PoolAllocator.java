package dev.kernelalloc;

import dev.kernelalloc.heap.Blocks;
import dev.kernelalloc.heap.Budget;
import dev.kernelalloc.heap.BudgetedChunks;
import dev.kernelalloc.heap.ChunkSource;
import dev.kernelalloc.heap.HardenedHeap;
import dev.kernelalloc.heap.HeapListener;
import dev.kernelalloc.heap.HeapSettings;
import dev.kernelalloc.heap.LiveBlocks;
import dev.kernelalloc.heap.Measures;
import dev.kernelalloc.heap.SlabHeap;
import dev.kernelalloc.heap.SystemChunks;
import dev.kernelalloc.heap.SystemHeap;
import dev.kernelalloc.os.MappingName;
import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.Platform;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * Blocks of the system heap. Large ranges come from it by aligned_alloc(3) through {@code
 * java.lang.foreign}; blocks are cut from them and cached by thread, so that allocating and freeing
 * one costs a few nanoseconds and no call. Every block is known to its allocator, so that {@link
 * #free} can refuse what is not one.
 *
 * <p>A block is at most 25 % larger than the request, rounded up to a multiple of its alignment and
 * of 8; above 1 KiB 12.5 %. {@link #systemHeap} alone gives each block by a malloc(3) of its own.
 */
public final class PoolAllocator implements KernelAllocator {

    /** Made at first use, and at the next where that failed: no static initializer can be. */
    private static volatile @Nullable PoolAllocator shared;

    private static volatile @Nullable PoolAllocator systemHeap;

    private final CheckedBlocks blocks;

    /** The blocks of the system heap, each one of its own; null where blocks are cut from slabs. */
    private final @Nullable LiveBlocks ofSystemHeap;

    /** Null where blocks are not cut from slabs. */
    private final @Nullable AllocatorGuard guard;

    private final Budget budget;

    /** What children begin with, and where their memory comes from; null where there are none. */
    private final @Nullable Builder settings;

    private final @Nullable Function<String, ChunkSource> sources;

    /** Of this allocator and of its children. */
    private final List<Consumer<Pressure>> pressureListeners;

    private PoolAllocator(String tag, LiveBlocks blocks, Tracker tracker) {
        this.blocks = new CheckedBlocks(tag, blocks, tracker, null);
        this.ofSystemHeap = blocks;
        this.guard = null;
        this.budget = Budget.unlimited(tag);
        this.settings = null;
        this.sources = null;
        this.pressureListeners = List.of();
    }

    /**
     * Over slabs.
     *
     * @param settings that nobody changes any more
     * @param sources of memory, which is charged here, by tag
     * @param pressureListeners of the budget
     */
    private PoolAllocator(
            Builder settings,
            Function<String, ChunkSource> sources,
            Budget budget,
            List<Consumer<Pressure>> pressureListeners) {
        ChunkSource source = sources.apply(settings.tag);
        Tracker tracker = new Tracker(settings.tag, settings.tracking, settings.leakListeners);
        this.guard = new AllocatorGuard(tracker, pressureListeners);
        AllocatorGuard.Counting counting = guard.counting();
        Blocks heap =
                settings.heapOver(
                        new BudgetedChunks(source, budget, counting::add), budget.leastLimit());
        this.blocks = new CheckedBlocks(settings.tag, heap, tracker, guard);
        this.ofSystemHeap = null;
        this.budget = budget;
        this.settings = settings;
        this.sources = sources;
        this.pressureListeners = pressureListeners;
        budget.heldBy(blocks);
        guard.guard(
                () -> {
                    budget.end();
                    heap.reclaimUnreachable();
                });
    }

    /**
     * A new allocator, tagged {@code pool}.
     *
     * @return an allocator that the caller closes
     * @throws IllegalCallerException when native access is denied; the message names the flag to
     *     add
     * @throws IllegalArgumentException when the property {@value HardenedProperty#NAME} has a value
     *     that {@link Builder#hardened(Set)} does not know
     */
    public static PoolAllocator create() {
        return builder().build();
    }

    /**
     * Settings for a new allocator.
     *
     * @return a builder with the defaults
     * @throws IllegalArgumentException when the property {@value HardenedProperty#NAME} has a value
     *     that {@link Builder#hardened(Set)} does not know
     */
    public static Builder builder() {
        Platform.requireHeadroom(); // a setting is read from system properties
        return new Builder();
    }

    /**
     * The allocator of the process for blocks that Java code frees. It cannot be closed. It has no
     * limit, unless the system property {@value LimitProperty#NAME} sets one: bytes, or a number
     * with {@code k}, {@code m} or {@code g} behind it, such as {@code 512m}.
     *
     * @return always the same one
     * @throws IllegalCallerException when native access is denied; the message names the flag to
     *     add
     * @throws IllegalArgumentException when the property {@value HardenedProperty#NAME} has a value
     *     that {@link Builder#hardened(Set)} does not know, or {@value LimitProperty#NAME} is not a
     *     number of bytes
     */
    public static PoolAllocator shared() {
        PoolAllocator known = shared;
        return known != null ? known : makeShared();
    }

    /**
     * The system heap itself: every block is one malloc, calloc or aligned_alloc, which C code may
     * free after {@link #disown}; and what C code has allocated can be freed here after {@link
     * #adopt}. It cannot be closed.
     *
     * @return always the same one
     * @throws IllegalCallerException when native access is denied; the message names the flag to
     *     add
     */
    public static PoolAllocator systemHeap() {
        PoolAllocator known = systemHeap;
        return known != null ? known : makeSystemHeap();
    }

    /**
     * Takes over a block that C code got from malloc, calloc or realloc, to be freed here. Nobody
     * can check that: a block of other origin ends the process when it is freed. The caller has
     * vouched for its size already, by {@link MemorySegment#reinterpret(long)}.
     *
     * @param block a segment of the global scope, of the size the block has in C, not 0
     * @return the block as a raw block of this allocator
     * @throws IllegalArgumentException when it is NULL, of the Java heap, or of a scope that can be
     *     closed, has no size, or is a live block of this allocator already
     * @throws UnsupportedOperationException when this is not {@link #systemHeap}
     */
    public MemorySegment adopt(MemorySegment block) {
        return blocks.adopt(block, requireSystemHeap());
    }

    /**
     * Leaves a raw block to C code, which will free it: by free(3), or on Windows, when it was
     * allocated with an alignment above 16, by {@code _aligned_free}. To this allocator the block
     * is no longer alive.
     *
     * @param block a raw block of this allocator, as for {@link #free}
     * @throws IllegalArgumentException when {@code block} is not what {@link #free} takes
     * @throws UnsupportedOperationException when this is not {@link #systemHeap}
     */
    public void disown(MemorySegment block) {
        blocks.disown(block, requireSystemHeap());
    }

    @Override
    public long limit() {
        return budget.limit();
    }

    @Override
    public void limit(long bytes) {
        requireSlabs();
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

    @Override
    public PoolAllocator child(String tag, long limit) {
        requireSlabs();
        Builder own = new Builder(settings).tag(tag).limit(limit);
        return new PoolAllocator(own, sources, budget.child(tag, limit), pressureListeners);
    }

    private void requireSlabs() {
        if (ofSystemHeap != null) {
            throw new UnsupportedOperationException(
                    "every block of PoolAllocator.systemHeap() is the C heap's own: it has no limit"
                            + " and no children");
        }
    }

    @Override
    public void close() {
        blocks.requireMayBeClosed();
        budget.close();
        if (guard == null) {
            blocks.close();
            return;
        }
        guard.closing();
        try {
            blocks.close();
        } finally {
            if (budget.used() == 0) {
                guard.dismiss();
            }
        }
    }

    @Override
    public String toString() {
        return "PoolAllocator" + blocks;
    }

    CheckedBlocks blocks() {
        return blocks;
    }

    private LiveBlocks requireSystemHeap() {
        if (ofSystemHeap == null) {
            throw new UnsupportedOperationException(
                    "only the blocks of PoolAllocator.systemHeap() can be C code's, this is "
                            + this);
        }
        return ofSystemHeap;
    }

    private static synchronized PoolAllocator makeShared() {
        PoolAllocator known = shared;
        if (known == null) {
            known =
                    processWide(
                            builder().tag("shared").limit(LimitProperty.read()).buildForProcess());
            shared = known;
        }
        return known;
    }

    private static synchronized PoolAllocator makeSystemHeap() {
        PoolAllocator known = systemHeap;
        if (known == null) {
            known = processWide(systemHeap(Platform.current()));
            systemHeap = known;
        }
        return known;
    }

    private static PoolAllocator processWide(PoolAllocator allocator) {
        allocator.blocks.serveProcess();
        return allocator;
    }

    static PoolAllocator systemHeap(OperatingSystem os) {
        String tag = "system heap";
        return new PoolAllocator(
                tag,
                new LiveBlocks(tag, new SystemHeap(os)),
                new Tracker(tag, Tracking.ofProcess(), List.of()));
    }

    /** What a hardened allocator writes over memory that is freed. */
    public enum FreedMemory {
        /** A conspicuous pattern, 0xDF in every byte: a late read is seen. */
        POISONED,
        /** Zeros: a late read finds nothing. */
        ZEROED
    }

    /** Settings for a new {@link PoolAllocator}; not for use by several threads at once. */
    public static final class Builder {

        private static final long MIN_CACHE_BYTES = 16L << 20;
        private static final long MAX_CACHE_BYTES = 256L << 20;

        private String tag = "pool";
        private Set<Hardening> hardening = HardenedProperty.read();
        private FreedMemory freedMemory = FreedMemory.POISONED;
        private long threadCacheBytes = 4L << 20;
        private long cacheBytes =
                Math.clamp(Runtime.getRuntime().maxMemory() / 8, MIN_CACHE_BYTES, MAX_CACHE_BYTES);

        private Tracking tracking = Tracking.ofProcess();
        private final List<Consumer<LeakReport>> leakListeners = new ArrayList<>();
        private final List<Consumer<Pressure>> pressureListeners = new ArrayList<>();
        private long limit = Budget.UNLIMITED;

        private Builder() {}

        private Builder(Builder other) {
            this.tag = other.tag;
            this.hardening = other.hardening;
            this.freedMemory = other.freedMemory;
            this.threadCacheBytes = other.threadCacheBytes;
            this.cacheBytes = other.cacheBytes;
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
         * Whether mistakes are made loud, by every {@link Hardening} there is, at several times the
         * cost; or by none.
         *
         * @param hardened whether to
         * @return this builder
         */
        public Builder hardened(boolean hardened) {
            return hardened(hardened ? EnumSet.allOf(Hardening.class) : Set.of());
        }

        /**
         * By which measures mistakes are made loud; none of the others is paid for. Unless set the
         * system property {@value HardenedProperty#NAME} says it, for {@link PoolAllocator#shared}
         * too: {@code true} for all, {@code false} for none, or a list such as {@code
         * canary,quarantine} of {@code double-free}, {@code overwrite}, {@code canary}, {@code
         * quarantine} and {@code random-order}. It is read once.
         *
         * @param measures that replace all said before; none for an allocator that is not hardened
         * @return this builder
         */
        public Builder hardened(Set<Hardening> measures) {
            this.hardening = Set.copyOf(measures);
            return this;
        }

        /**
         * What an allocator with {@link Hardening#OVERWRITE} writes over memory that is freed;
         * {@link FreedMemory#POISONED} unless set. Without that measure nothing is written.
         *
         * @param freedMemory what to write
         * @return this builder
         */
        public Builder freedMemory(FreedMemory freedMemory) {
            this.freedMemory = Objects.requireNonNull(freedMemory, "freedMemory");
            return this;
        }

        /**
         * How much free memory may be kept to be handed out again, the Java arrays that hold its
         * addresses counted. Unless set that is 4 MiB for a thread, and in total an eighth of what
         * the Java heap may grow to, but at least 16 MiB and at most 256 MiB: 16 MiB in a container
         * of 512 MiB. Slabs without a block in use may keep as much as the total again, for a
         * second or two.
         *
         * @param perThread bytes that the cache of one thread may take; 0 for none
         * @param total bytes that all caches may take together; 0 for none
         * @return this builder
         * @throws IllegalArgumentException when one of them is negative
         */
        public Builder cacheBytes(long perThread, long total) {
            if (perThread < 0 || total < 0) {
                throw new IllegalArgumentException(
                        String.format(
                                Locale.ROOT,
                                "perThread=%d and total=%d must not be negative",
                                perThread,
                                total));
            }
            this.threadCacheBytes = perThread;
            this.cacheBytes = total;
            return this;
        }

        /**
         * Of how many blocks is remembered where they were made. Unless set the system property
         * {@code dev.kernelalloc.tracking} says it, and without that it is {@link
         * Tracking#SAMPLED}. {@link PoolAllocator#tracking(Tracking)} changes it later.
         *
         * @param level which of them
         * @return this builder
         */
        public Builder tracking(Tracking level) {
            this.tracking = Objects.requireNonNull(level, "level");
            return this;
        }

        /**
         * Told of each tracked owner that was lost, after the log: on a thread of the library, once
         * the collector has found it. What it throws is logged.
         *
         * @param listener to be told; it is kept for as long as something is tracked
         * @return this builder
         */
        public Builder onLeak(Consumer<LeakReport> listener) {
            leakListeners.add(Objects.requireNonNull(listener, "listener"));
            return this;
        }

        /**
         * How much the allocator and its {@linkplain KernelAllocator#child children} may take from
         * the system together; unless set as much as there is. Before a request is refused for
         * that, whatever is idle is given back, caches of other live threads aside; then listeners
         * of {@link #onPressure} are asked. Memory is taken by 64 KiB and more for each size in
         * use, so a very small limit serves few sizes. {@link KernelAllocator#limit(long)} changes
         * it later.
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
        public PoolAllocator build() {
            return build(Platform.current());
        }

        private PoolAllocator buildForProcess() {
            OperatingSystem os = Platform.current();
            return build(tag -> SystemChunks.ofProcess(os, new MappingName(os, tag)));
        }

        PoolAllocator build(OperatingSystem os) {
            return build(tag -> new SystemChunks(os, new MappingName(os, tag)));
        }

        PoolAllocator build(ChunkSource source) {
            return build(_ -> source);
        }

        private PoolAllocator build(Function<String, ChunkSource> sources) {
            List<Consumer<Pressure>> listeners = List.copyOf(pressureListeners);
            return new PoolAllocator(
                    new Builder(this),
                    sources,
                    Budget.of(tag, limit, Limits.listener(listeners)),
                    listeners);
        }

        private Blocks heapOver(ChunkSource source, long leastLimit) {
            HeapSettings settings =
                    new HeapSettings(
                            tag,
                            Limits.threadCacheBytes(threadCacheBytes, leastLimit),
                            Limits.cacheBytes(cacheBytes, leastLimit));
            HeapListener journal = new Journal(tag).ofHeap();
            return hardening.isEmpty()
                    ? new SlabHeap(settings, source, journal)
                    : new HardenedHeap(settings, source, journal, measures());
        }

        private Measures measures() {
            return new Measures(
                    hardening.contains(Hardening.DOUBLE_FREE),
                    hardening.contains(Hardening.CANARY),
                    hardening.contains(Hardening.OVERWRITE),
                    pattern(),
                    hardening.contains(Hardening.QUARANTINE),
                    hardening.contains(Hardening.RANDOM_ORDER));
        }

        private byte pattern() {
            return switch (freedMemory) {
                case POISONED -> HardenedHeap.POISON;
                case ZEROED -> 0;
            };
        }
    }
}
