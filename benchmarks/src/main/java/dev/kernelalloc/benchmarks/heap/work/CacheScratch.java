package dev.kernelalloc.benchmarks.heap.work;

import dev.kernelalloc.benchmarks.heap.Blocks;
import dev.kernelalloc.benchmarks.heap.Memory;

import java.util.List;
import java.util.stream.IntStream;

/**
 * Passive false sharing, after E. Berger and others, "Hoard: a scalable memory allocator", 2000.
 * One thread allocates a small block for every worker; each frees its own, and then again and again
 * allocates one, writes to it 100 times and frees it. An allocator that gives neighbours of one
 * cache line to two threads is slow here. An operation is one block with its writes.
 */
final class CacheScratch implements Classic {

    private static final int BYTES = 8;
    private static final int WRITES = 100;

    private final Memory memory;
    private final int threads;

    CacheScratch(Memory memory, int threads) {
        this.memory = memory;
        this.threads = threads;
    }

    @Override
    public List<Crew.Worker> begin() {
        Blocks handedOut = memory.blocks(threads);
        for (int slot = 0; slot < threads; slot++) {
            handedOut.allocate(slot, BYTES, BYTES, slot);
        }
        return IntStream.range(0, threads)
                .mapToObj(slot -> (Crew.Worker) stop -> scratch(handedOut, slot, stop))
                .toList();
    }

    private long scratch(Blocks handedOut, int mine, Crew.Signal stop) {
        handedOut.free(mine);
        Blocks own = memory.blocks(1);
        long operations = 0;
        while (!stop.isSet()) {
            own.allocate(0, BYTES, BYTES, operations);
            own.write(0, WRITES);
            own.free(0);
            operations++;
        }
        return operations;
    }
}
