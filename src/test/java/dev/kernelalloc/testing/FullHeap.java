package dev.kernelalloc.testing;

/** A Java heap that is full. */
public final class FullHeap {

    private FullHeap() {}

    /** Allocates everything but the last bytes; reachable through the first element. */
    public static Object[] fill() {
        Object[] all = new Object[1];
        for (int bytes = 1 << 20; bytes >= 16; bytes /= 2) {
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
