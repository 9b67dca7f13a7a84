package dev.kernelalloc;

import dev.kernelalloc.core.BoxedBlock;
import dev.kernelalloc.core.ClosingSites;
import dev.kernelalloc.core.OwnerText;
import dev.kernelalloc.leak.Sentinel;
import dev.kernelalloc.leak.Tracker;
import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.physical.PhysicalExtent;
import dev.kernelalloc.struct.StructType;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.List;
import java.util.Locale;
import java.util.Objects;

/**
 * A value in native memory, and the owner of that memory, for all threads: they use it through
 * leases.
 *
 * {@snippet lang = java :
 * SharedBox<Point> box = SharedBox.of(POINT, new Point(1, 2));
 * try (Lease<Point> lease = box.lease()) {                 // in any thread
 *     lease.set(new Point(lease.get().x(), 3));
 * }
 * box.close();                                             // once, in any thread
 * }
 *
 * <p>A lease costs two atomic additions. {@link #close} neither waits for other threads nor stops
 * them: it refuses new leases, outstanding leases stay valid, and when the last of them ends the
 * memory is freed. So no access ever reaches memory that has another owner.
 *
 * <p>Leases do not exclude each other. Threads that write the same members at once need the atomic
 * members of their struct, or a lock. Writes under a lease that has ended are visible under each
 * lease taken afterwards.
 *
 * <p>A lease that is never closed, because its thread died for example, keeps the memory for ever;
 * no other thread can close it. {@link #leases} and {@link #toString} report how many are
 * outstanding; once the box is closed, {@link KernelAllocator#stats} still counts its memory.
 *
 * @param <T> the type in the memory: a record, copied in and out; an interface, whose instances are
 *     live views of the memory; or {@link MemorySegment} for a bare layout
 */
public final class SharedBox<T> implements AutoCloseable {

    // The state is the number of leases, and above it whether this box is closed and its memory was
    // freed. A request for a lease adds one first and checks afterwards. If the box is closed, it
    // subtracts one again, as the end of a lease does: so any of them may find none left, and only
    // one turns CLOSED into GONE. In 62 bits, leases
    // taken one a nanosecond and never closed do not overflow in a century.

    private static final long CLOSED = 1L << 63;
    private static final long GONE = CLOSED | 1L << 62;

    private static final VarHandle STATE;

