package dev.kernelalloc;

import dev.kernelalloc.core.ChangeGuard;
import dev.kernelalloc.core.CopyPerType;
import dev.kernelalloc.struct.StructType;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.util.Objects;
import java.util.function.Consumer;

/** A slice of elements that another object owns, or nobody here. Copied by {@link CopyPerType}. */
final class SliceOf<T> extends NativeSlice<T> {

    private static final CopyPerType COPIES =
            new CopyPerType(
                    MethodHandles.lookup(),
                    StructType.class,
                    MemorySegment.class,
                    long.class,
                    ChangeGuard.class);

    private final StructType<T> type;
    private final MemorySegment segment;
    private final long length;

    /** That of the owner, if the library has one. */
    private final ChangeGuard guard;

    /** Whether reading an element calls the user's code in the middle. */
    private final boolean guarded;

    SliceOf(StructType<T> type, MemorySegment segment, long length, ChangeGuard guard) {
        this.type = type;
        this.segment = segment;
        this.length = length;
        this.guard = guard;
        this.guarded = ChangeGuard.isNeededToRead(type.type());
    }

    @SuppressWarnings("unchecked") // a copy for T
    static <T> NativeSlice<T> make(
            StructType<T> type, MemorySegment segment, long length, ChangeGuard guard) {
        try {
            return (NativeSlice<T>)
                    (Object) COPIES.constructor(type).invokeExact(type, segment, length, guard);
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
    ChangeGuard guard() {
        return guard;
    }

    @Override
    public T get(long index) {
        long offset = Objects.checkIndex(index, length) * stride();
        if (!guarded) {
            try {
                return type.get(segment, offset);
            } catch (IllegalStateException | WrongThreadException e) {
                throw explain(e);
            }
        }
        guard.enter();
        try {
            return type.get(segment, offset);
        } catch (IllegalStateException | WrongThreadException e) {
            throw explain(e);
        } finally {
            guard.exit();
        }
    }

    @Override
    public void set(long index, T value) {
        long offset = Objects.checkIndex(index, length) * stride();
        guard.enter();
        try {
            type.set(segment, offset, value);
        } catch (IllegalStateException | WrongThreadException e) {
            throw explain(e);
        } finally {
            guard.exit();
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
