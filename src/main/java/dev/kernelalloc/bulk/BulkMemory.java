package dev.kernelalloc.bulk;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;

/**
 * Copies, fills and compares memory in pieces, with a safepoint poll after each, so that no other
 * thread waits for the whole.
 *
 * <p>In the JDK each of these operations is one call of a stub, which no safepoint can interrupt. A
 * copy of 512 MiB to pages never touched takes 0.3 s on a fast machine and several seconds on a
 * slow one; until it ends no collection starts, no code is deoptimised and no thread dump is made.
 *
 * <p><b>Keeping the poll.</b> A JIT may drop the poll of a counted loop, one whose stride is a
 * constant: C2 strip-mines it, and polls once in {@code LoopStripMiningIter} = 1,000 iterations,
 * here once a gibibyte. So the size of a piece is read from a field that is not final, which the
 * JIT must take for a variable; the loops of pieces are not counted, and each iteration polls. A
 * comparison is a counted loop, of 512 bytes an iteration: strip-mined, it polls once in half a
 * mebibyte.
 *
 * <p><b>Atomicity.</b> All arguments are checked before the first byte is written. If another
 * thread closes one of the segments during the operation, the pieces before that are written.
 */
public final class BulkMemory {

    /** The most that is done between two polls: 20 to 100 µs, and more where pages are new. */
    public static final int PIECE_BYTES = 1 << 20;

    /** The bytes between two looks for a difference. */
    private static final int COMPARED_BYTES = 512;

    /** The same as a variable: see "Keeping the poll". */
    @SuppressWarnings("FieldMayBeFinal")
    private static long pieceBytes = PIECE_BYTES;

    private BulkMemory() {}

    /**
     * Copies bytes, also between overlapping parts of the same memory.
     *
     * @throws IndexOutOfBoundsException when they do not lie within both segments
     */
    public static void copy(
            MemorySegment source,
            long sourceOffset,
            MemorySegment target,
            long offset,
            long bytes) {
        if (bytes <= PIECE_BYTES) {
            MemorySegment.copy(source, sourceOffset, target, offset, bytes);
        } else {
            copyInPieces(source, sourceOffset, target, offset, bytes);
        }
    }

    /**
     * Exchanges bytes of two places, which are the same or apart, without a third.
     *
     * @throws IndexOutOfBoundsException when they do not lie within both segments
     */
    public static void swap(
            MemorySegment one, long oneOffset, MemorySegment other, long otherOffset, long bytes) {
        long i = 0;
        for (; i <= bytes - Long.BYTES; i += Long.BYTES) {
            long word = one.get(JAVA_LONG_UNALIGNED, oneOffset + i);
            one.set(
                    JAVA_LONG_UNALIGNED,
                    oneOffset + i,
                    other.get(JAVA_LONG_UNALIGNED, otherOffset + i));
            other.set(JAVA_LONG_UNALIGNED, otherOffset + i, word);
        }
        for (; i < bytes; i++) {
            byte last = one.get(JAVA_BYTE, oneOffset + i);
            one.set(JAVA_BYTE, oneOffset + i, other.get(JAVA_BYTE, otherOffset + i));
            other.set(JAVA_BYTE, otherOffset + i, last);
        }
    }

    /** From the end where the target begins inside the source, so that nothing is lost. */
    private static void copyInPieces(
            MemorySegment source,
            long sourceOffset,
            MemorySegment target,
            long offset,
            long bytes) {
        Objects.checkFromIndexSize(sourceOffset, bytes, source.byteSize());
        Objects.checkFromIndexSize(offset, bytes, target.byteSize());
        long distance = target.address() + offset - source.address() - sourceOffset;
        boolean fromTheEnd = distance > 0 && distance < bytes;
        long piece = pieceBytes;
        long done = 0;
        while (done < bytes) {
            long part = Math.min(piece, bytes - done);
            long at = fromTheEnd ? bytes - done - part : done;
            MemorySegment.copy(source, sourceOffset + at, target, offset + at, part);
            done += part;
        }
    }

    /**
     * Copies values into a whole Java array of primitives.
     *
     * @param layout of a value in memory
     * @param length of the array
     */
    public static void copy(
            MemorySegment source, ValueLayout layout, long offset, Object array, int length) {
        if (length <= PIECE_BYTES / Long.BYTES) {
            MemorySegment.copy(source, layout, offset, array, 0, length);
            return;
        }
        long bytes = layout.byteSize();
        int piece = (int) (pieceBytes / bytes);
        int done = 0;
        while (done < length) {
            int part = Math.min(piece, length - done);
            MemorySegment.copy(source, layout, offset + done * bytes, array, done, part);
            done += part;
        }
    }

