package dev.kernelalloc.benchmarks.soak;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A pattern that fills a block, another for every block. Blocks above 8 KiB have it in their first
 * and last 4 KiB and in the first eight bytes of every page between: a million of them are not to
 * be a test of memory.
 */
final class Stamp {

    private static final long ENTIRE_BYTES = 8192;
    private static final long END_BYTES = ENTIRE_BYTES / 2;
    private static final long PAGE_BYTES = 4096;
    private static final long STEP = 0x9E3779B97F4A7C15L;

    private Stamp() {}

    static void write(MemorySegment block, long stamp) {
        long size = block.byteSize();
        if (size <= ENTIRE_BYTES) {
            write(block, 0, size, stamp);
            return;
        }
        write(block, 0, END_BYTES, stamp);
        for (long at = END_BYTES; at + Long.BYTES <= size - END_BYTES; at += PAGE_BYTES) {
            write(block, at, at + Long.BYTES, stamp);
        }
        write(block, size - END_BYTES, size, stamp);
    }

    /**
     * Verifies a block, or the part of it that reallocation has kept.
     *
     * @param size the stamped size, which determines the places of the stamps
     */
    static void verify(MemorySegment block, long size, long stamp) {
        if (size <= ENTIRE_BYTES) {
            verify(block, 0, size, stamp);
            return;
        }
        verify(block, 0, END_BYTES, stamp);
        for (long at = END_BYTES; at + Long.BYTES <= size - END_BYTES; at += PAGE_BYTES) {
            verify(block, at, at + Long.BYTES, stamp);
        }
        verify(block, size - END_BYTES, size, stamp);
    }

    /** The same of a block that must be zeros throughout. */
    static void verifyZeros(MemorySegment block) {
        long size = block.byteSize();
        long at = 0;
        for (; at + Long.BYTES <= size; at += Long.BYTES) {
            require(block, at, block.get(ValueLayout.JAVA_LONG_UNALIGNED, at), 0);
        }
        for (; at < size; at++) {
            require(block, at, block.get(ValueLayout.JAVA_BYTE, at), 0);
        }
    }

    private static void write(MemorySegment block, long from, long to, long stamp) {
        long at = from;
        for (; at + Long.BYTES <= to; at += Long.BYTES) {
            block.set(ValueLayout.JAVA_LONG_UNALIGNED, at, word(stamp, at));
        }
        for (; at < to; at++) {
            block.set(ValueLayout.JAVA_BYTE, at, octet(stamp, at));
        }
    }

    /** Bytes beyond the end of the block are skipped. */
    private static void verify(MemorySegment block, long from, long to, long stamp) {
        long end = block.byteSize();
        long at = from;
        for (; at + Long.BYTES <= to; at += Long.BYTES) {
            if (at + Long.BYTES <= end) {
                long found = block.get(ValueLayout.JAVA_LONG_UNALIGNED, at);
                require(block, at, found, word(stamp, at));
            }
        }
        for (; at < Math.min(to, end); at++) {
            require(block, at, block.get(ValueLayout.JAVA_BYTE, at), octet(stamp, at));
        }
    }

    private static void require(MemorySegment block, long at, long found, long expected) {
        if (found != expected) {
            throw new IllegalStateException(
                    "wrong content: expected %#x, found %#x at %d of %s"
                            .formatted(expected, found, at, block));
        }
    }

    private static long word(long stamp, long at) {
        return stamp + at * STEP;
    }

    private static byte octet(long stamp, long at) {
        return (byte) (stamp + at);
    }
}
