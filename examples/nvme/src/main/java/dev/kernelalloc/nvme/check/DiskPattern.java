package dev.kernelalloc.nvme.check;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Contents that depend on the offset on the disk and on the round of writing: misplaced data, data
 * of an earlier round and data that never arrived differ.
 */
final class DiskPattern {

    private static final ValueLayout.OfLong LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private DiskPattern() {}

    /** Fills memory, a multiple of 8 bytes, with the pattern for an offset of the disk. */
    static void fill(MemorySegment memory, long diskOffset, long round) {
        for (long at = 0; at < memory.byteSize(); at += Long.BYTES) {
            memory.set(LONG, at, word(diskOffset + at, round));
        }
    }

    /**
     * Returns how many bytes of memory are in words that differ from the pattern for an offset of
     * the disk.
     */
    static long wrongBytes(MemorySegment memory, long diskOffset, long round) {
        long wrong = 0;
        for (long at = 0; at < memory.byteSize(); at += Long.BYTES) {
            if (memory.get(LONG, at) != word(diskOffset + at, round)) {
                wrong += Long.BYTES;
            }
        }
        return wrong;
    }

    /** Returns the finalizer of splitmix64 over both. */
    private static long word(long diskOffset, long round) {
        long z = diskOffset + round * 0x9e3779b97f4a7c15L;
        z = (z ^ z >>> 30) * 0xbf58476d1ce4e5b9L;
        z = (z ^ z >>> 27) * 0x94d049bb133111ebL;
        return z ^ z >>> 31;
    }
}
