package dev.kernelalloc.struct;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Inline bytes, copied in and out.
 *
 * @param member the name of the member, for messages
 */
record InlineBytes(String member, long byteSize) {

    Object get(MemorySegment segment, long offset) {
        return MemorySegment.ofArray(
                segment.asSlice(offset, byteSize).toArray(ValueLayout.JAVA_BYTE));
    }

    void set(MemorySegment segment, long offset, Object value) {
        MemorySegment bytes = (MemorySegment) value;
        if (bytes.byteSize() != byteSize) {
            throw new IllegalArgumentException(
                    "%s: %d bytes given, its length is %d"
                            .formatted(member, bytes.byteSize(), byteSize));
        }
        MemorySegment.copy(bytes, 0, segment, offset, byteSize);
    }
}
