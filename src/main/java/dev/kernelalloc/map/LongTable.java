package dev.kernelalloc.map;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import dev.kernelalloc.bulk.Alignment;
import dev.kernelalloc.bulk.BulkMemory;
import dev.kernelalloc.struct.StructType;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.security.SecureRandom;
import java.util.Locale;

/**
 * An open-addressing hash table of {@code long} keys. Places are offsets of slots in bytes.
 *
 * <p><b>Slots.</b> A slot is a hash and a value. The hash is a bijection of the key, so it is
 * stored instead of the key, and no probe computes another. {@link #EMPTY} marks a slot without an
 * entry; the one key that hashes to it is refused, and the caller rebuilds the table under another
 * seed.
 *
 * <p><b>Order.</b> Entries are sorted by their hash, the largest first, and the home of an entry,
 * where its search begins, never decreases in that order. Linear probing that keeps this order is
 * Robin Hood hashing (Celis, 1986) without stored distances: a search ends at the first hash that
 * is not larger, so a miss costs as much as a hit. An insertion moves the following entries, up to
 * the next empty slot, by one; a removal moves them back, so nothing remains of a removed entry.
 * The invariant, for each entry: {@code home <= place}, and no slot in between is empty.
 *
 * <p><b>The end.</b> Behind the homes are slots for entries that no longer fit before their end,
 * then one that is always empty and ends every search, then a spare one that holds the value of an
 * entry to be added.
 *
 * <p><b>Collisions.</b> The last step of the hash multiplies by a random odd number: two keys
 * chosen without knowledge of it have the same home with a probability of about 2 / homes
 * (Dietzfelbinger et al., 1997). The steps before spread the bits of regular keys.
 */
final class LongTable {

    /** Sorts behind every hash of an entry. */
    static final long EMPTY = 0;

    /** More than this, entries pass the last home with a probability below 1e-18. */
    private static final long MOST_SPILLED = 128;

    private static final SecureRandom RANDOM = new SecureRandom();

    private static final long MIX = 0x9FB21C651E98DF25L;
    private static final long UNMIX = inverse(MIX);

    /** Set again by {@link #place} alone. */
    private MemorySegment memory;

    private final long capacity;
    private final long homes;
    private final long stride;
    private final long valueOffset;
    private final long valueBytes;
    private final long end;
    private final long seed;
    private final long factor;
    private final long inverse;

    private LongTable(
            MemorySegment memory,
            long capacity,
            long stride,
            long valueOffset,
            long valueBytes,
            long seed,
            long factor) {
        this.memory = memory;
        this.capacity = capacity;
        this.homes = homes(capacity);
        this.stride = stride;
        this.valueOffset = valueOffset;
        this.valueBytes = valueBytes;
        this.end = (slots(capacity) - 2) * stride;
        this.seed = seed;
        this.factor = factor;
        this.inverse = inverse(factor);
    }

    /**
     * Returns an empty table under a random seed.
     *
     * @param memory zeros, for {@link #slots} slots
     */
    static LongTable create(StructType<?> type, MemorySegment memory, long capacity) {
        return create(type, memory, capacity, RANDOM.nextLong(), RANDOM.nextLong() | 1);
    }

    /**
     * @param factor an odd number
     */
    static LongTable create(
            StructType<?> type, MemorySegment memory, long capacity, long seed, long factor) {
        return new LongTable(
                memory, capacity, stride(type), valueOffset(type), type.byteSize(), seed, factor);
    }

    /** Returns an empty table with the hashes of this one, for another number of entries. */
    LongTable resized(MemorySegment zeros, long entries) {
        return new LongTable(zeros, entries, stride, valueOffset, valueBytes, seed, factor);
    }

    /** Returns the same table over another segment of its memory. */
    LongTable over(MemorySegment same) {
        return resized(same, capacity);
    }

    /** Moves this table to another segment of its memory. */
    void place(MemorySegment same) {
        memory = same;
    }

    // ---- sizes --------------------------------------------------------------------------------

    /** Returns the layout of one slot. */
    static MemoryLayout slot(StructType<?> type) {
        return MemoryLayout.sequenceLayout(stride(type), JAVA_BYTE)
                .withByteAlignment(alignment(type));
    }

    /** Returns the number of slots for a number of entries. */
    static long slots(long capacity) {
        return homes(capacity) + Math.min(capacity, MOST_SPILLED) + 2;
    }

    /** At most five sixths of the homes have an entry. */
    private static long homes(long capacity) {
        return capacity + capacity / 5 + 1;
    }

    private static long stride(StructType<?> type) {
        return Alignment.up(valueOffset(type) + type.byteSize(), alignment(type));
    }

    private static long valueOffset(StructType<?> type) {
        return alignment(type);
    }

    private static long alignment(StructType<?> type) {
        return Math.max(Long.BYTES, type.byteAlignment());
    }

    /** Returns the number of entries for which there is room. */
    long capacity() {
        return capacity;
    }

    MemorySegment memory() {
        return memory;
    }

    // ---- hashing ------------------------------------------------------------------------------

    /** Returns the hash of a key, a bijection. */
    long hash(long key) {
        long mixed = key ^ seed;
        mixed = (mixed ^ mixed >>> 32) * MIX;
        return (mixed ^ mixed >>> 32) * factor;
    }

    /** Returns the key that has a hash. */
    long key(long hash) {
        long mixed = hash * inverse;
        mixed = (mixed ^ mixed >>> 32) * UNMIX;
        return (mixed ^ mixed >>> 32) ^ seed;
    }

