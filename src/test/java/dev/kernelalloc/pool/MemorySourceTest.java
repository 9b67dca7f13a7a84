package dev.kernelalloc.pool;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.MemoryKind;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.source.MappedRange;
import dev.kernelalloc.source.MemorySource;
import dev.kernelalloc.testing.Await;
import dev.kernelalloc.testing.HeldByC;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;

/** A pool over memory that a program supplies, and the listeners of its ranges. */
class MemorySourceTest {

    private static final MemorySource ARENA =
            (bytes, alignment, lifetime) -> Optional.of(lifetime.allocate(bytes, alignment));

    @TempDir Path directory;

    @Test
    @DisplayName("Blocks of a pool over a mapped file are bytes of the file")
    void allocate_overAMappedFile_usesTheFile() throws IOException {
        Path path = directory.resolve("memory");
        try (FileChannel file = FileChannel.open(path, READ, WRITE, CREATE)) {
            AtomicLong end = new AtomicLong();
            List<MemorySegment> ranges = new ArrayList<>();
            MemorySource source =
                    (bytes, _, lifetime) -> {
                        MemorySegment range =
                                file.map(MapMode.READ_WRITE, end.getAndAdd(bytes), bytes, lifetime);
                        ranges.add(range);
                        return Optional.of(range);
                    };
            PoolAllocator pool = PoolAllocator.builder().tag("file").source(source).build();
            MemorySegment block = pool.allocate(1000, 8);
            block.set(ValueLayout.JAVA_INT, 996, 0xCAFEBABE);
            long offset = block.address() - ranges.getFirst().address() + 996;
            assertThat(offset).isBetween(996L, end.get());
            assertThat(number(file, offset)).isEqualTo(0xCAFEBABE);
            assertThat(pool.stats().chunks().getFirst().kind()).isEqualTo(MemoryKind.SUPPLIED);
            assertThat(pool.stats().capacityBytes()).isLessThanOrEqualTo(end.get());

            pool.free(block);
            pool.close();
            assertThat(ranges).noneMatch(range -> range.scope().isAlive());
        }
    }

