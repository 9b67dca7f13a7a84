package dev.kernelalloc;

import dev.kernelalloc.core.ChangeGuard;
import dev.kernelalloc.core.CopyPerType;
import dev.kernelalloc.core.OwnedBlock;
import dev.kernelalloc.struct.StructType;

import org.jspecify.annotations.Nullable;

import java.lang.invoke.MethodHandles;
import java.util.Objects;
import java.util.function.Consumer;

/** The methods of a vec that are called once per element. Copied by {@link CopyPerType}. */
final class VecOf<T> extends NativeVec<T> {

    private static final CopyPerType COPIES =
            new CopyPerType(MethodHandles.lookup(), StructType.class, OwnedBlock.class, long.class);

    private static final @Nullable StructType<?> TYPE = CopyPerType.typeOf(MethodHandles.lookup());

    private final StructType<T> type;

    /** Whether reading an element calls the user's code in the middle. */
    private final boolean guarded;

    VecOf(StructType<T> type, OwnedBlock block, long size) {
        super(type, block, size);
        this.type = type;
        this.guarded = ChangeGuard.isNeededToRead(type.type());
    }

    /** A vec over a block, which ends where there can be none. */
    static <T> NativeVec<T> make(StructType<T> type, OwnedBlock block, long size) {
        try {
            return over(type, block, size);
        } catch (Throwable e) {
            block.close(); // the Java heap or stack is exhausted
            throw e;
        }
    }

    /** A vec over a block, which is the caller's still where this throws. */
    @SuppressWarnings("unchecked") // a copy for T
    static <T> NativeVec<T> over(StructType<T> type, OwnedBlock block, long size) {
        try {
            return (NativeVec<T>) (Object) COPIES.constructor(type).invokeExact(type, block, size);
        } catch (Throwable e) {
            throw CopyPerType.unchecked(e);
        }
    }

    @Override
    public T get(long index) {
        long offset = Objects.checkIndex(index, size) * stride();
        if (!guarded) {
            try {
                return known().get(memory, offset);
            } catch (IllegalStateException | WrongThreadException e) {
                throw explain(e);
            }
        }
        guard.enter();
        try {
            return known().get(memory, offset);
        } catch (IllegalStateException | WrongThreadException e) {
            throw explain(e);
        } finally {
            guard.exit();
        }
    }

    @Override
    public void set(long index, T value) {
        long offset = Objects.checkIndex(index, size) * stride();
        guard.enter();
        try {
            known().set(memory, offset, value);
        } catch (IllegalStateException | WrongThreadException e) {
            throw explain(e);
        } finally {
            guard.exit();
        }
    }

    @Override
    public T view(long index) {
        if (!known().isView()) {
            throw NativeSlice.notLive(type);
        }
        return get(index);
    }

    /**
     * A record goes into no call that is not inlined, so that it need not exist. A view may be one
     * of this vec's own, which a move would end.
     */
    @Override
    public void add(T value) {
        guard.requireFree();
        long next = size;
        if (next == capacity) {
            if (known().isView()) {
                addMoving(value);
                return;
            }
            reserve(1);
        }
        guard.enter();
        try {
            known().set(memory, next * stride(), value);
        } catch (IllegalStateException | WrongThreadException e) {
            throw explain(e);
        } finally {
            guard.exit();
        }
        size = next + 1;
    }

    @Override
    public void forEach(Consumer<? super T> action) {
        Objects.requireNonNull(action, "action");
        guard.enter();
        try {
            for (long i = 0; i < size; i++) {
                action.accept(known().get(memory, i * stride()));
            }
        } catch (IllegalStateException | WrongThreadException e) {
            throw explain(e);
        } finally {
            guard.exit();
        }
    }

    /** As {@link NativeSlice#stride}; in this class, for the profile of its copy. */
    private long stride() {
        return known().byteSize() + known().byteAlignment() - 1 & -known().byteAlignment();
    }

    @SuppressWarnings("unchecked") // a copy for T
    private StructType<T> known() {
        return TYPE == null ? type : (StructType<T>) TYPE;
    }
}
