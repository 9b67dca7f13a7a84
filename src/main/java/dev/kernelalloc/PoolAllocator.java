package dev.kernelalloc;

import dev.kernelalloc.core.CheckedBlocks;
import dev.kernelalloc.core.HardenedProperty;
import dev.kernelalloc.core.LimitProperty;
import dev.kernelalloc.core.Limits;
import dev.kernelalloc.core.ObservedChunks;
import dev.kernelalloc.core.SuppliedChunks;
import dev.kernelalloc.heap.Blocks;
import dev.kernelalloc.heap.Budget;
import dev.kernelalloc.heap.BudgetedChunks;
import dev.kernelalloc.heap.ChunkSource;
import dev.kernelalloc.heap.HardenedHeap;
import dev.kernelalloc.heap.HeapListener;
import dev.kernelalloc.heap.HeapSettings;
import dev.kernelalloc.heap.LiveBlocks;
import dev.kernelalloc.heap.SlabHeap;
import dev.kernelalloc.heap.SystemChunks;
import dev.kernelalloc.heap.SystemHeap;
import dev.kernelalloc.leak.AllocatorGuard;
import dev.kernelalloc.leak.EventRecorder;
import dev.kernelalloc.leak.Tracker;
import dev.kernelalloc.leak.TrackingProperty;
import dev.kernelalloc.os.MappingName;
import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.Platform;
import dev.kernelalloc.source.MappedRange;
import dev.kernelalloc.source.MemorySource;

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
 * An allocator of blocks of the system heap. It takes large ranges by aligned_alloc(3) through
 * {@code java.lang.foreign}, cuts blocks from them and caches them by thread, so that allocating
 * and freeing one costs a few nanoseconds and no native call. Every block is registered, so {@link
 * #free} refuses anything else.
 *
 * <p>A block is at most 25 % larger than the request, rounded up to a multiple of its alignment and
 * of 8; above 1 KiB 12.5 %. Only {@link #systemHeap} allocates each block by a malloc(3) of its
 * own.
 *
 * {@snippet lang = java :
 * try (PoolAllocator pool = PoolAllocator.builder().tag("cache").limit(64 << 20).build();
 *         NativeBox<Point> box = NativeBox.of(pool, POINT, new Point(1, 2))) {
 *     box.get();
 * }
 * }
 */
public final class PoolAllocator extends AbstractAllocator {

    /** Made at first use, and at the next where that failed: no static initializer can be. */
    private static volatile @Nullable PoolAllocator shared;

    private static volatile @Nullable PoolAllocator systemHeap;

    /** The blocks of the system heap, each one of its own; null where blocks are cut from slabs. */
    private final @Nullable LiveBlocks ofSystemHeap;

    /** Null where blocks are not cut from slabs. */
    private final @Nullable AllocatorGuard guard;

    /** The settings of children, and the source of their memory; null if there can be none. */
    private final @Nullable Builder settings;

    private final @Nullable Function<String, ChunkSource> sources;

    /** Those of this allocator and of its children. */
    private final List<Consumer<Pressure>> pressureListeners;

    private PoolAllocator(String tag, LiveBlocks blocks, Tracker tracker) {
        super(new CheckedBlocks(tag, blocks, tracker, null, false), Budget.unlimited(tag));
        this.ofSystemHeap = blocks;
        this.guard = null;
        this.settings = null;
        this.sources = null;
        this.pressureListeners = List.of();
    }

    /**
     * Creates an allocator over slabs.
     *
     * @param settings settings that do not change any more
     * @param sources the sources of memory by tag, which charge the budget
     * @param pressureListeners the listeners of the budget
     */
    private PoolAllocator(
            Builder settings,
            Function<String, ChunkSource> sources,
            Budget budget,
            List<Consumer<Pressure>> pressureListeners) {
        ChunkSource source = sources.apply(settings.tag);
        Tracker tracker = new Tracker(settings.tag, settings.tracking, settings.leakListeners);
        AllocatorGuard guard = new AllocatorGuard(tracker, pressureListeners);
        AllocatorGuard.Counting counting = guard.counting();
        Blocks heap =
                settings.heapOver(
                        new BudgetedChunks(source, budget, counting), budget.leastLimit());
        super(
                new CheckedBlocks(settings.tag, heap, tracker, guard, settings.source != null),
                budget);
        this.ofSystemHeap = null;
        this.guard = guard;
        this.settings = settings;
        this.sources = sources;
        this.pressureListeners = pressureListeners;
        budget.setHolder(blocks);
        guard.guard(new Reclaiming(budget, heap));
    }

    /** Refers to the memory, and to nothing that is guarded. */
    private record Reclaiming(Budget budget, Blocks heap) implements Runnable {
        @Override
        public void run() {
            budget.end();
            heap.reclaimUnreachable();
        }
    }

    /**
     * Creates an allocator, tagged {@code pool}.
     *
     * @return an allocator that the caller closes
     * @throws IllegalCallerException if native access is denied; the message names the flag to add
     * @throws IllegalArgumentException if the property {@value HardenedProperty#NAME} has a value
     *     that {@link Builder#hardened(Set)} does not list
     */
    public static PoolAllocator create() {
        return builder().build();
    }

    /**
     * Returns a builder of an allocator.
     *
     * @return a builder with the defaults
     * @throws IllegalArgumentException if the property {@value HardenedProperty#NAME} has a value
     *     that {@link Builder#hardened(Set)} does not list
     */
    public static Builder builder() {
        Platform.requireHeadroom(); // a setting is read from system properties
        return new Builder();
    }

    /**
     * Returns the allocator of the process for blocks that Java code frees. It cannot be closed. It
     * has no limit, unless the system property {@value LimitProperty#NAME} sets one: bytes, or a
     * number with {@code k}, {@code m} or {@code g} behind it, such as {@code 512m}.
     *
     * @return the same allocator at every call
     * @throws IllegalCallerException if native access is denied; the message names the flag to add
     * @throws IllegalArgumentException if the property {@value HardenedProperty#NAME} has a value
     *     that {@link Builder#hardened(Set)} does not list, or {@value LimitProperty#NAME} is not a
     *     number of bytes
     */
    public static PoolAllocator shared() {
        PoolAllocator known = shared;
        return known != null ? known : makeShared();
    }

    /**
     * Returns the system heap itself: every block is one malloc, calloc or aligned_alloc, which C
     * code may free after {@link #disown}, and blocks that C code has allocated can be freed here
     * after {@link #adopt}. It cannot be closed.
     *
     * @return the same allocator at every call
     * @throws IllegalCallerException if native access is denied; the message names the flag to add
     */
    public static PoolAllocator systemHeap() {
        PoolAllocator known = systemHeap;
        return known != null ? known : makeSystemHeap();
    }

    /**
     * Takes over a block that C code got from malloc, calloc or realloc, to be freed here. This
     * cannot be checked: a block of other origin ends the process when it is freed. The caller has
     * already vouched for its size, by {@link MemorySegment#reinterpret(long)}.
     *
     * @param block a segment of the global scope, of the size the block has in C, not 0
     * @return the block as a raw block of this allocator
     * @throws IllegalArgumentException if it is NULL, of the Java heap, or of a scope that can be
     *     closed, has no size, or is already a live block of this allocator
     * @throws UnsupportedOperationException if this is not {@link #systemHeap}
     */
    public MemorySegment adopt(MemorySegment block) {
        return blocks.adopt(block, requireSystemHeap());
    }

    /**
     * Leaves a raw block to C code, which frees it: by free(3), or on Windows, if it was allocated
     * with an alignment above 16, by {@code _aligned_free}. This allocator no longer counts the
     * block as live.
     *
     * @param block a raw block of this allocator, as for {@link #free}
     * @throws IllegalArgumentException if {@link #free} would refuse {@code block}
     * @throws UnsupportedOperationException if this is not {@link #systemHeap}
     */
    public void disown(MemorySegment block) {
        blocks.disown(block, requireSystemHeap());
    }

    @Override
    public void limit(long bytes) {
        requireSlabs();
        super.limit(bytes);
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
                new Tracker(tag, TrackingProperty.read(), List.of()));
    }

    /** The contents that a hardened allocator writes over freed memory. */
    public enum FreedMemory {
        /** A conspicuous pattern, 0xDF in every byte: a late read is visible. */
        POISONED,
        /** Zeros: a late read finds nothing. */
        ZEROED
    }

    /** A builder of a {@link PoolAllocator}, for one thread at a time. */
    public static final class Builder extends Settings<Builder> {

        private static final long MIN_CACHE_BYTES = 16L << 20;
        private static final long MAX_CACHE_BYTES = 256L << 20;

        private Set<Hardening> hardening = HardenedProperty.read();
        private FreedMemory freedMemory = FreedMemory.POISONED;
        private long threadCacheBytes = 8L << 20;
        private long cacheBytes =
                Math.clamp(Runtime.getRuntime().maxMemory() / 8, MIN_CACHE_BYTES, MAX_CACHE_BYTES);

        private final List<Consumer<MappedRange>> mapped = new ArrayList<>();
        private final List<Consumer<MappedRange>> unmapped = new ArrayList<>();
        private @Nullable MemorySource source;

        private Builder() {
            super("pool");
        }

        private Builder(Builder other) {
            super(other);
            this.hardening = other.hardening;
            this.freedMemory = other.freedMemory;
            this.threadCacheBytes = other.threadCacheBytes;
            this.cacheBytes = other.cacheBytes;
            this.mapped.addAll(other.mapped);
            this.unmapped.addAll(other.unmapped);
            this.source = other.source;
        }

        @Override
        Builder self() {
            return this;
        }

        /**
         * Selects all measures of {@link Hardening}, at several times the cost of an allocation; or
         * none.
         *
         * @param hardened true for all, false for none
         * @return this builder
         */
        public Builder hardened(boolean hardened) {
            return hardened(hardened ? EnumSet.allOf(Hardening.class) : Set.of());
        }

        /**
         * Selects measures of {@link Hardening}; the others cost nothing. The default is the system
         * property {@value HardenedProperty#NAME}, for {@link PoolAllocator#shared} too: {@code
         * true} for all, {@code false} for none, or a list such as {@code canary,quarantine} of
         * {@code double-free}, {@code overwrite}, {@code canary}, {@code quarantine} and {@code
         * random-order}. It is read once.
         *
         * @param measures the measures, which replace all previous ones; none for an allocator that
         *     is not hardened
         * @return this builder
         */
        public Builder hardened(Set<Hardening> measures) {
            this.hardening = Set.copyOf(measures);
            return this;
        }

        /**
         * Sets the contents that an allocator with {@link Hardening#OVERWRITE} writes over freed
         * memory; {@link FreedMemory#POISONED} by default. Without that measure nothing is written.
         *
         * @param freedMemory the contents
         * @return this builder
         */
        public Builder freedMemory(FreedMemory freedMemory) {
            this.freedMemory = Objects.requireNonNull(freedMemory, "freedMemory");
            return this;
        }

        /**
         * Sets how much free memory may be kept for reuse, including the Java arrays that describe
         * it. The default is 8 MiB per thread, and in total an eighth of the maximum Java heap, but
         * at least 16 MiB and at most 256 MiB: 16 MiB in a container of 512 MiB. Slabs without a
         * live block may keep as much as the total again, for a second or two.
         *
         * @param perThread the maximum bytes of the cache of one thread; 0 for none
         * @param total the maximum bytes of all caches together; 0 for none
         * @return this builder
         * @throws IllegalArgumentException if one of them is negative
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
         * Takes all memory from a source of the program instead of the system heap; children of the
         * allocator take theirs from it too. A request that the source cannot serve fails with an
         * {@link AllocationException}. Pages are kept until their whole range is unused.
         *
         * @param source the source of memory
         * @return this builder
         */
        public Builder source(MemorySource source) {
            this.source = Objects.requireNonNull(source, "source");
            return this;
        }

        /**
         * Adds a listener that receives each range before a block is cut from it, and each block
         * that is too large for one, for example to register it as a buffer with a device or with
         * io_uring. It receives the address and the size, not the memory, which belongs to the
         * owners of the blocks. The range keeps its address and its pages until {@link
         * #onRangeUnmapped} listeners have received it; so with any listener, unused pages stay
         * resident until the whole range is unused, and large blocks are copied to grow. It runs on
         * the thread that allocates, and must not use this allocator. Its exceptions end that
         * request, and the range with it, which {@link #onRangeUnmapped} listeners receive then.
         *
         * @param listener the listener to add
         * @return this builder
         */
        public Builder onRangeMapped(Consumer<MappedRange> listener) {
            mapped.add(Objects.requireNonNull(listener, "listener"));
            return this;
        }

        /**
         * Adds a listener that receives each range before its memory is released. It runs on any
         * thread, including those of the library, and must not use this allocator. Its exceptions
         * are logged.
         *
         * @param listener the listener to add
         * @return this builder
         */
        public Builder onRangeUnmapped(Consumer<MappedRange> listener) {
            unmapped.add(Objects.requireNonNull(listener, "listener"));
            return this;
        }

        /**
         * Creates an allocator.
         *
         * @return an allocator that the caller closes
         * @throws IllegalArgumentException if the range size of a {@link #source} is no multiple of
         *     64 KiB
         * @throws IllegalCallerException if native access is denied; the message names the flag to
         *     add
         */
        public PoolAllocator build() {
            return build(Platform.current());
        }

        private PoolAllocator buildForProcess() {
            OperatingSystem os = Platform.current();
            return build(new ChunksOfSystem(os, true));
        }

        PoolAllocator build(OperatingSystem os) {
            if (source == null) {
                return build(new ChunksOfSystem(os, false));
            }
            ChunkSource chunks = new SuppliedChunks(source, os.pageBytes());
            return build(_ -> chunks);
        }

        PoolAllocator build(ChunkSource source) {
            return build(_ -> source);
        }

        /** By the tag of the allocator that is to use them. */
        private record ChunksOfSystem(OperatingSystem os, boolean ofProcess)
                implements Function<String, ChunkSource> {
            @Override
            public ChunkSource apply(String tag) {
                MappingName name = new MappingName(os, tag);
                return new SystemChunks(os, name, ofProcess);
            }
        }

        private PoolAllocator build(Function<String, ChunkSource> sources) {
            List<Consumer<Pressure>> listeners = List.copyOf(pressureListeners);
            return new PoolAllocator(
                    new Builder(this),
                    mapped.isEmpty() && unmapped.isEmpty() ? sources : observed(sources),
                    Budget.of(tag, limit, Limits.listener(listeners)),
                    listeners);
        }

        private Function<String, ChunkSource> observed(Function<String, ChunkSource> sources) {
            List<Consumer<MappedRange>> before = List.copyOf(mapped);
            List<Consumer<MappedRange>> after = List.copyOf(unmapped);
            return tag -> new ObservedChunks(sources.apply(tag), before, after);
        }

        private Blocks heapOver(ChunkSource source, long leastLimit) {
            HeapSettings settings =
                    new HeapSettings(
                            tag,
                            Limits.threadCacheBytes(threadCacheBytes, leastLimit),
                            Limits.cacheBytes(cacheBytes, leastLimit));
            HeapListener recorder = new EventRecorder(tag).ofHeap();
            return hardening.isEmpty()
                    ? new SlabHeap(settings, source, recorder)
                    : new HardenedHeap(settings, source, recorder, measures());
        }

        private HardenedHeap.Measures measures() {
            return new HardenedHeap.Measures(
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