    private static int number(FileChannel file, long offset) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(4).order(ByteOrder.nativeOrder());
        file.read(bytes, offset);
        return bytes.getInt(0);
    }

    @Test
    @DisplayName("Zeroed blocks are zero, whatever the source left in the memory")
    void allocateZeroed_dirtySource_isZero() {
        MemorySource dirty =
                (bytes, alignment, lifetime) ->
                        Optional.of(lifetime.allocate(bytes, alignment).fill((byte) -1));
        try (PoolAllocator pool = PoolAllocator.builder().source(dirty).build()) {
            for (long bytes : new long[] {8, 100, 5000, 3 << 20}) {
                MemorySegment block = pool.allocateZeroed(bytes, 8);
                assertThat(block.mismatch(MemorySegment.ofArray(new byte[(int) bytes])))
                        .isEqualTo(-1);
                pool.free(block);
            }
        }
    }

    @Test
    @DisplayName("Random use leaves nothing: every range obtained is released, once")
    void close_afterRandomUse_releasesEveryRange() {
        List<Long> obtained = Collections.synchronizedList(new ArrayList<>());
        List<Long> released = Collections.synchronizedList(new ArrayList<>());
        MemorySource source =
                new MemorySource() {
                    @Override
                    public Optional<MemorySegment> obtain(
                            long bytes, long alignment, Arena lifetime) {
                        MemorySegment memory = lifetime.allocate(bytes, alignment);
                        obtained.add(memory.address());
                        return Optional.of(memory);
                    }

                    @Override
                    public void release(MemorySegment memory) {
                        assertThat(memory.scope().isAlive()).isTrue();
                        released.add(memory.address());
                    }

                    @Override
                    public long rangeBytes() {
                        return 256 << 10;
                    }
                };
        Random random = new Random(11);
        PoolAllocator pool = PoolAllocator.builder().source(source).build();
        List<MemorySegment> live = new ArrayList<>();
        for (int i = 0; i < 5000; i++) {
            if (live.size() < 200 && random.nextInt(3) > 0) {
                long bytes = 1L << random.nextInt(19);
                MemorySegment block = pool.allocate(bytes, 8);
                block.set(ValueLayout.JAVA_BYTE, 0, (byte) i);
                block.set(ValueLayout.JAVA_BYTE, bytes - 1, (byte) i);
                live.add(block);
            } else if (!live.isEmpty()) {
                pool.free(live.remove(random.nextInt(live.size())));
            }
        }
        live.forEach(pool::free);
        pool.close();
        assertThat(obtained).isNotEmpty();
        assertThat(released).containsExactlyInAnyOrderElementsOf(obtained);
    }

    @Test
    @DisplayName("An empty or failing source refuses the request, and the pool stays usable")
    void allocate_sourceWithoutMemory_isRefused() {
        AtomicLong calls = new AtomicLong();
        MemorySource moody =
                (bytes, alignment, lifetime) -> {
                    if (bytes > 4 << 20) {
                        throw new IOException("the device is full");
                    }
                    calls.incrementAndGet();
                    return ARENA.obtain(bytes, alignment, lifetime);
                };
        try (PoolAllocator pool = PoolAllocator.builder().source(moody).build()) {
            assertThatExceptionOfType(AllocationException.class)
                    .isThrownBy(() -> pool.allocate(5 << 20, 8))
                    .withMessageContaining("the device is full");
            assertThat(pool.tryAllocate(5 << 20, 8)).isEmpty();
            pool.free(pool.allocate(100, 8));
            assertThat(calls.get()).isPositive();
        }
        try (PoolAllocator pool =
                PoolAllocator.builder().source((_, _, _) -> Optional.empty()).build()) {
            assertThatExceptionOfType(AllocationException.class)
                    .isThrownBy(() -> pool.allocate(100, 8))
                    .withMessageContaining("the memory source has no more");
        }
    }

    @Test
    @DisplayName("Memory that others could end, or that is in use, is refused")
    void obtain_unfitMemory_isRefused() {
        try (Arena own = Arena.ofShared()) {
            MemorySegment global = Arena.global().allocate(8 << 20, 64 << 10);
            refused((bytes, alignment, _) -> Optional.of(own.allocate(bytes, alignment)), "close");
            refused(
                    (bytes, _, _) -> Optional.of(MemorySegment.ofArray(new byte[(int) bytes])),
                    "native");
            refused(
                    (bytes, alignment, life) -> Optional.of(life.allocate(bytes - 1, alignment)),
                    "smaller");
            refused(
                    (bytes, alignment, life) ->
                            Optional.of(life.allocate(bytes + 8, alignment).asSlice(8)),
                    "aligned");
            refused(
                    (bytes, alignment, life) -> {
                        life.close();
                        return ARENA.obtain(bytes, alignment, life);
                    },
                    "only the allocator ends");
            // The same memory again, while it is in use.
            try (PoolAllocator pool =
                    PoolAllocator.builder().source((_, _, _) -> Optional.of(global)).build()) {
                MemorySegment first = pool.allocate(100, 8);
                assertThatExceptionOfType(AllocationException.class)
                        .isThrownBy(() -> pool.allocate(4 << 20, 8))
                        .withMessageContaining("in use");
                pool.free(first);
            }
        }
        assertThatIllegalArgumentException()
                .isThrownBy(() -> PoolAllocator.builder().source(new OddRanges()).build())
                .withMessageContaining("rangeBytes=1000");
    }

    private record OddRanges() implements MemorySource {
        @Override
        public Optional<MemorySegment> obtain(long bytes, long alignment, Arena lifetime) {
            return Optional.empty();
        }

        @Override
        public long rangeBytes() {
            return 1000;
        }
    }

    @Test
    @DisplayName("The size of ranges is read once: what a source returns later is not checked")
    void rangeBytes_changedLater_isNotRead() {
        AtomicInteger calls = new AtomicInteger();
        MemorySource source =
                new MemorySource() {
                    @Override
                    public Optional<MemorySegment> obtain(
                            long bytes, long alignment, Arena lifetime) {
                        return Optional.of(lifetime.allocate(bytes, alignment));
                    }

                    @Override
                    public long rangeBytes() {
                        return calls.getAndIncrement() == 0 ? 1 << 20 : -1000;
                    }
                };
        try (PoolAllocator pool = PoolAllocator.builder().source(source).build()) {
            for (int bytes = 1; bytes < 4 << 20; bytes *= 3) {
                pool.free(pool.allocate(bytes, 8));
            }
            pool.trim();
        }
        assertThat(calls).hasValue(1);
    }

    private static void refused(MemorySource source, String why) {
        try (PoolAllocator pool = PoolAllocator.builder().source(source).build()) {
            assertThatExceptionOfType(AllocationException.class)
                    .isThrownBy(() -> pool.allocate(100, 8))
                    .withMessageContaining(why);
        }
    }

    @Test
    @DisplayName("Range listeners see every block's range before it, and its end once")
    void rangeListeners_seeEveryBlock() {
        var mapped = new ConcurrentHashMap<Long, MappedRange>();
        var ended = new ConcurrentLinkedQueue<MappedRange>();
        for (boolean supplied : new boolean[] {false, true}) {
            mapped.clear();
            ended.clear();
            PoolAllocator.Builder builder =
                    PoolAllocator.builder()
                            .onRangeMapped(range -> mapped.put(range.address(), range))
                            .onRangeUnmapped(ended::add);
            PoolAllocator pool = (supplied ? builder.source(ARENA) : builder).build();
            List<MemorySegment> blocks = new ArrayList<>();
            for (long bytes : new long[] {8, 1000, 100_000, 9 << 20}) {
                MemorySegment block = pool.allocate(bytes, 8);
                assertThat(mapped.values()).anyMatch(range -> contains(range, block));
                blocks.add(block);
            }
            MemorySegment grown = pool.reallocate(blocks.removeLast(), 40 << 20, 8);
            assertThat(mapped.values()).anyMatch(range -> contains(range, grown));
            blocks.add(grown);
            blocks.forEach(pool::free);
            pool.close();
            assertThat(ended).containsExactlyInAnyOrderElementsOf(mapped.values());
        }
    }

    private static boolean contains(MappedRange range, MemorySegment block) {
        return range.address() <= block.address()
                && block.address() + block.byteSize() <= range.address() + range.byteSize();
    }

    @Test
    @DisplayName("A listener that fails ends the request and the range")
    void rangeListener_throws_refusesTheRequest() {
        List<Long> ended = new ArrayList<>();
        try (PoolAllocator pool =
                PoolAllocator.builder()
                        .onRangeMapped(
                                _ -> {
                                    throw new IllegalStateException("no room to register");
                                })
                        .onRangeUnmapped(range -> ended.add(range.address()))
                        .build()) {
            assertThatExceptionOfType(AllocationException.class)
                    .isThrownBy(() -> pool.allocate(100, 8))
                    .withMessageContaining("no room to register");
            assertThat(ended).isNotEmpty();
            assertThat(pool.stats().capacityBytes()).isZero();
        }
    }

    @Test
    @DisplayName(
            "A listener that requests memory of its own allocator is refused, not called again")
    void allocate_listenerUsesItsAllocator_isRefused() {
        AtomicReference<PoolAllocator> self = new AtomicReference<>();
        AtomicInteger calls = new AtomicInteger();
        PoolAllocator pool =
                PoolAllocator.builder()
                        .onRangeMapped(
                                _ -> {
                                    calls.incrementAndGet();
                                    self.get().allocate(100, 8);
                                })
                        .onRangeUnmapped(_ -> self.get().allocate(100, 8))
                        .build();
        self.set(pool);
        assertThatExceptionOfType(AllocationException.class)
                .isThrownBy(() -> pool.allocate(3 << 20, 8))
                .withMessageContaining("a range listener requests memory of its own allocator");
        assertThat(calls.get()).isPositive();
        assertThat(pool.stats().liveBlocks()).isZero();
        pool.close();
        assertThat(pool.charged()).isZero();
    }

    @Test
    @DisplayName("A source and a listener that throw errors while memory is released lose none")
    void close_releaseThrowsErrors_endsAllMemory() {
        List<Arena> lifetimes = new ArrayList<>();
        MemorySource source =
                new MemorySource() {
                    @Override
                    public Optional<MemorySegment> obtain(long bytes, long alignment, Arena life) {
                        lifetimes.add(life);
                        return Optional.of(life.allocate(bytes, alignment));
                    }

                    @Override
                    public void release(MemorySegment memory) {
                        throw new NoClassDefFoundError("of the source");
                    }
                };
        PoolAllocator pool =
                PoolAllocator.builder()
                        .source(source)
                        .onRangeUnmapped(
                                _ -> {
                                    throw new NoClassDefFoundError("of the listener");
                                })
                        .build();
        List<MemorySegment> blocks = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            blocks.add(pool.allocate(3 << 20, 8));
        }
        blocks.add(pool.allocate(100, 8));
        blocks.forEach(pool::free);
        pool.close();
        assertThat(lifetimes).hasSizeGreaterThan(1).noneMatch(life -> life.scope().isAlive());
        assertThat(pool.charged()).isZero();
    }

    @Test
    @DisplayName("A source and a listener that throw what Java checks refuse the request")
    void allocate_checkedException_isRefusedAndLosesNothing() {
        List<Arena> lifetimes = new ArrayList<>();
        AtomicInteger calls = new AtomicInteger();
        MemorySource source =
                (bytes, alignment, lifetime) -> {
                    lifetimes.add(lifetime);
                    if (calls.getAndIncrement() % 2 == 0) {
                        throw unchecked(new InterruptedException("of the source"));
                    }
                    return Optional.of(lifetime.allocate(bytes, alignment));
                };
        PoolAllocator pool =
                PoolAllocator.builder()
                        .source(source)
                        .onRangeMapped(
                                _ -> {
                                    throw unchecked(new InterruptedException("of the listener"));
                                })
                        .build();
        for (int i = 0; i < 4; i++) {
            assertThatExceptionOfType(AllocationException.class)
                    .isThrownBy(() -> pool.allocate(3 << 20, 8))
                    .withMessageContaining("InterruptedException");
        }
        pool.close();
        assertThat(calls.get()).isGreaterThan(1);
        assertThat(lifetimes).noneMatch(life -> life.scope().isAlive());
        assertThat(pool.charged()).isZero();
    }

    /** As other languages throw it. */
    @SuppressWarnings("unchecked") // T is not looked at
    private static <T extends Exception> RuntimeException unchecked(Exception thrown) throws T {
        throw (T) thrown;
    }

    @Test
    @DisplayName("Overlapping memory is refused also while other such memory is")
    void allocate_overlappingMemoryInTwoThreads_refusesAll() throws Exception {
        MemorySegment all = Arena.global().allocate(8 << 20, 1 << 20);
        AtomicInteger calls = new AtomicInteger();
        MemorySource source =
                (bytes, _, _) -> {
                    int call = calls.getAndIncrement();
                    return Optional.of(call == 0 ? all : all.asSlice((1 + call % 7L) << 20, bytes));
                };
        try (PoolAllocator pool = PoolAllocator.builder().source(source).cacheBytes(0, 0).build()) {
            MemorySegment block = pool.allocate(7 << 20, 8);
            CompletableFuture<Integer> other = CompletableFuture.supplyAsync(() -> obtained(pool));
            assertThat(obtained(pool) + other.get(5, TimeUnit.MINUTES)).isZero();
            pool.free(block);
        }
    }

    private static int obtained(PoolAllocator pool) {
        int obtained = 0;
        for (int i = 0; i < 2_000; i++) {
            obtained += pool.tryAllocate(1 << 20, 8).isPresent() ? 1 : 0;
        }
        return obtained;
    }

    @Test
    @DisplayName("Memory of a source that a call uses ends after that call, without a failure")
    void free_memoryInUse_endsLater() {
        List<MemorySegment> obtained = new ArrayList<>();
        List<MemorySegment> released = new ArrayList<>();
        MemorySource source =
                new MemorySource() {
                    @Override
                    public Optional<MemorySegment> obtain(
                            long bytes, long alignment, Arena lifetime) {
                        obtained.add(lifetime.allocate(bytes, alignment));
                        return Optional.of(obtained.getLast());
                    }

                    @Override
                    public void release(MemorySegment memory) {
                        released.add(memory);
                    }
                };
        PoolAllocator pool = PoolAllocator.builder().source(source).build();
        MemorySegment small = pool.allocate(64, 8);
        MemorySegment large = pool.allocate(5 << 20, 8);
        assertThat(obtained).hasSize(2);
        Runnable ending =
                () -> {
                    pool.free(small);
                    pool.free(large);
                    pool.trim();
                    pool.close();
                    assertThat(obtained).allMatch(memory -> memory.scope().isAlive());
                };
        HeldByC.during(obtained.getFirst(), () -> HeldByC.during(obtained.getLast(), ending));
        Await.until(
                "the ends of both lifetimes",
                () -> obtained.stream().noneMatch(memory -> memory.scope().isAlive()));
        assertThat(released).containsExactlyInAnyOrderElementsOf(obtained);
    }

    @Test
    @DisplayName("A source and a listener may wait for a thread that reads statistics")
    void trim_listenerWaitsForStatistics_returns() {
        AtomicReference<PoolAllocator> pool = new AtomicReference<>();
        AtomicInteger calls = new AtomicInteger();
        Runnable waiting =
                () -> {
                    CompletableFuture.supplyAsync(() -> pool.get().stats())
                            .orTimeout(5, TimeUnit.MINUTES)
                            .join();
                    calls.incrementAndGet();
                };
        MemorySource source =
                new MemorySource() {
                    @Override
                    public Optional<MemorySegment> obtain(
                            long bytes, long alignment, Arena lifetime) {
                        return Optional.of(lifetime.allocate(bytes, alignment));
                    }

                    @Override
                    public void release(MemorySegment memory) {
                        waiting.run();
                    }
                };
        pool.set(
                PoolAllocator.builder().source(source).onRangeUnmapped(_ -> waiting.run()).build());
        pool.get().free(pool.get().allocate(64, 8));
        pool.get().trim();
        pool.get().free(pool.get().allocate(5 << 20, 8));
        pool.get().close();
        assertThat(calls).hasValue(4);
        assertThat(pool.get().stats().capacityBytes()).isZero();
    }
}
