package dev.kernelalloc.map;

import dev.kernelalloc.ArrayLease;
import dev.kernelalloc.core.ChangeGuard;
import dev.kernelalloc.core.ClosingSites;
import dev.kernelalloc.core.CopyPerType;
import dev.kernelalloc.struct.StructType;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.util.Objects;

/** A lease of a map. Copied by {@link CopyPerType}. */
final class MapLeaseOf<V> extends MapLease<V> {

    private static final CopyPerType COPIES =
            new CopyPerType(
                    MethodHandles.lookup(),
                    StructType.class,
                    ArrayLease.class,
                    LongTable.class,
                    long.class);

    private final StructType<V> type;
    private final ArrayLease<MemorySegment> lease;

    /** Whether reading a value calls the user's code in the middle. */
    private final boolean guarded;

    MapLeaseOf(StructType<V> type, ArrayLease<MemorySegment> lease, LongTable table, long size) {
        super(type, table, size);
        this.type = type;
        this.lease = lease;
        this.guarded = ChangeGuard.isNeededToRead(type.type());
    }

    /**
     * @param lease the caller's still where this throws
     */
    @SuppressWarnings("unchecked") // a copy for V
    static <V> MapLease<V> make(
            StructType<V> type, ArrayLease<MemorySegment> lease, LongTable table, long size) {
        try {
            return (MapLease<V>)
                    (Object) COPIES.constructor(type).invokeExact(type, lease, table, size);
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
            return type.get(table.memory(), table.value(place));
        }
        guard.enter();
        try {
            return type.get(table.memory(), table.value(place));
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

    @Override
    public void close() {
        guard.requireEndable();
        lease.close();
    }
}
