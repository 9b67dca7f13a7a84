package dev.kernelalloc;

import dev.kernelalloc.core.ChangeGuard;
import dev.kernelalloc.core.CopyPerType;
import dev.kernelalloc.core.OwnedBlock;
import dev.kernelalloc.struct.StructType;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.util.Objects;
import java.util.function.Consumer;

/** An array that owns a block. Copied by {@link CopyPerType}. */
final class ArrayOf<T> extends NativeArray<T> {

    private static final CopyPerType COPIES =
            new CopyPerType(MethodHandles.lookup(), StructType.class, OwnedBlock.class, long.class);

    private final StructType<T> type;
    private final OwnedBlock block;
    private final MemorySegment segment;
    private final long length;
    private final ChangeGuard guard = new ChangeGuard();

    ArrayOf(StructType<T> type, OwnedBlock block, long length) {
        this.type = type;
        this.block = block;
        this.segment = block.segment();
        this.length = length;
    }

    /**
     * @param block whose segment has the bytes of the elements and no more; where this throws, it
     *     is the caller's still
     */
    @SuppressWarnings("unchecked") // a copy for T
    static <T> NativeArray<T> make(StructType<T> type, OwnedBlock block, long length) {
        try {
            return (NativeArray<T>)
                    (Object) COPIES.constructor(type).invokeExact(type, block, length);
        } catch (Throwable e) {
            throw CopyPerType.unchecked(e);
        }
    }

    @Override
    public StructType<T> type() {
        return type;
    }

    @Override
    public long length() {
        return length;
    }

    @Override
    public MemorySegment segment() {
        return segment;
    }

    @Override
    OwnedBlock block() {
        return block;
    }

    @Override
    ChangeGuard guard() {
        return guard;
    }

    @Override
    public T get(long index) {
        try {
            return type.get(segment, Objects.checkIndex(index, length) * stride());
        } catch (IllegalStateException | WrongThreadException e) {
            throw explain(e);
        }
    }

    @Override
    public void set(long index, T value) {
        try {
            type.set(segment, Objects.checkIndex(index, length) * stride(), value);
        } catch (IllegalStateException | WrongThreadException e) {
            throw explain(e);
        }
    }

    @Override
    public T view(long index) {
        if (!type.isView()) {
            throw notLive(type);
        }
        return get(index);
    }

    @Override
    public void forEach(Consumer<? super T> action) {
        Objects.requireNonNull(action, "action");
        guard.enter();
        try {
            for (long i = 0; i < length; i++) {
                action.accept(type.get(segment, i * stride()));
            }
        } catch (IllegalStateException | WrongThreadException e) {
            throw explain(e);
        } finally {
            guard.exit();
        }
    }

    /** As {@link NativeSlice#stride}; in this class, for the profile of its copy. */
    private long stride() {
        return type.byteSize() + type.byteAlignment() - 1 & -type.byteAlignment();
    }
}
