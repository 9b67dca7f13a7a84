package dev.kernelalloc.struct;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.util.Locale;

/**
 * A pointer to text, read and written as a {@code String}.
 *
 * @param struct the struct with the member, whose module the access is attributed to
 * @param member the name of the member, for messages
 */
record TextPointerCodec(StructModel struct, String member, AddressCodec pointer) {

    /** The allocator of texts; bound while a struct is allocated with its value. */
    static final ScopedValue<SegmentAllocator> TEXTS = ScopedValue.newInstance();

    @Nullable Object get(MemorySegment segment, long offset) {
        long address = pointer.get(segment, offset);
        return address == 0
                ? null
                : struct.structType().memory(address, Long.MAX_VALUE).getString(0);
    }

    void set(MemorySegment segment, long offset, @Nullable Object value) {
        pointer.set(segment, offset, value == null ? 0 : allocate((String) value).address());
    }

    private MemorySegment allocate(String text) {
        if (text.indexOf('\0') >= 0) {
            throw refused(text, "contains NUL, which ends a string in C");
        }
        if (!TEXTS.isBound()) {
            throw refused(
                    text,
                    "needs memory, and a char * has none: write it by"
                            + " StructType.allocate(allocator, value), or set the pointer by"
                            + " varHandle");
        }
        MemorySegment memory = TEXTS.get().allocateFrom(text);
        if (!memory.isNative()) {
            throw refused(
                    text,
                    "needs native memory, and the allocator returned memory of the Java heap,"
                            + " which has no address: pass an Arena");
        }
        return memory;
    }

    private IllegalArgumentException refused(String text, String why) {
        return new IllegalArgumentException(
                String.format(Locale.ROOT, "%s: \"%s\" %s", member, text, why));
    }
}
