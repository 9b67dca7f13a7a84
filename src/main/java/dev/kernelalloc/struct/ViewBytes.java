package dev.kernelalloc.struct;

import dev.kernelalloc.bulk.BulkMemory;

import java.lang.foreign.MemorySegment;
import java.util.Locale;
import java.util.Objects;

/** The bytes of a view of a struct, or of one that begins with it, copied to another place. */
record ViewBytes(StructModel model) {

    void set(MemorySegment segment, long offset, Object value) {
        Objects.requireNonNull(value, "value");
        Class<?> type = model.type();
        if (!type.isInstance(value) || !(value instanceof StructView view)) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "%s is no view of a %s in memory",
                            value.getClass().getName(),
                            type.getSimpleName()));
        }
        if (value.getClass() != model.viewClass()) {
            requireSameBeginning(value.getClass());
        }
        MemorySegment source = view.asSegment();
        long bytes = model.isFlexible() ? source.byteSize() : model.layout().byteSize();
        BulkMemory.copy(source, 0, segment, offset, bytes);
    }

    /** An interface that extends two structs is an instance of both, and begins with one. */
    private void requireSameBeginning(Class<?> view) {
        StructModel other = ViewStructs.of(view);
        if (other != null && !other.beginsWith(model)) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "%s extends %s, but its members have other offsets: copy them one by"
                                    + " one",
                            other.name(),
                            model.name()));
        }
    }
}
