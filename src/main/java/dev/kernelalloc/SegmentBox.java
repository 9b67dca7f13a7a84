package dev.kernelalloc;

import dev.kernelalloc.core.BoxedBlock;
import dev.kernelalloc.core.Origin;
import dev.kernelalloc.heap.Slab;
import dev.kernelalloc.struct.StructType;

/**
 * A box whose struct is reached through its segment: of a struct known by its layout alone, with a
 * flexible array, of memory that must not be written, or whose accessors have names of the box's
 * own methods.
 */
final class SegmentBox<T> extends ConfinedBox<T> {

    private final StructType<T> type;
    private final long bytes;

    /**
     * Not read from the type: HotSpot inlines a mere accessor even where it is seldom called, and a
     * box is no object only if everything that is called with it is inlined.
     */
    private final long alignment;

    private final long elements;
    private final boolean readOnly;

    /** For a block of the size of the type. */
    SegmentBox(
            StructType<T> type,
            long bytes,
            long alignment,
            Slab slab,
            Origin origin,
            long address) {
        super(BoxMaker.KEY, slab, origin, address);
        this.type = type;
        this.bytes = bytes;
        this.alignment = alignment;
        this.elements = 0;
        this.readOnly = false;
    }

    /** For a block of any size. */
    SegmentBox(StructType<T> type, BoxedBlock block) {
        super(BoxMaker.KEY, Slab.ABSENT, block.origin(), block.address());
        this.type = type;
        this.bytes = block.bytes();
        this.alignment = type.byteAlignment();
        this.elements = block.elements();
        this.readOnly = block.readOnly();
    }

    /** The constructor, with the parameters of {@link StructType#newBox}. */
    static Object make(StructType<?> type, Object key, Object slab, Object origin, long address) {
        BoxMaker.requireKey(key);
        return new SegmentBox<>(
                type, type.byteSize(), type.byteAlignment(), (Slab) slab, (Origin) origin, address);
    }

    @Override
    protected long byteSize$() {
        return bytes;
    }

    @Override
    protected long byteAlignment$() {
        return alignment;
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