    static {
        try {
            STATE = MethodHandles.lookup().findVarHandle(SharedBox.class, "state", long.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final StructType<T> type;
    private final BoxedBlock block;
    private volatile long state;

    /** The leases until one may be tracked; plain, as what is miscounted does not matter. */
    private int untilPicked;

    SharedBox(StructType<T> type, BoxedBlock block) {
        this.type = type;
        this.block = block;
        this.untilPicked = block.origin().tracker().untilNext();
        STATE.setRelease(this, 0L); // behind what the memory was filled with
    }

    // ---- making one ---------------------------------------------------------------------------

    /**
     * Creates a box of a value.
     *
     * @param <T> the type in the box
     * @param allocator the allocator of the memory
     * @param type the struct type of the memory
     * @param value the value to copy
     * @return a box for all threads
     * @throws AllocationException if memory is not available
     * @throws IllegalStateException if the allocator is closed
     */
    public static <T> SharedBox<T> of(KernelAllocator allocator, StructType<T> type, T value) {
        SharedBox<T> box = uninitialized(allocator, type);
        try {
            box.set(value);
        } catch (RuntimeException | Error e) {
            box.close(); // the value does not fit the type, or its accessor failed
            Objects.requireNonNull(value, "value");
            throw e;
        }
        return box;
    }

    /**
     * Creates a zeroed box.
     *
     * @param <T> the type in the box
     * @param allocator the allocator of the memory
     * @param type the struct type of the memory
     * @return a box for all threads
     * @throws AllocationException if memory is not available
     * @throws IllegalStateException if the allocator is closed
     */
    public static <T> SharedBox<T> zeroed(KernelAllocator allocator, StructType<T> type) {
        return owning(type, BoxedBlock.allocate(AbstractAllocator.blocksOf(allocator), type, true));
    }

    /**
     * Creates a box whose contents are undefined until they are written, except that a struct that
     * {@linkplain StructType#followsPointers() follows pointers} is zeroed.
     *
     * @param <T> the type in the box
     * @param allocator the allocator of the memory
     * @param type the struct type of the memory
     * @return a box for all threads
     * @throws AllocationException if memory is not available
     * @throws IllegalStateException if the allocator is closed
     */
    public static <T> SharedBox<T> uninitialized(KernelAllocator allocator, StructType<T> type) {
        boolean zeroed = type.followsPointers();
        return owning(
                type, BoxedBlock.allocate(AbstractAllocator.blocksOf(allocator), type, zeroed));
    }

    /**
     * Creates a box of a value, in memory of the {@linkplain KernelAllocator#global global}
     * allocator.
     *
     * @param <T> the type in the box
     * @param type the struct type of the memory
     * @param value the value to copy
     * @return a box for all threads
     * @throws AllocationException if memory is not available
     */
    public static <T> SharedBox<T> of(StructType<T> type, T value) {
        return of(KernelAllocator.global(), type, value);
    }

    /**
     * Creates a zeroed box, in memory of the {@linkplain KernelAllocator#global global} allocator.
     *
     * @param <T> the type in the box
     * @param type the struct type of the memory
     * @return a box for all threads
     * @throws AllocationException if memory is not available
     */
    public static <T> SharedBox<T> zeroed(StructType<T> type) {
        return zeroed(KernelAllocator.global(), type);
    }

    /**
     * Creates a box of undefined contents, in memory of the {@linkplain KernelAllocator#global
     * global} allocator.
     *
     * @param <T> the type in the box
     * @param type the struct type of the memory
     * @return a box for all threads
     * @throws AllocationException if memory is not available
     */
    public static <T> SharedBox<T> uninitialized(StructType<T> type) {
        return uninitialized(KernelAllocator.global(), type);
    }

    private static <T> SharedBox<T> owning(StructType<T> type, BoxedBlock block) {
        try {
            block.origin().passTo(LeakReport.Kind.SHARED_BOX);
            return new SharedBox<>(type, block);
        } catch (Throwable e) {
            block.free(); // the Java heap or stack is exhausted
            throw e;
        }
    }

    // ---- using it -----------------------------------------------------------------------------

    /**
     * Lets the calling thread use the memory until it closes the lease. A thread may have several.
     *
     * @return a lease owned by the calling thread
     * @throws IllegalStateException if this box is closed or detached
     */
    public Lease<T> lease() {
        Lease<T> lease = uncounted();
        count(lease);
        return lease;
    }

    /**
     * Returns a lease that may not be used until it is counted. It exists first, so that none is
     * counted where the Java heap or stack has no room for it: such a one would keep the memory for
     * ever.
     */
    Lease<T> uncounted() {
        Arena lifetime = Arena.ofConfined();
        MemorySegment segment = block.segment(lifetime);
        Sentinel sentinel = --untilPicked > 0 ? null : sentinelOfLease();
        return new Lease<>(this, lifetime, segment, sentinel);
    }

    /**
     * Counts a lease.
     *
     * @throws IllegalStateException if this box is closed or detached
     */
    void count(Lease<T> lease) {
        if ((long) STATE.getAndAdd(this, 1L) < 0) {
            throw refused(lease);
        }
    }

    /**
     * Counts a lease for another thread that continues an outstanding lease, even once this box is
     * closed: as long as the memory exists, this lease keeps it, too.
     */
    void countJoining(Lease<T> lease) {
        if (((long) STATE.getAndAdd(this, 1L) & GONE) == GONE) {
            throw refused(lease);
        }
    }

    private IllegalStateException refused(Lease<T> lease) {
        end();
        lease.forget();
        return closed();
    }

    /** For one lease of some; the others only count. */
    private @Nullable Sentinel sentinelOfLease() {
        Tracker tracker = block.origin().tracker();
        untilPicked = tracker.untilNext();
        if (!tracker.isTimeForOne()) {
            return null;
        }
        ClosingSites.prepare();
        return tracker.sentinelOfOne(LeakReport.Kind.LEASE, block.address(), block.bytes());
    }

    /** Ends a lease, once. */
    void end() {
        if ((long) STATE.getAndAdd(this, -1L) == CLOSED + 1) {
            releaseMemory();
        }
    }

    private void releaseMemory() {
        if (STATE.compareAndSet(this, CLOSED, GONE)) {
            block.free();
        }
    }

    /**
     * Returns a copy of the value, under a lease of its own. A concurrent write may be half
     * visible.
     *
     * @return the value
     * @throws IllegalStateException if this box is closed or detached
     * @throws UnsupportedOperationException if the type is no record: a live view would be dead on
     *     return
     */
    public T get() {
        if (type.isView()) {
            throw new UnsupportedOperationException(
                    String.format(
                            Locale.ROOT,
                            "%s is a live view, which would be dead on return: take a lease()",
                            type.type().getName()));
        }
        try (Lease<T> lease = lease()) {
            return lease.get();
        }
    }

    /**
     * Copies a value into the box, under a lease of its own. A concurrent reader may see half of
     * it.
     *
     * @param value a record; or a view, whose bytes are copied
     * @throws IllegalStateException if this box is closed or detached
     */
    public void set(T value) {
        try (Lease<T> lease = lease()) {
            lease.set(value);
        }
    }

    /**
     * Returns the physical location of the value, in its order; adjoining pieces are merged. The
     * location is the one that was read when the memory was prepared: see {@link
     * PhysicalAllocator#extents(MemorySegment)}, which can also split the pieces for a device.
     *
     * @return at least one extent, unless there are no bytes
     * @throws UnsupportedOperationException if the memory is not a {@link PhysicalAllocator}'s
     * @throws PhysicalAddressException if a byte's address is unknown, with the reason
     * @throws IllegalStateException if this box is closed or detached
     */
    public List<PhysicalExtent> extents() {
        try (Lease<T> lease = lease()) {
            return lease.extents();
        }
    }

    /**
     * Returns the struct type of the memory.
     *
     * @return the type that the box was created with
     */
    public StructType<T> type() {
        return type;
    }

    /**
     * Returns the number of elements of the flexible array at the end of the struct.
     *
     * @return the number of elements; 0 for a struct without flexible array
     */
    public long elements() {
        return block.elements();
    }

    /**
     * Returns the number of outstanding leases.
     *
     * @return the number of leases, not negative; may include threads that are about to be refused
     */
    public long leases() {
        return state & ~GONE;
    }

    // ---- the end ------------------------------------------------------------------------------

    /**
     * Ends this box and hands its memory over, if there are no outstanding leases.
     *
     * @return a hand-off that must be attached, shared again or discarded
     * @throws IllegalStateException if this box is closed or detached, or leases are outstanding,
     *     with their number; nothing has changed then
     */
    public Handoff<T> detach() {
        Handoff<T> handoff = new Handoff<>(type, block);
        leave();
        try {
            block.origin().passTo(LeakReport.Kind.HANDOFF);
        } catch (StackOverflowError _) {
            // reported under the name of the owner before, as the memory has changed hands
        }
        return handoff;
    }

    /** Ends this box without giving the memory back, when no lease is out. */
    void leave() {
        long found = (long) STATE.compareAndExchange(this, 0L, GONE);
        if (found < 0) {
            throw closed();
        }
        if (found > 0) {
            throw new IllegalStateException(
                    String.format(
                            Locale.ROOT, "%d leases are out: wait until they have ended", found));
        }
    }

    /**
     * Ends this box: it refuses new leases. The memory is freed when the last lease ends, or at
     * once if there is none. The thread that ends it runs the release function of an adopted box,
     * and receives its exceptions.
     *
     * @throws IllegalStateException if this box is closed or detached
     */
    @Override
    public void close() {
        long found = (long) STATE.getAndBitwiseOr(this, CLOSED);
        if (found < 0) {
            throw closed();
        }
        if (found == 0) {
            releaseMemory();
        }
    }

    private IllegalStateException closed() {
        return new IllegalStateException(
                String.format(
                        Locale.ROOT,
                        "the shared memory %s is closed or detached: it has no new leases",
                        block.location()));
    }

    BoxedBlock block() {
        return block;
    }

    /** Returns the fields and the address; once closed, only the address. */
    @Override
    public String toString() {
        long now = state;
        String name = type.type().getSimpleName();
        if (now >= 0) {
            try (Lease<T> lease = lease()) {
                name = type.toString(lease.segment());
            } catch (IllegalStateException _) {
                now = state; // closed in between
            }
        }
        return OwnerText.shared("SharedBox", name, now < 0, block.location(), now & ~GONE);
    }
}
