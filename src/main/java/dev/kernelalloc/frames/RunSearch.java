package dev.kernelalloc.frames;

import org.jspecify.annotations.Nullable;

import java.util.Arrays;
import java.util.Comparator;

/**
 * Finds units of memory that lie side by side in physical memory, in whatever order they are
 * mapped. Arithmetic alone.
 */
final class RunSearch {

    /**
     * Units in ascending physical order, and where the block begins.
     *
     * @param units by their numbers in the order of the mapping
     * @param offset of the block in the first of them
     * @param pieces that they are mapped in: 1 when they lie side by side there as well
     */
    record Found(int[] units, long offset, int pieces) {}

    private RunSearch() {}

    /**
     * The place of a block that takes the fewest pieces; null when there is none of so few.
     *
     * @param addresses physical, of each unit; {@link Translation#UNKNOWN} for none
     * @param unitBytes a power of two
     * @param mostPieces at least 1
     */
    static @Nullable Found find(
            long[] addresses, long unitBytes, Placement placement, int mostPieces) {
        int[] order = ascending(addresses);
        Found best = null;
        int from = 0;
        while (from < order.length) {
            int to = from + 1;
            while (to < order.length
                    && addresses[order[to]] - addresses[order[to - 1]] == unitBytes) {
                to++;
            }
            Found found = inRun(addresses, unitBytes, placement, order, from, to);
            if (found != null
                    && found.pieces <= mostPieces
                    && (best == null || found.pieces < best.pieces)) {
                best = found;
            }
            from = to;
        }
        return best;
    }

    /** The longest run in bytes. */
    static long longestBytes(long[] addresses, long unitBytes) {
        int[] order = ascending(addresses);
        long longest = 0;
        long run = 0;
        for (int i = 0; i < order.length; i++) {
            boolean next = i > 0 && addresses[order[i]] - addresses[order[i - 1]] == unitBytes;
            run = next ? run + unitBytes : unitBytes;
            longest = Math.max(longest, run);
        }
        return longest;
    }

    private static @Nullable Found inRun(
            long[] addresses, long unitBytes, Placement placement, int[] order, int from, int to) {
        long start = addresses[order[from]];
        long place = placement.firstFit(start, (to - from) * unitBytes);
        if (place == Placement.NONE) {
            return null;
        }
        int first = from + (int) ((place - start) / unitBytes);
        int last = from + (int) ((place + placement.bytes() - 1 - start) / unitBytes);
        int[] units = Arrays.copyOfRange(order, first, last + 1);
        int pieces = 1;
        for (int i = 1; i < units.length; i++) {
            pieces += units[i] == units[i - 1] + 1 ? 0 : 1;
        }
        return new Found(units, (place - start) % unitBytes, pieces);
    }

    private static int[] ascending(long[] addresses) {
        Integer[] order = new Integer[addresses.length];
        Arrays.setAll(order, i -> i);
        Arrays.sort(order, Comparator.comparingLong(i -> addresses[i]));
        return Arrays.stream(order)
                .mapToInt(Integer::intValue)
                .filter(i -> addresses[i] != Translation.UNKNOWN)
                .toArray();
    }
}
