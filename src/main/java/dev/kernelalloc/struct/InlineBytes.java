package dev.kernelalloc.struct;

import dev.kernelalloc.bulk.BulkMemory;

import java.lang.foreign.MemorySegment;
import java.util.Locale;
import java.util.Objects;

/**
 * Inline bytes, copied in and out.
 *
 * @param member the name of the member, for messages
 */
record InlineBytes(String member, long byteSize) {

    Object get(MemorySegment segment, long offset) {
        return MemorySegment.ofArray(BulkMemory.toByteArray(segment.asSlice(offset, byteSize)));
    }

    void set(MemorySegment segment, long offset, Object value) {
        MemorySegment bytes = (MemorySegment) Objects.requireNonNull(value, member);
        if (bytes.byteSize() != byteSize) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "%s: %d bytes passed, its length is %d",
                            member,
                            bytes.byteSize(),
                            byteSize));
        }
        BulkMemory.copy(bytes, 0, segment, offset, byteSize);
    }
}
