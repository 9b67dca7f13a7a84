package dev.kernelalloc.physical;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.testing.CFunctions;
import dev.kernelalloc.testing.ChildJvm;
import dev.kernelalloc.testing.Stamp;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.FutureTask;

/**
 * A virtual thread below a native frame keeps its carrier, whatever it waits for. With one carrier
 * in all, nobody could end such a wait.
 */
class PinnedThreadsTest {

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void pinnedThreadsAllocateAndFreeOnASingleCarrier(boolean hardened) throws Exception {
        String output =
                ChildJvm.onModulePath()
                        .withNativeAccess()
                        .with(
                                "-Djdk.virtualThreadScheduler.parallelism=1",
                                "-Djdk.virtualThreadScheduler.maxPoolSize=1")
                        .outputOf(SortAndAllocate.class, "" + hardened);
        assertThat(output).contains("2000 threads, 0 live blocks");
    }

    static final class SortAndAllocate {
        private static final int THREADS = 2000;
        private static final int NUMBERS = 20;

        private SortAndAllocate() {}

        static void main(String[] arguments) throws Exception {
            PoolAllocator pool =
                    PoolAllocator.builder().hardened(Boolean.parseBoolean(arguments[0])).build();
            List<FutureTask<Void>> tasks = new ArrayList<>();
            for (int i = 0; i < THREADS; i++) {
                int seed = i;
                FutureTask<Void> task =
                        new FutureTask<>(
                                () -> {
                                    if (seed % 2 == 0) {
                                        sortWithNativeFrame(pool, seed);
                                    } else {
                                        useAndYield(pool, new Random(seed));
                                    }
                                    return null;
                                });
                tasks.add(task);
                Thread.ofVirtual().start(task);
            }
            for (FutureTask<Void> task : tasks) {
                task.get();
            }
            IO.println(THREADS + " threads, " + pool.stats().liveBlocks() + " live blocks");
            pool.close();
        }

        private static void sortWithNativeFrame(PoolAllocator pool, int seed) {
            Random random = new Random(seed);
            MemorySegment numbers =
                    pool.allocateFrom(ValueLayout.JAVA_INT, random.ints(NUMBERS).toArray());
            CFunctions.qsort(
                    numbers,
                    (a, b) -> {
                        useAndYield(pool, random);
                        return Integer.compare(a, b);
                    });
            int[] sorted = numbers.toArray(ValueLayout.JAVA_INT);
            for (int i = 1; i < NUMBERS; i++) {
                if (sorted[i - 1] > sorted[i]) {
                    throw new AssertionError("not sorted");
                }
            }
            pool.free(numbers);
        }

        private static void useAndYield(PoolAllocator pool, Random random) {
            MemorySegment block = pool.allocate(random.nextInt(2000), 8);
            Stamp.write(block, block.address());
            Thread.yield();
            try (Arena arena = pool.arena()) {
                arena.allocate(100).fill((byte) 1);
                Thread.yield();
                Stamp.check(block, block.byteSize(), block.address());
            }
            pool.free(block);
        }
    }
}
