package dev.kernelalloc.map;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.NativeArray;
import dev.kernelalloc.core.ChangeGuard;
import dev.kernelalloc.core.ClosingSites;
import dev.kernelalloc.core.CopyPerType;
import dev.kernelalloc.struct.StructType;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.util.Objects;
import java.util.function.Supplier;

/** The methods of a map that reach values. Copied by {@link CopyPerType}. */
final class MapOf<V> extends NativeMap<V> {

    private static final CopyPerType COPIES =
            new CopyPerType(
                    MethodHandles.lookup(),
                    StructType.class,
                    StructType.class,
                    KernelAllocator.class,
                    Supplier.class,
                    LongTable.class,
                    long.class);

    private final StructType<V> type;

    /** Whether reading a value calls the user's code in the middle. */
    private final boolean guarded;

    MapOf(
            StructType<V> type,
            StructType<MemorySegment> slot,
            KernelAllocator allocator,
            Supplier<NativeArray<MemorySegment>> memory,
            LongTable table,
            long size) {
        this.type = type;
        this.guarded = ChangeGuard.isNeededToRead(type.type());
        super(type, slot, allocator, memory, table, size); // nothing may fail afterwards
    }

    /** A map over memory, which has not changed hands where this throws. */
    @SuppressWarnings("unchecked") // a copy for V
    static <V> NativeMap<V> make(
            StructType<V> type,
            StructType<MemorySegment> slot,
            KernelAllocator allocator,
            Supplier<NativeArray<MemorySegment>> memory,
            LongTable table,
            long size) {
        try {
            return (NativeMap<V>)
                    (Object)
                            COPIES.constructor(type)
                                    .invokeExact(type, slot, allocator, memory, table, size);
        } catch (Throwable e) {
            throw CopyPerType.unchecked(e);
        }
    }

    @Override
    public @Nullable V get(long key) {
        try {
            long place = table.find(key);
            return place < 0 ? null : read(place);
        } catch (IllegalStateException | WrongThreadException e) {
            throw ClosingSites.explain(e, table.memory(), guard.owner());
        }
    }

    @Override
    public boolean put(long key, V value) {
        long place = find(key);
        if (place >= 0) {
            write(place, value);
            return false;
        }
        guard.requireFree();
        write(table.spare(), value);
        addSpare(key, ~place);
        return true;
    }

    @Override
    public boolean replace(long key, V value) {
        long place = find(key);
        if (place < 0) {
            Objects.requireNonNull(value, "value");
            return false;
        }
        write(place, value);
        return true;
    }

    @Override
    V read(long place) {
        if (!guarded) {
            return type.get(values(), table.value(place));
        }
        guard.enter();
        try {
            return type.get(values(), table.value(place));
        } finally {
            guard.exit();
        }
    }

    @Override
    void write(long place, V value) {
        guard.enter();
        try {
            type.set(table.memory(), table.value(place), value);
        } finally {
            guard.exit();
        }
    }
}
