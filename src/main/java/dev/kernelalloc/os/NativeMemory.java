package dev.kernelalloc.os;

import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;

/**
 * Segments from addresses: the one place where the library vouches for memory that the JVM knows
 * nothing about.
 */
@SuppressWarnings("restricted")
public final class NativeMemory {

    /** All there is; who reads and writes through it needs no room on the Java heap. */
    private static final MemorySegment EVERYTHING = segment(0, Long.MAX_VALUE);

    private NativeMemory() {}

    /** Reads eight bytes of memory that the caller owns. */
    public static long word(long address) {
        return EVERYTHING.get(JAVA_LONG_UNALIGNED, address);
    }

    /** Writes eight bytes of memory that the caller owns. */
    public static void word(long address, long value) {
        EVERYTHING.set(JAVA_LONG_UNALIGNED, address, value);
    }

    /** Copies memory that the caller owns. */
    public static void copy(long from, long to, long bytes) {
        MemorySegment.copy(EVERYTHING, from, EVERYTHING, to, bytes);
    }

    /** Fills memory that the caller owns with copies of what stands in another segment. */
    public static void fill(long address, long bytes, MemorySegment with) {
        for (long done = 0; done < bytes; done += with.byteSize()) {
            long part = Math.min(with.byteSize(), bytes - done);
            MemorySegment.copy(with, 0, EVERYTHING, address + done, part);
        }
    }

    /** A segment that never dies, for any thread. */
    public static MemorySegment segment(long address, long bytes) {
        return MemorySegment.ofAddress(address).reinterpret(bytes);
    }

    /**
     * A segment that lives as long as {@code lifetime}, for the threads that may use that arena.
     */
    public static MemorySegment segment(long address, long bytes, Arena lifetime) {
        return MemorySegment.ofAddress(address).reinterpret(bytes, lifetime, null);
    }

    /**
     * The same; when {@code lifetime} is closed, {@code cleanup} gets an equal segment that is
     * still alive.
     */
    public static MemorySegment segment(
            long address, long bytes, Arena lifetime, Consumer<MemorySegment> cleanup) {
        return MemorySegment.ofAddress(address).reinterpret(bytes, lifetime, cleanup);
    }

    /**
     * Writes zeros to memory that the caller owns.
     *
     * <p>Up to eight words each has its store: what is left of it for a size that the JIT knows,
     * and little code for one that it does not. So this can be inlined where {@link
     * MemorySegment#fill} would make the caller too large to be.
     *
     * @param bytes a multiple of 8
     */
    public static void zero(long address, long bytes) {
        MemorySegment words = segment(address, bytes);
        if (bytes > 8 * Long.BYTES) {
            zeroMany(words);
        } else {
            zeroWords(words, (int) bytes / Long.BYTES);
        }
    }

    /** From the first size on the JIT's vectors are faster than the JDK's stub, to the second. */
    private static void zeroMany(MemorySegment words) {
        if (words.byteSize() < 512 || words.byteSize() > 1 << 20) {
            words.fill((byte) 0);
            return;
        }
        int bytes = (int) words.byteSize();
        for (int offset = 0; offset < bytes; offset += Long.BYTES) {
            words.set(JAVA_LONG_UNALIGNED, offset, 0);
        }
    }

    @SuppressWarnings("fallthrough")
    private static void zeroWords(MemorySegment words, int count) {
        switch (count) {
            case 8:
                words.set(JAVA_LONG_UNALIGNED, 56, 0);
            case 7:
                words.set(JAVA_LONG_UNALIGNED, 48, 0);
            case 6:
                words.set(JAVA_LONG_UNALIGNED, 40, 0);
            case 5:
                words.set(JAVA_LONG_UNALIGNED, 32, 0);
            case 4:
                words.set(JAVA_LONG_UNALIGNED, 24, 0);
            case 3:
                words.set(JAVA_LONG_UNALIGNED, 16, 0);
            case 2:
                words.set(JAVA_LONG_UNALIGNED, 8, 0);
            case 1:
                words.set(JAVA_LONG_UNALIGNED, 0, 0);
            default:
        }
    }
}
