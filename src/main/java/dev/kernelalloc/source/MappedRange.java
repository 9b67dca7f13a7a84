package dev.kernelalloc.source;

import java.util.Locale;

/**
 * A range of memory that a pool allocator has mapped, by its address. It reaches no memory: the
 * blocks in the range belong to their owners. Native code is passed the numbers; Java code that
 * needs the bytes reinterprets the address with its own native access, and only until the range is
 * unmapped.
 *
 * @param address the address of the first byte
 * @param byteSize the size in bytes, positive
 */
public record MappedRange(long address, long byteSize) {

    @Override
    public String toString() {
        return String.format(Locale.ROOT, "0x%x (%d bytes)", address, byteSize);
    }
}
