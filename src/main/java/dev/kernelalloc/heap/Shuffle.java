package dev.kernelalloc.heap;

import java.util.concurrent.ThreadLocalRandom;

/** Puts the blocks of a magazine into random order (Fisher and Yates). */
final class Shuffle {

    private Shuffle() {}

    static void blocks(long[] magazine) {
        ThreadLocalRandom random = ThreadLocalRandom.current();
        for (int i = Magazine.size(magazine) - 1; i > 0; i--) {
            int j = random.nextInt(i + 1);
            long block = magazine[Magazine.FIRST + i];
            magazine[Magazine.FIRST + i] = magazine[Magazine.FIRST + j];
            magazine[Magazine.FIRST + j] = block;
        }
    }
}
