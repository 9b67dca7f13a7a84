package dev.kernelalloc.benchmarks.heap.work;

import dev.kernelalloc.benchmarks.Figure;
import dev.kernelalloc.benchmarks.heap.Blocks;
import dev.kernelalloc.benchmarks.heap.CFunctions;
import dev.kernelalloc.benchmarks.heap.Memory;
import dev.kernelalloc.benchmarks.heap.SizeMix;
import dev.kernelalloc.benchmarks.heap.Xorshift;

import java.util.concurrent.CountDownLatch;

/**
 * What an idle thread keeps: 200 threads allocate 100 blocks of 15 sizes each, up to 440 bytes,
 * free them, and wait. Resident memory and Java heap are compared with those while the same threads
 * had only started; so the part of their stacks that the calls touch counts, too.
 */
final class Idle {

    private static final int THREADS = 200;
    private static final int BLOCKS = 100;
    private static final int MAX_BYTES = 440;
    private static final int WARMING_TIMES = 10_000;
    private static final int SETTLE_MILLIS = 1000;
    private static final double KIBIBYTES = 1024;

    private Idle() {}

    static void run(Memory memory) throws Exception {
        for (int i = 0; i < WARMING_TIMES; i++) {
            allocateAndFree(memory.blocks(BLOCKS), i);
        }
        memory.trim();
        CountDownLatch started = new CountDownLatch(THREADS);
        CountDownLatch begin = new CountDownLatch(1);
        CountDownLatch idle = new CountDownLatch(THREADS);
        for (int i = 0; i < THREADS; i++) {
            Blocks blocks = memory.blocks(BLOCKS);
            int seed = i;
            Thread.ofPlatform()
                    .daemon()
                    .start(
                            () -> {
                                started.countDown();
                                await(begin);
                                allocateAndFree(blocks, seed);
                                idle.countDown();
                                await(new CountDownLatch(1));
                            });
        }
        started.await();
        Thread.sleep(SETTLE_MILLIS);
        double heapBefore = heapBytes();
        double before = Resident.mebibytes();
        begin.countDown();
        idle.await();
        Thread.sleep(SETTLE_MILLIS);
        double resident = Resident.mebibytes() - before;
        Report.print(Figure.OF_A_THREAD, resident * KIBIBYTES / THREADS);
        Report.print(Figure.HEAP_OF_A_THREAD, (heapBytes() - heapBefore) / KIBIBYTES / THREADS);
    }

    private static void allocateAndFree(Blocks blocks, int seed) {
        Xorshift random = new Xorshift(seed);
        for (int slot = 0; slot < BLOCKS; slot++) {
            int size = SizeMix.size(random.next());
            while (size > MAX_BYTES) {
                size = SizeMix.size(random.next());
            }
            blocks.allocate(slot, size, CFunctions.NATURAL_ALIGNMENT, slot);
        }
        for (int slot = 0; slot < BLOCKS; slot++) {
            blocks.free(slot);
        }
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private static double heapBytes() {
        System.gc();
        return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
    }
}
