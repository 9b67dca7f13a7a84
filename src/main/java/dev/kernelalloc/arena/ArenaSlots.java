package dev.kernelalloc.arena;

import dev.kernelalloc.bulk.Alignment;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** How the arenas divide memory: the arithmetic of chunks and slots, and the zeroing of a slot. */
public final class ArenaSlots {

    /** Enough for most arenas to need no other; 4 KiB are no faster, but twice as much to hold. */
    static final int FIRST_CHUNK_BYTES = 2 << 10;

    /** Beyond, what a block costs is nothing beside what is done with its memory. */
    static final int LAST_CHUNK_BYTES = 64 << 10;

    /** The alignment of malloc(3). */
    static final long CHUNK_ALIGNMENT_BYTES = 16;

    /** The largest part of a chunk that one request may take, so that little is left behind. */
    private static final int PARTS_OF_A_CHUNK = 4;

    /** From here on the JIT's vectors are faster than the JDK's stub; below, slower. */
    private static final long VECTORS_FROM_BYTES = 512;

    private ArenaSlots() {}

    /** Returns the first multiple of {@code alignment} from {@code next} on; inlined by hand. */
    static long start(long next, long alignment) {
        return (next + alignment - 1) & -alignment;
    }

    /**
     * Whether a slot that starts at {@code start} ends before the chunk does. A size of 0 does not
     * fit, as it has no slot; nor do arguments that are out of range.
     */
    static boolean fits(long start, long end, long bytes, long alignment) {
        return bytes > 0 && bytes <= end - start && Alignment.isPowerOfTwo(alignment);
    }

    /** The address behind the slot, where the next one may start. */
    static long end(long start, long bytes) {
        return (start + bytes + Long.BYTES - 1) & -Long.BYTES;
    }

    /** Whether a request is for chunks at all, if not for the present one. */
    static boolean isSmall(long bytes, long alignment) {
        return isSmall(bytes, alignment, LAST_CHUNK_BYTES);
    }

    /** Whether a request may be cut from a new chunk of that size. */
    static boolean isSmall(long bytes, long alignment, long chunkBytes) {
        long most = chunkBytes / PARTS_OF_A_CHUNK;
        return bytes > 0
                && bytes <= most
                && alignment <= most
                && bytes + alignment <= most
                && Alignment.isPowerOfTwo(alignment);
    }

    /**
     * Returns the size of the chunk after one of {@code chunkBytes}. It also grows if a small
     * request gets a block of its own, so that the next ones find chunks large enough.
     */
    static int grown(int chunkBytes) {
        return Math.min(2 * chunkBytes, LAST_CHUNK_BYTES);
    }

    static void zero(MemorySegment slot) {
        if (slot.byteSize() < VECTORS_FROM_BYTES) {
            slot.fill((byte) 0);
        } else {
            zeroByWords(slot);
        }
    }

    private static void zeroByWords(MemorySegment slot) {
        long last = slot.byteSize() - Long.BYTES;
        for (int offset = 0; offset < last; offset += Long.BYTES) {
            slot.set(ValueLayout.JAVA_LONG_UNALIGNED, offset, 0);
        }
        slot.set(ValueLayout.JAVA_LONG_UNALIGNED, last, 0);
    }
}
