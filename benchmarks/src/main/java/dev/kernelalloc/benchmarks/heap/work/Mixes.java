package dev.kernelalloc.benchmarks.heap.work;

import dev.kernelalloc.benchmarks.Figure;
import dev.kernelalloc.benchmarks.heap.Blocks;
import dev.kernelalloc.benchmarks.heap.CFunctions;
import dev.kernelalloc.benchmarks.heap.Memory;
import dev.kernelalloc.benchmarks.heap.Xorshift;

import java.io.IOException;

/**
 * Resident memory of a program that changes the sizes it uses: 24 MiB are alive all the time, and
 * in each of 14 mixes blocks chosen at random are replaced until three times as many bytes have
 * been allocated. So about one byte in twenty of a mix outlives it. The worst ratio of resident to
 * live bytes at the end of a mix is reported, of the second time that all is done: the first
 * compiles, with an eighth of the blocks, since a peer may keep what is free.
 */
final class Mixes {

    private static final long LIVE_BYTES = 24 << 20;
    private static final int TURNOVERS = 3;
    private static final int LEAST_BYTES = 16;
    private static final int COMPILING_SHARE = 8;
    private static final int SETTLE_MILLIS = 1000;

    /** The smallest size of each mix is 16 bytes shifted by this; the largest four times that. */
    private static final int[] SHIFTS = {0, 6, 1, 7, 2, 8, 3, 5, 0, 8, 4, 1, 7, 3};

    private final Blocks blocks;
    private final Xorshift random = new Xorshift(0);
    private final int[] sizes;

    /** The slots of live blocks, then the empty ones. */
    private final int[] slots;

    private int count;
    private long live;

    private Mixes(Memory memory) {
        int most = (int) (LIVE_BYTES / LEAST_BYTES) + 1;
        this.blocks = memory.blocks(most);
        this.sizes = new int[most];
        this.slots = new int[most];
        for (int i = 0; i < most; i++) {
            slots[i] = i;
        }
    }

    static void run(Memory memory) throws Exception {
        Mixes mixes = new Mixes(memory);
        mixes.worst(0, LIVE_BYTES / COMPILING_SHARE);
        mixes.freeAll(memory);
        double start = Resident.mebibytes();
        Report.print(Figure.SPREAD, mixes.worst(start, LIVE_BYTES));
        mixes.freeAll(memory);
        Report.print(Figure.TRIMMED, Resident.mebibytes() - start);
    }

    private double worst(double start, long most) throws IOException {
        double worst = 0;
        for (int shift : SHIFTS) {
            replace(LEAST_BYTES << shift, most);
            double resident = Resident.mebibytes() - start;
            worst = Math.max(worst, resident * (1 << 20) / most);
        }
        return worst;
    }

    private void freeAll(Memory memory) throws InterruptedException {
        while (count > 0) {
            free(count - 1);
        }
        memory.trim();
        Thread.sleep(SETTLE_MILLIS);
    }

    private void replace(int least, long most) {
        for (long allocated = 0; allocated < TURNOVERS * most; ) {
            int size = least + random.below(3 * least) & -8;
            while (live + size > most) {
                free(random.below(count));
            }
            allocate(size);
            allocated += size;
        }
    }

    private void allocate(int size) {
        int slot = slots[count++];
        sizes[slot] = size;
        live += size;
        blocks.allocate(slot, size, CFunctions.NATURAL_ALIGNMENT, slot);
    }

    private void free(int at) {
        int slot = slots[at];
        slots[at] = slots[--count];
        slots[count] = slot;
        live -= sizes[slot];
        blocks.free(slot);
    }
}
