package dev.kernelalloc.benchmarks.heap.work;

import dev.kernelalloc.benchmarks.heap.Blocks;
import dev.kernelalloc.benchmarks.heap.Memory;
import dev.kernelalloc.benchmarks.heap.Xorshift;

import java.util.List;
import java.util.stream.IntStream;

/**
 * A server, after P. Larson and M. Krishnan, "Memory allocation for long-running server
 * applications", 1998. Every thread owns 1,000 blocks of 16 to 1,000 bytes and replaces one at
 * random; after 50,000 replacements it ends, and a new thread takes over its blocks. An operation
 * is one replacement.
 */
final class Larson implements Classic {

    private static final int SLOTS = 1000;
    private static final int LEAST_BYTES = 16;
    private static final int MOST_BYTES = 1000;
    private static final int REPLACEMENTS = 50_000;

    private final List<Crew.Worker> workers;

    Larson(Memory memory, int threads) {
        workers =
                IntStream.range(0, threads)
                        .mapToObj(i -> (Crew.Worker) new Generations(new Connection(memory, i)))
                        .toList();
    }

    @Override
    public List<Crew.Worker> begin() {
        return workers;
    }

    private static final class Connection implements Crew.Worker {
        private final Xorshift random;
        private final Blocks blocks;

        Connection(Memory memory, int seed) {
            random = new Xorshift(seed);
            blocks = memory.blocks(SLOTS);
            for (int slot = 0; slot < SLOTS; slot++) {
                blocks.allocate(slot, size(), 8, slot);
            }
        }

        private int size() {
            return LEAST_BYTES + random.below(MOST_BYTES - LEAST_BYTES + 1);
        }

        @Override
        public long work(Crew.Signal stop) {
            int done = 0;
            while (done < REPLACEMENTS && !stop.isSet()) {
                int slot = random.below(SLOTS);
                long value = blocks.free(slot);
                blocks.allocate(slot, size(), 8, value + 1);
                done++;
            }
            return done;
        }
    }
}
