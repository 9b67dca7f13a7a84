package dev.kernelalloc.benchmarks.heap;

import java.util.Arrays;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Sizes as in programs: mostly small, a few large, seldom a power of two; 228 bytes on average. The
 * C program has the same list. The number of blocks of each size among 1,024:
 */
public final class SizeMix {

    private static final int[][] SIZE_AND_WEIGHT = {
        {16, 96}, {24, 128}, {32, 144}, {40, 96}, {48, 96}, {56, 64}, {64, 72}, {80, 52},
        {96, 48}, {120, 40}, {144, 32}, {184, 24}, {256, 32}, {320, 16}, {440, 16}, {512, 16},
        {680, 10}, {1024, 14}, {1400, 6}, {2048, 8}, {3000, 4}, {4096, 5}, {8192, 2}, {12288, 1},
        {16384, 1}, {32768, 1}
    };

    /** A power of two, so that drawing one is a mask and a load. */
    private static final int DRAWS = 1024;

    private static final int[] SIZES =
            Arrays.stream(SIZE_AND_WEIGHT)
                    .flatMapToInt(pair -> IntStream.range(0, pair[1]).map(_ -> pair[0]))
                    .toArray();

    private SizeMix() {}

    /** A size, for a number drawn at random. */
    public static int size(long random) {
        return SIZES[(int) random & (DRAWS - 1)];
    }

    /** As an argument of a program. */
    public static String argument() {
        return "mix="
                + Arrays.stream(SIZE_AND_WEIGHT)
                        .map(pair -> pair[0] + ":" + pair[1])
                        .collect(Collectors.joining(","));
    }
}
