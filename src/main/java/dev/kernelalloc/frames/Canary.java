package dev.kernelalloc.frames;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.MemorySegment;
import java.security.SecureRandom;

/**
 * Random bytes around a block: who writes past its ends without being stopped by a guard page
 * changes them. They are repeated over all that is not the block.
 *
 * @param pattern drawn for one block
 */
public record Canary(byte[] pattern) {

    public static final int BYTES = 16;

    private static final SecureRandom RANDOM = new SecureRandom();

    public static Canary random() {
        byte[] pattern = new byte[BYTES];
        RANDOM.nextBytes(pattern);
        return new Canary(pattern);
    }

    public void write(MemorySegment around) {
        for (long i = 0; i < around.byteSize(); i++) {
            around.set(JAVA_BYTE, i, pattern[(int) (i % BYTES)]);
        }
    }

    /** The offset of the first byte that is not what was written; -1 when all are. */
    public long firstChange(MemorySegment around) {
        for (long i = 0; i < around.byteSize(); i++) {
            if (around.get(JAVA_BYTE, i) != pattern[(int) (i % BYTES)]) {
                return i;
            }
        }
        return -1;
    }
}
