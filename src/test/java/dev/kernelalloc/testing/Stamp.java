package dev.kernelalloc.testing;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Contents that tell whose they are and where they belong: each byte depends on a number and its
 * own offset. All bytes of a small piece of memory are written; of a larger one both ends, and some
 * in each page.
 */
public final class Stamp {

    private static final int WHOLE_BYTES = 2048;
    private static final int END_BYTES = 64;
    private static final int STEP_BYTES = 4096;

    private Stamp() {}

    public static void write(MemorySegment memory, long number) {
        long bytes = memory.byteSize();
        for (long at = 0; at < bytes; at = next(at, bytes)) {
            memory.set(ValueLayout.JAVA_BYTE, at, value(number, at));
        }
    }

    /**
     * Throws unless {@code memory} holds what {@link #write} has written there.
     *
     * @param stampedBytes how large it was when it was written
     */
    public static void check(MemorySegment memory, long stampedBytes, long number) {
        for (long at = 0; at < memory.byteSize(); at = next(at, stampedBytes)) {
            byte found = memory.get(ValueLayout.JAVA_BYTE, at);
            if (found != value(number, at)) {
                throw new AssertionError(
                        "block %d at 0x%x (%d bytes): byte %d is 0x%02x instead of 0x%02x"
                                .formatted(
                                        number,
                                        memory.address(),
                                        stampedBytes,
                                        at,
                                        found,
                                        value(number, at)));
            }
        }
    }

    /** Throws unless every byte is 0. */
    public static void checkZero(MemorySegment memory) {
        long whole = memory.byteSize() & -Long.BYTES;
        for (long at = 0; at < whole; at += Long.BYTES) {
            if (memory.get(ValueLayout.JAVA_LONG_UNALIGNED, at) != 0) {
                throw notZero(memory, at);
            }
        }
        for (long at = whole; at < memory.byteSize(); at++) {
            if (memory.get(ValueLayout.JAVA_BYTE, at) != 0) {
                throw notZero(memory, at);
            }
        }
    }

    private static AssertionError notZero(MemorySegment memory, long at) {
        return new AssertionError(
                "zeroed block at 0x%x (%d bytes): not zero at %d"
                        .formatted(memory.address(), memory.byteSize(), at));
    }

    private static byte value(long number, long at) {
        return (byte) ((number * 0x9E3779B97F4A7C15L >>> 56) + at * 31 | 1);
    }

    private static long next(long at, long bytes) {
        if (bytes <= WHOLE_BYTES || at + 1 < END_BYTES || at + 1 >= bytes - END_BYTES) {
            return at + 1;
        }
        return Math.min((at / STEP_BYTES + 1) * STEP_BYTES, bytes - END_BYTES);
    }
}
