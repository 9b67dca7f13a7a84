package dev.kernelalloc.os;

import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import dev.kernelalloc.bulk.BulkMemory;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;

/**
 * Creates segments from addresses: the one place where the library vouches for memory outside the
 * JVM's control.
 */
@SuppressWarnings("restricted")
public final class NativeMemory {

    /**
     * All there is; an access through it makes no Java object. It never leaves the library: not as
     * the data of a class, nor as a slice.
     */
    public static final MemorySegment EVERYTHING = segment(0, Long.MAX_VALUE);

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
        BulkMemory.copy(EVERYTHING, from, EVERYTHING, to, bytes);
    }

    /** Exchanges the contents of two places that the caller owns: the same one, or apart. */
    public static void swap(long one, long other, long bytes) {
        BulkMemory.swap(EVERYTHING, one, EVERYTHING, other, bytes);
    }

    /** Fills memory that the caller owns with copies of another segment. */
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
     * Writes zeros to memory that the caller owns, by a call that HotSpot never inlines: the method
     * has more byte code than {@code FreqInlineSize}. So a caller may be many calls deep, and does
     * not become too large to be inlined itself: HotSpot stops inlining into a method that has come
     * to 18,000 nodes ({@code NodeCountInliningCutoff}), and each access to a segment takes seven
     * hundred of them.
     *
     * @param bytes at least 0; they are rounded up to a multiple of 8, as the sizes of blocks are
     */
    @SuppressWarnings("fallthrough")
    public static void zero(long address, long bytes) {
        switch (bytes > 16 * Long.BYTES ? -1 : (int) bytes + 7 >>> 3) {
            case 16:
                EVERYTHING.set(JAVA_LONG_UNALIGNED, address + 120, 0);
            case 15:
                EVERYTHING.set(JAVA_LONG_UNALIGNED, address + 112, 0);
            case 14:
                EVERYTHING.set(JAVA_LONG_UNALIGNED, address + 104, 0);
            case 13:
                EVERYTHING.set(JAVA_LONG_UNALIGNED, address + 96, 0);
            case 12:
                EVERYTHING.set(JAVA_LONG_UNALIGNED, address + 88, 0);
            case 11:
                EVERYTHING.set(JAVA_LONG_UNALIGNED, address + 80, 0);
            case 10:
                EVERYTHING.set(JAVA_LONG_UNALIGNED, address + 72, 0);
            case 9:
                EVERYTHING.set(JAVA_LONG_UNALIGNED, address + 64, 0);
            case 8:
                EVERYTHING.set(JAVA_LONG_UNALIGNED, address + 56, 0);
            case 7:
                EVERYTHING.set(JAVA_LONG_UNALIGNED, address + 48, 0);
            case 6:
                EVERYTHING.set(JAVA_LONG_UNALIGNED, address + 40, 0);
            case 5:
                EVERYTHING.set(JAVA_LONG_UNALIGNED, address + 32, 0);
            case 4:
                EVERYTHING.set(JAVA_LONG_UNALIGNED, address + 24, 0);
            case 3:
                EVERYTHING.set(JAVA_LONG_UNALIGNED, address + 16, 0);
            case 2:
                EVERYTHING.set(JAVA_LONG_UNALIGNED, address + 8, 0);
            case 1:
                EVERYTHING.set(JAVA_LONG_UNALIGNED, address, 0);
            case 0:
                return;
            default:
                zeroMany(segment(address, bytes + 7 & -8));
        }
    }

    /** From the first size on the JIT's vectors are faster than the JDK's stub, to the second. */
    private static void zeroMany(MemorySegment words) {
        if (words.byteSize() < 512 || words.byteSize() > 1 << 20) {
            BulkMemory.fill(words, (byte) 0);
            return;
        }
        int bytes = (int) words.byteSize();
        for (int offset = 0; offset < bytes; offset += Long.BYTES) {
            words.set(JAVA_LONG_UNALIGNED, offset, 0);
        }
    }
}