    /**
     * Copies a whole Java array of primitives to memory.
     *
     * @param length of the array
     * @param layout of a value in memory
     */
    public static void copy(
            Object array, int length, MemorySegment target, ValueLayout layout, long offset) {
        if (length <= PIECE_BYTES / Long.BYTES) {
            MemorySegment.copy(array, 0, target, layout, offset, length);
            return;
        }
        long bytes = layout.byteSize();
        int piece = (int) (pieceBytes / bytes);
        int done = 0;
        while (done < length) {
            int part = Math.min(piece, length - done);
            MemorySegment.copy(array, done, target, layout, offset + done * bytes, part);
            done += part;
        }
    }

    /** Returns the bytes of a segment in a Java array. */
    public static byte[] toByteArray(MemorySegment segment) {
        byte[] bytes = new byte[Math.toIntExact(segment.byteSize())];
        copy(segment, 0, MemorySegment.ofArray(bytes), 0, bytes.length);
        return bytes;
    }

    /** Writes one value to all bytes of a segment. */
    public static void fill(MemorySegment segment, byte value) {
        long bytes = segment.byteSize();
        if (bytes <= PIECE_BYTES) {
            segment.fill(value);
            return;
        }
        long piece = pieceBytes;
        long done = 0;
        while (done < bytes) {
            long part = Math.min(piece, bytes - done);
            segment.asSlice(done, part).fill(value);
            done += part;
        }
    }

    /**
     * Copies the first bytes of a segment over all others, again and again.
     *
     * @param unit how many are repeated; the last copy may be a part
     */
    public static void repeat(MemorySegment segment, long unit) {
        long bytes = segment.byteSize();
        if (bytes <= unit) {
            return; // there may be no unit at all
        }
        long most = unit * Math.max(1, pieceBytes / unit);
        long done = unit;
        while (done < bytes) { // twice as many each time, and then a piece
            long part = Math.min(Math.min(done, most), bytes - done);
            copy(segment, 0, segment, done, part);
            done += part;
        }
    }

    /**
     * Copies all bytes of one segment over another, again and again; the last copy may be a part.
     * Reads nothing of the target, which other threads may be writing.
     *
     * @param unit not empty, unless the target is
     */
    public static void tile(MemorySegment unit, MemorySegment target) {
        long bytes = target.byteSize();
        long done = 0;
        while (done < bytes) {
            long part = Math.min(unit.byteSize(), bytes - done);
            copy(unit, 0, target, done, part);
            done += part;
        }
    }

    /**
     * Finds the first difference, as {@link MemorySegment#mismatch(MemorySegment)} does.
     *
     * @return the offset of the first byte that differs; the smaller size where one segment is the
     *     beginning of the other; -1 where both are equal
     */
    public static long mismatch(MemorySegment one, MemorySegment other) {
        long common = Math.min(one.byteSize(), other.byteSize());
        long at = mismatch(one, 0, other, 0, common);
        return at >= 0 || one.byteSize() == other.byteSize() ? at : common;
    }

    /**
     * Finds the first difference of two parts of the same size.
     *
     * <p>Word by word, as the memory may be a mapped file that another process truncates. The JDK
     * compares in a stub in which such a fault ends the JVM (seen with JDK 25); an access of a word
     * throws an {@link InternalError}. Long parts in the cache take 1.7 times as long.
     *
     * @return how many bytes before it are equal; -1 where all are
     * @throws IndexOutOfBoundsException when the parts do not lie within their segments
     */
    public static long mismatch(
            MemorySegment one, long offset, MemorySegment other, long otherOffset, long bytes) {
        Objects.checkFromIndexSize(offset, bytes, one.byteSize());
        Objects.checkFromIndexSize(otherOffset, bytes, other.byteSize());
        long at = 0;
        while (at <= bytes - COMPARED_BYTES
                && areEqual(one, offset + at, other, otherOffset + at)) {
            at += COMPARED_BYTES;
        }
        while (at <= bytes - Long.BYTES
                && difference(one, offset + at, other, otherOffset + at) == 0) {
            at += Long.BYTES;
        }
        while (at < bytes
                && one.get(JAVA_BYTE, offset + at) == other.get(JAVA_BYTE, otherOffset + at)) {
            at++;
        }
        return at == bytes ? -1 : at;
    }

    /** Compares {@link #COMPARED_BYTES}, in a loop that C2 turns into instructions for vectors. */
    private static boolean areEqual(
            MemorySegment one, long offset, MemorySegment other, long otherOffset) {
        long difference = 0;
        for (int i = 0; i < COMPARED_BYTES; i += Long.BYTES) {
            difference |= difference(one, offset + i, other, otherOffset + i);
        }
        return difference == 0;
    }

    private static long difference(
            MemorySegment one, long offset, MemorySegment other, long otherOffset) {
        return one.get(JAVA_LONG_UNALIGNED, offset) ^ other.get(JAVA_LONG_UNALIGNED, otherOffset);
    }
}
