package dev.kernelalloc.benchmarks.heap.work;

import dev.kernelalloc.benchmarks.heap.Blocks;
import dev.kernelalloc.benchmarks.heap.Memory;
import dev.kernelalloc.benchmarks.heap.Xorshift;

import java.util.ArrayList;
import java.util.List;

/**
 * Producers and consumers, after C. Lever and D. Boreham, "malloc() performance in a multithreaded
 * Linux environment", 2000: half of the threads only allocate, the others only free, and batches of
 * 1,024 blocks go from one to the other. An operation is one block.
 */
final class Xmalloc implements Classic {

    private static final int BATCH = 1024;
    private static final int BATCHES_A_PAIR = 8;
    private static final int[] SIZES = {
        16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 32, 48, 64, 96, 128
    };

    private final List<Crew.Worker> workers = new ArrayList<>();

    Xmalloc(Memory memory, int threads) {
        for (int pair = 0; pair < threads / 2; pair++) {
            Handover<Blocks> full = new Handover<>(BATCHES_A_PAIR);
            Handover<Blocks> empty = new Handover<>(BATCHES_A_PAIR);
            for (int i = 0; i < BATCHES_A_PAIR; i++) {
                empty.put(memory.blocks(BATCH));
            }
            Xorshift random = new Xorshift(pair);
            workers.add(stop -> produce(empty, full, random, stop));
            workers.add(stop -> consume(full, empty, stop));
        }
    }

    @Override
    public List<Crew.Worker> begin() {
        return workers;
    }

    /** Counts nothing: a block is done when it has been freed. */
    private static long produce(
            Handover<Blocks> empty, Handover<Blocks> full, Xorshift random, Crew.Signal stop)
            throws InterruptedException {
        Blocks batch;
        while ((batch = empty.take(stop)) != null) {
            for (int slot = 0; slot < BATCH; slot++) {
                batch.allocate(slot, SIZES[(int) random.next() & (SIZES.length - 1)], 8, slot);
            }
            full.put(batch);
        }
        return 0;
    }

    private static long consume(Handover<Blocks> full, Handover<Blocks> empty, Crew.Signal stop)
            throws InterruptedException {
        long operations = 0;
        Blocks batch;
        while ((batch = full.take(stop)) != null) {
            for (int slot = 0; slot < BATCH; slot++) {
                batch.free(slot);
            }
            operations += BATCH;
            empty.put(batch);
        }
        return operations;
    }
}
