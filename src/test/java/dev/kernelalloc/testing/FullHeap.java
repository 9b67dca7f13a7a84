package dev.kernelalloc.testing;

/** A Java heap that is full. */
public final class FullHeap {

    private FullHeap() {}

    /** Allocates everything but the last bytes; reachable through the first element. */
    public static Object[] fill() {
        return fill(1 << 20, 16, 2);
    }

    /**
     * Allocates arrays while there is room for one of the smallest.
     *
     * @param step by which the next smaller array is divided
     */
    public static Object[] fill(int largestBytes, int smallestBytes, int step) {
        Object[] all = new Object[1];
        for (int bytes = largestBytes; bytes >= smallestBytes; bytes /= step) {
            try {
                while (true) {
                    Object[] next = new Object[] {all[0], new byte[bytes]};
                    all[0] = next;
                }
            } catch (OutOfMemoryError _) {
                // smaller ones
            }
        }
        return all;
    }
}
