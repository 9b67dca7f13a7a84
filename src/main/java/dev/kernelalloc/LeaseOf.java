package dev.kernelalloc;

import dev.kernelalloc.core.ChangeGuard;
import dev.kernelalloc.core.ClosingSites;
import dev.kernelalloc.core.CopyPerType;
import dev.kernelalloc.physical.PhysicalExtent;
import dev.kernelalloc.struct.StructType;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.function.Supplier;

/** A lease of an array. Copied by {@link CopyPerType}. */
final class LeaseOf<T> extends ArrayLease<T> {

    private static final CopyPerType COPIES =
            new CopyPerType(
                    MethodHandles.lookup(),
                    StructType.class,
                    Lease.class,
                    Supplier.class,
                    long.class);

    private final StructType<T> type;
    private final Lease<T> lease;

    /** Makes a lease for another thread that continues this one. */
    private final Supplier<ArrayLease<T>> joining;

    private final MemorySegment segment;
    private final long length;
    private final ChangeGuard guard = new ChangeGuard();

    LeaseOf(StructType<T> type, Lease<T> lease, Supplier<ArrayLease<T>> joining, long length) {
        this.type = type;
        this.lease = lease;
        this.joining = joining;
        this.segment = lease.segment();
        this.length = length;
    }

    /**
     * @param lease whose segment has the bytes of the elements and no more; where this throws, it
     *     is the caller's still
     */
    @SuppressWarnings("unchecked") // a copy for T
    static <T> ArrayLease<T> make(
            StructType<T> type, Lease<T> lease, Supplier<ArrayLease<T>> joining, long length) {
        try {
            return (ArrayLease<T>)
                    (Object) COPIES.constructor(type).invokeExact(type, lease, joining, length);
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
    public List<PhysicalExtent> extents() {
        return lease.extents();
    }

    @Override
    ArrayLease<T> join() {
        return joining.get();
    }

    @Override
    String guarantee() {
        return lease.guarantee();
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
        forEach(0, length, action);
    }

    @Override
    void forEach(long from, long to, Consumer<? super T> action) {
        Objects.requireNonNull(action, "action");
        guard.enter();
        try {
            for (long i = from; i < to; i++) {
                action.accept(type.get(segment, i * stride()));
            }
        } catch (IllegalStateException | WrongThreadException e) {
            throw explain(e);
        } finally {
            guard.exit();
        }
    }

    @Override
    public void close() {
        guard.requireEndable();
        try {
            lease.close();
        } finally {
            String site = lease.closedAt();
            if (!site.isEmpty()) {
                ClosingSites.record(site, segment.scope());
            }
        }
    }

    /** As {@link NativeSlice#stride}; in this class, for the profile of its copy. */
    private long stride() {
        return type.byteSize() + type.byteAlignment() - 1 & -type.byteAlignment();
    }
}
