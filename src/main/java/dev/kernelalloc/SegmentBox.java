package dev.kernelalloc;

import dev.kernelalloc.core.BoxedBlock;
import dev.kernelalloc.struct.StructType;

/**
 * A box whose struct is reached through its segment: of a struct known by its layout alone, with a
 * flexible array, of memory that must not be written, or whose accessors have names of the box's
 * own methods.
 */
final class SegmentBox<T> extends ConfinedBox<T> {

    private final StructType<T> type;
    private final long bytes;
    private final long elements;
    private final boolean readOnly;

    /** For a block of the size of the type. */
    SegmentBox(StructType<T> type) {
        this(type, type.byteSize(), 0, false);
    }

    /** For a block of any size. */
    SegmentBox(StructType<T> type, BoxedBlock block) {
        this(type, block.bytes(), block.elements(), block.readOnly());
    }

    private SegmentBox(StructType<T> type, long bytes, long elements, boolean readOnly) {
        super(BoxMaker.KEY);
        this.type = type;
        this.bytes = bytes;
        this.elements = elements;
        this.readOnly = readOnly;
    }

    @Override
    protected long byteSize$() {
        return bytes;
    }

    @Override
    protected long byteAlignment$() {
        return type.byteAlignment();
    }

    @Override
    boolean isReadOnly() {
        return readOnly;
    }

    @Override
    public long elements() {
        return elements;
    }

    @Override
    public StructType<T> type() {
        return type;
    }

    @Override
    public T get() {
        return type.get(segment());
    }
}
