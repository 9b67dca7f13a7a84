package dev.kernelalloc.cli.ctypes;

import java.nio.ByteBuffer;

/** Reads numbers of fixed and of variable length (LEB128), one after another. */
final class LebCursor {

    private final ByteBuffer data;
    private int position;

    LebCursor(ByteBuffer data, int position) {
        this.data = data;
        this.position = position;
    }

    LebCursor at(int other) {
        return new LebCursor(data, other);
    }

    int position() {
        return position;
    }

    void skip(long bytes) {
        if (bytes < 0 || bytes > data.capacity() - position) {
            throw new IndexOutOfBoundsException("skip " + bytes + " at " + position);
        }
        position += (int) bytes;
    }

    /** Reads a number of 1 to 8 bytes; of 8, the bits. */
    long unsigned(int bytes) {
        long value = 0;
        for (int i = 0; i < bytes; i++) {
            value |= (data.get(position + i) & 0xFFL) << 8 * i;
        }
        position += bytes;
        return value;
    }

    long uleb() {
        return leb(false);
    }

    long sleb() {
        return leb(true);
    }

    private long leb(boolean signed) {
        long value = 0;
        int shift = 0;
        int next;
        do {
            next = data.get(position++);
            value |= shift < Long.SIZE ? (next & 0x7FL) << shift : 0;
            shift += 7;
        } while (next < 0);
        boolean negative = signed && shift < Long.SIZE && (next & 0x40) != 0;
        return negative ? value | -1L << shift : value;
    }

    /** Skips a text and the zero byte behind it. */
    void skipText() {
        while (data.get(position++) != 0) {
            // the next byte
        }
    }
}