    private long home(long hash) {
        return Math.unsignedMultiplyHigh(~hash, homes) * stride;
    }

    /** Returns the inverse of an odd number modulo 2^64; each step doubles the correct bits. */
    private static long inverse(long odd) {
        long inverse = odd;
        for (int bits = 3; bits < Long.SIZE; bits *= 2) {
            inverse *= 2 - odd * inverse;
        }
        return inverse;
    }

    // ---- entries ------------------------------------------------------------------------------

    private long hashAt(long place) {
        return memory.get(JAVA_LONG_UNALIGNED, place);
    }

    private void hashAt(long place, long hash) {
        memory.set(JAVA_LONG_UNALIGNED, place, hash);
    }

    /**
     * Searches for a key.
     *
     * @return the place of its entry; if there is none, {@code ~place} of where it belongs
     */
    long find(long key) {
        long hash = hash(key);
        long place = home(hash);
        long found = hashAt(place);
        while (Long.compareUnsigned(found, hash) > 0) {
            place += stride;
            found = hashAt(place);
        }
        return found == hash && hash != EMPTY ? place : ~place;
    }

    /** Returns the offset of the value of the entry at a place. */
    long value(long place) {
        return place + valueOffset;
    }

    /** Returns the place whose value becomes that of the next entry. */
    long spare() {
        return end + stride;
    }

    long keyAt(long place) {
        return key(hashAt(place));
    }

    /**
     * Adds an entry with the value in the spare slot.
     *
     * @param place where it belongs, as found by {@link #find}
     * @return false if the table must be rebuilt for that, and nothing has changed
     */
    boolean insert(long key, long place) {
        long hash = hash(key);
        long gap = place;
        while (hashAt(gap) != EMPTY) {
            gap += stride;
        }
        if (gap == end || hash == EMPTY) {
            return false;
        }
        BulkMemory.copy(memory, place, memory, place + stride, gap - place);
        BulkMemory.copy(memory, value(spare()), memory, value(place), valueBytes);
        hashAt(place, hash);
        return true;
    }

    /** Removes the entry at a place. */
    void remove(long place) {
        long gap = place + stride;
        long hash = hashAt(gap);
        while (hash != EMPTY && home(hash) < gap) {
            gap += stride;
            hash = hashAt(gap);
        }
        BulkMemory.copy(memory, place + stride, memory, place, gap - place - stride);
        hashAt(gap - stride, EMPTY);
    }

    /** Removes all entries. */
    void clear() {
        BulkMemory.fill(memory, (byte) 0);
    }

    /** Zeroes the value in the spare slot. */
    void clearSpare() {
        BulkMemory.fill(memory.asSlice(value(spare()), valueBytes), (byte) 0);
    }

    /** Copies the value in the spare slot of another table to that of this one. */
    void copySpare(LongTable other) {
        BulkMemory.copy(other.memory, value(other.spare()), memory, value(spare()), valueBytes);
    }

    /**
     * Adds the entries of another table to this one, which is empty. The loop polls for safepoints:
     * its stride is a field, so the JIT takes it for no counted loop.
     *
     * @return false if they do not fit, or one of their keys is refused
     */
    boolean addAll(LongTable other) {
        for (long from = other.next(0); from >= 0; from = other.next(from + other.stride)) {
            long key = other.keyAt(from);
            BulkMemory.copy(other.memory, other.value(from), memory, value(spare()), valueBytes);
            if (!insert(key, ~find(key))) {
                return false;
            }
        }
        return true;
    }

    /** Returns the first place of an entry from a place on; -1 if there is none. */
    long next(long place) {
        for (long at = place; at < end; at += stride) {
            if (hashAt(at) != EMPTY) {
                return at;
            }
        }
        requireAccess(); // there may have been no slot to look at
        return -1;
    }

    /** Returns the last place of an entry in front of a place; -1 if there is none. */
    long previous(long place) {
        for (long at = place - stride; at >= 0; at -= stride) {
            if (hashAt(at) != EMPTY) {
                return at;
            }
        }
        return -1;
    }

    /** Returns the place behind the last that an entry can have. */
    long end() {
        return end;
    }

    long stride() {
        return stride;
    }

    /** Throws if the memory has ended, or is confined to another thread. */
    void requireAccess() {
        hashAt(end);
    }

    /** Returns the number of slots that a search of a key looks at. */
    long probes(long key) {
        long found = find(key);
        return (Math.max(found, ~found) - home(hash(key))) / stride + 1;
    }

    /**
     * Throws if an invariant does not hold.
     *
     * @param size the number of entries
     */
    void checkInvariants(long size) {
        long entries = 0;
        long before = -1; // the largest
        for (long place = 0; place < end; place += stride) {
            long hash = hashAt(place);
            if (hash == EMPTY) {
                continue;
            }
            boolean sorted = entries == 0 || Long.compareUnsigned(before, hash) > 0;
            if (!sorted || home(hash) > place || find(key(hash)) != place) {
                throw new AssertionError(
                        String.format(
                                Locale.ROOT,
                                "place=%d hash=0x%x before=0x%x",
                                place,
                                hash,
                                before));
            }
            before = hash;
            entries++;
        }
        if (entries != size || hashAt(end) != EMPTY) {
            throw new AssertionError(
                    String.format(
                            Locale.ROOT,
                            "entries=%d size=%d end=0x%x",
                            entries,
                            size,
                            hashAt(end)));
        }
    }
}
