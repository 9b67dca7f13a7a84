package dev.kernelalloc.arena;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.kernelalloc.PackageAccess;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.os.FakeOperatingSystem;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;

/**
 * Threads that meet in one shared arena. The fake system sees what is given back, and how often.
 */
@SuppressWarnings("try") // closing is what is tested
class SharedArenaRaceTest {

    private static final int THREADS = 4;

    private final FakeOperatingSystem os = new FakeOperatingSystem();
    private final PoolAllocator pool = PackageAccess.build(PoolAllocator.builder(), os);

    @AfterEach
    void nothingIsLost() {
        assertThat(pool.stats().liveBlocks()).isZero();
        pool.close();
        long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(5);
        while (os.liveBlocks() > 0 && System.nanoTime() < deadline) {
            pool.trim(); // a thread that has done its work may still be about to die
        }
        os.assertNothingLeaked();
    }

    @Test
    void segmentsOfManyThreadsAreZeroAndNeverOverlap() throws Exception {
        for (int round = 0; round < 20; round++) {
            try (Arena arena = pool.sharedArena()) {
                List<MemorySegment> all = new ArrayList<>();
                for (List<MemorySegment> segments :
                        together(
                                number -> {
                                    List<MemorySegment> mine = new ArrayList<>();
                                    for (int i = 0; i < 500; i++) {
                                        MemorySegment segment = request(arena);
                                        assertThat(ArenaContract.firstOtherThan(segment, (byte) 0))
                                                .isEqualTo(-1);
                                        segment.fill((byte) (number + 1));
                                        mine.add(segment);
                                    }
                                    for (MemorySegment segment : mine) {
                                        assertThat(
                                                        ArenaContract.firstOtherThan(
                                                                segment, (byte) (number + 1)))
                                                .isEqualTo(-1);
                                    }
                                    return mine;
                                })) {
                    all.addAll(segments);
                }
                ArenaContract.assertDisjoint(all);
            }
        }
    }

    /** The others go on until they are refused; none may take the JVM down or keep a block. */
    @Test
    void aCloseAmidAllocationsLosesNothing() throws Exception {
        for (int round = 0; round < 300; round++) {
            Arena arena = pool.sharedArena();
            int pause = ThreadLocalRandom.current().nextInt(50);
            together(
                    number -> {
                        if (number == 0) {
                            for (int i = 0; i < pause; i++) {
                                request(arena);
                            }
                            arena.close();
                            return 0;
                        }
                        int got = 0;
                        try {
                            while (true) {
                                request(arena).fill((byte) -1);
                                got++;
                            }
                        } catch (IllegalStateException e) {
                            return got;
                        }
                    });
            assertThat(pool.stats().liveBlocks()).isZero();
            assertThatIllegalStateException().isThrownBy(() -> arena.allocate(8));
        }
    }

    @Test
    void oneOfManyClosesSucceeds() throws Exception {
        for (int round = 0; round < 100; round++) {
            Arena arena = pool.sharedArena();
            arena.allocate(100);
            arena.allocate(100_000);
            List<Boolean> closed =
                    together(
                            _ -> {
                                try {
                                    arena.close();
                                    return true;
                                } catch (IllegalStateException e) {
                                    return false;
                                }
                            });
            assertThat(closed).containsOnlyOnce(true);
            assertThat(pool.stats().liveBlocks()).isZero();
        }
    }

    /** The first chunk is the one that all threads want at once. */
    @Test
    void ofChunksTakenTogetherOneStays() throws Exception {
        for (int round = 0; round < 200; round++) {
            try (Arena arena = pool.sharedArena()) {
                together(_ -> arena.allocate(8, 8));
                assertThat(pool.stats().liveBlocks()).isEqualTo(1);
            }
        }
    }

    private static MemorySegment request(Arena arena) {
        ThreadLocalRandom random = ThreadLocalRandom.current();
        int kind = random.nextInt(40);
        if (kind == 0) {
            return arena.allocate(20_000, 8);
        }
        if (kind == 1) {
            return arena.allocate(8, 4096);
        }
        if (kind == 2) {
            return arena.allocate(0);
        }
        return arena.allocate(random.nextInt(1, 200), 1L << random.nextInt(7));
    }

    private interface Part<T> {
        T play(int number) throws Exception;
    }

    private static <T> List<T> together(Part<T> part) throws Exception {
        CyclicBarrier start = new CyclicBarrier(THREADS);
        try (ExecutorService threads = Executors.newFixedThreadPool(THREADS)) {
            List<Future<T>> parts = new ArrayList<>();
            for (int i = 0; i < THREADS; i++) {
                int number = i;
                Callable<T> task =
                        () -> {
                            start.await();
                            return part.play(number);
                        };
                parts.add(threads.submit(task));
            }
            List<T> results = new ArrayList<>();
            for (Future<T> result : parts) {
                results.add(result.get());
            }
            return Collections.unmodifiableList(results);
        }
    }
}
