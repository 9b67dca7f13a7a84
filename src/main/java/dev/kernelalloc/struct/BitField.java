package dev.kernelalloc.struct;

import static java.nio.ByteOrder.BIG_ENDIAN;
import static java.nio.ByteOrder.LITTLE_ENDIAN;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * A run of 1 to 64 bits in the 1 to 9 bytes that hold it; no other byte is read or written.
 *
 * <p>In little-endian order bit 0 is the least significant bit of the first byte, in big-endian
 * order the most significant one: so compilers number bits for either order.
 *
 * @param firstBit where the run begins in its first byte, 0 to 7
 * @param range its length and its sign
 */
record BitField(int firstBit, IntegerRange range, ByteOrder order) {

    private static final ValueLayout.OfShort SHORT_LE =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT_BE =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(BIG_ENDIAN);
    private static final ValueLayout.OfInt INT_LE =
            ValueLayout.JAVA_INT_UNALIGNED.withOrder(LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT_BE =
            ValueLayout.JAVA_INT_UNALIGNED.withOrder(BIG_ENDIAN);
    private static final ValueLayout.OfLong LONG_LE =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG_BE =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(BIG_ENDIAN);

    int byteSize() {
        return (firstBit + range.bits() + 7) / 8;
    }

    long get(MemorySegment segment, long offset) {
        long field;
        if (byteSize() <= 8) {
            field = load(segment, offset, byteSize()) >>> shift();
        } else {
            long first = load(segment, offset, 8);
            long ninth = load(segment, offset + 8, 1);
            field =
                    bigEndian()
                            ? first << (8 - shift()) | ninth >>> shift()
                            : first >>> firstBit | ninth << (64 - firstBit);
        }
        int unused = 64 - range.bits();
        return range.signed() ? field << unused >> unused : field << unused >>> unused;
    }

    void set(MemorySegment segment, long offset, long value) {
        long field = range.check(value) & mask();
        if (byteSize() <= 8) {
            merge(segment, offset, byteSize(), field << shift(), mask() << shift());
        } else if (bigEndian()) {
            int left = 8 - shift();
            merge(segment, offset, 8, field >>> left, mask() >>> left);
            merge(segment, offset + 8, 1, field << shift(), mask() << shift());
        } else {
            merge(segment, offset, 8, field << firstBit, mask() << firstBit);
            merge(segment, offset + 8, 1, field >>> (64 - firstBit), mask() >>> (64 - firstBit));
        }
    }

    private boolean bigEndian() {
        return order == BIG_ENDIAN;
    }

    private long mask() {
        return -1L >>> (64 - range.bits());
    }

    /** Returns the distance of the field from the least significant bit of its bytes. */
    private int shift() {
        return bigEndian() ? 8 * byteSize() - firstBit - range.bits() : firstBit;
    }

    private void merge(MemorySegment segment, long offset, int bytes, long field, long mask) {
        store(segment, offset, bytes, load(segment, offset, bytes) & ~mask | field & mask);
    }

    private long load(MemorySegment segment, long offset, int bytes) {
        return switch (bytes) {
            case 1 -> segment.get(ValueLayout.JAVA_BYTE, offset) & 0xFFL;
            case 2 -> segment.get(bigEndian() ? SHORT_BE : SHORT_LE, offset) & 0xFFFFL;
            case 4 -> segment.get(bigEndian() ? INT_BE : INT_LE, offset) & 0xFFFF_FFFFL;
            case 8 -> segment.get(bigEndian() ? LONG_BE : LONG_LE, offset);
            default -> {
                long value = 0;
                for (int i = 0; i < bytes; i++) {
                    long part = segment.get(ValueLayout.JAVA_BYTE, offset + i) & 0xFFL;
                    value |= part << 8 * (bigEndian() ? bytes - 1 - i : i);
                }
                yield value;
            }
        };
    }

    private void store(MemorySegment segment, long offset, int bytes, long value) {
        switch (bytes) {
            case 1 -> segment.set(ValueLayout.JAVA_BYTE, offset, (byte) value);
            case 2 -> segment.set(bigEndian() ? SHORT_BE : SHORT_LE, offset, (short) value);
            case 4 -> segment.set(bigEndian() ? INT_BE : INT_LE, offset, (int) value);
            case 8 -> segment.set(bigEndian() ? LONG_BE : LONG_LE, offset, value);
            default -> {
                for (int i = 0; i < bytes; i++) {
                    byte part = (byte) (value >>> 8 * (bigEndian() ? bytes - 1 - i : i));
                    segment.set(ValueLayout.JAVA_BYTE, offset + i, part);
                }
            }
        }
    }
}
