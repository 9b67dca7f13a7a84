package dev.kernelalloc.os;

import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import dev.kernelalloc.bulk.BulkMemory;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
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

    @SuppressWarnings("FieldMayBeFinal") // see zeroByCall
    private static MethodHandle zeroing;

    static {
        try {
            zeroing =
                    MethodHandles.lookup()
                            .findStatic(
                                    NativeMemory.class,
                                    "zeroWords",
                                    MethodType.methodType(void.class, long.class, long.class));
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

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
     * Writes zeros to memory that the caller owns.
     *
     * <p>Few bytes word by word, in a loop. Eight stores would compile to the same code for a
     * constant size; but HotSpot stops inlining into a method that has come to 18,000 nodes ({@code
     * NodeCountInliningCutoff}), and each access to a segment takes seven hundred of them.
     *
     * @param bytes a multiple of 8
     */
    public static void zero(long address, long bytes) {
        if (bytes > 8 * Long.BYTES) {
            zeroMany(segment(address, bytes));
            return;
        }
        int end = (int) bytes;
        for (int offset = 0; offset < end; offset += Long.BYTES) {
            EVERYTHING.set(JAVA_LONG_UNALIGNED, address + offset, 0);
        }
    }

    /**
     * Writes zeros to memory that the caller owns, by a call that HotSpot never inlines: it takes
     * the handle of a field that is not final for one that may change. For callers that would
     * become too large to be inlined themselves.
     *
     * @param bytes that may be written are this many, rounded up to a multiple of 8
     */
    public static void zeroByCall(long address, long bytes) {
        try {
            zeroing.invokeExact(address, bytes + 7 & -8);
        } catch (Throwable e) {
            throw unchecked(e);
        }
    }

    /** Not inlined, so the nodes of these eight lines do not count. */
    @SuppressWarnings({"fallthrough", "unused"}) // by zeroing
    private static void zeroWords(long address, long bytes) {
        switch (bytes > 64 ? -1 : (int) bytes >>> 3) {
            case 8:
                word(address + 56, 0);
            case 7:
                word(address + 48, 0);
            case 6:
                word(address + 40, 0);
            case 5:
                word(address + 32, 0);
            case 4:
                word(address + 24, 0);
            case 3:
                word(address + 16, 0);
            case 2:
                word(address + 8, 0);
            case 1:
                word(address, 0);
            case 0:
                return;
            default:
                zeroMany(segment(address, bytes));
        }
    }

    private static RuntimeException unchecked(Throwable e) {
        if (e instanceof Error error) {
            throw error;
        }
        throw new AssertionError(e);
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
