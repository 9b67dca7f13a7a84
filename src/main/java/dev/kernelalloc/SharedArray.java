package dev.kernelalloc;

import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.physical.PhysicalExtent;
import dev.kernelalloc.struct.StructType;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Locale;

/**
 * A fixed number of values in native memory, and the owner of that memory, for all threads: they
 * use it through leases, as they do a {@link SharedBox}.
 *
 * {@snippet lang = java :
 * SharedArray<Point> points = NativeArray.zeroed(POINT, 1_000_000).share();
 * try (ArrayLease<Point> lease = points.lease()) {         // in any thread
 *     lease.set(0, new Point(1, 2));
 *     long sum = lease.stream().parallel().mapToLong(Point::x).sum();
 * }
 * points.close();                                          // once, in any thread
 * }
 *
 * <p>{@link #close} neither waits for other threads nor stops them: it refuses new leases,
 * outstanding leases stay valid, and when the last of them ends the memory is freed. So no access
 * ever reaches memory that has another owner.
 *
 * <p>Leases do not exclude each other. Threads that write the same elements at once need the atomic
 * members of their struct, or a lock. Writes under a lease that has ended are visible under each
 * lease taken afterwards.
 *
 * <p>A lease that is never closed, because its thread died for example, keeps the memory for ever;
 * {@link #leases} and {@link #toString} report how many are outstanding.
 *
 * @param <T> the type of an element: a record, copied in and out; an interface, whose instances are
 *     live views of the memory; or {@link MemorySegment} for a bare layout
 */
public final class SharedArray<T> implements AutoCloseable {

    private final StructType<T> type;
    private final long length;
    private final OwnedBlock.Unowned unowned;

    /**
     * Counts the leases: a box of all elements together, whose own get and set are never called.
     */
    private final SharedBox<T> memory;

    private SharedArray(StructType<T> type, long length, OwnedBlock.Unowned unowned) {
        this.type = type;
        this.length = length;
        this.unowned = unowned;
        this.memory = new SharedBox<>(type, unowned.block());
    }

    /** The present form of the array; created before the array ends, so that nothing is lost. */
    static <T> SharedArray<T> of(NativeArray<T> array) {
        OwnedBlock block = array.block();
        SharedArray<T> shared = new SharedArray<>(array.type(), array.length(), block.unowned());
        block.leave();
        shared.unowned.passTo(LeakReport.Kind.SHARED_BOX);
        return shared;
    }

    /**
     * Returns the type of an element.
     *
     * @return the type of all elements
     */
    public StructType<T> type() {
        return type;
    }

    /**
     * Returns the number of elements.
     *
     * @return the number of elements, not negative
     */
    public long length() {
        return length;
    }

    /**
     * Lets the calling thread use the memory until it closes the lease. A thread may have several.
     *
     * @return a lease owned by the calling thread
     * @throws IllegalStateException if this array is closed, or was attached
     */
    public ArrayLease<T> lease() {
        return view(memory.lease());
    }

    /**
     * Returns a lease for another thread that continues an outstanding lease, even after {@link
     * #close}.
     *
     * @throws IllegalStateException if the memory was freed
     */
    ArrayLease<T> join() {
        return view(memory.join());
    }

    private ArrayLease<T> view(Lease<T> lease) {
        try {
            return LeaseOf.make(type, lease, this, length);
        } catch (Throwable e) {
            lease.close(); // the Java heap or stack is exhausted
            throw e;
        }
    }

    /**
     * Returns the physical location of the elements, in their order; adjoining pieces are merged.
     * The location is the one that was read when the memory was prepared: see {@link
     * PhysicalAllocator#extents(MemorySegment)}, which can also split the pieces for a device.
     *
     * @return at least one extent, unless there are no bytes
     * @throws UnsupportedOperationException if the memory is not a {@link PhysicalAllocator}'s
     * @throws PhysicalAddressException if a byte's address is unknown, with the reason
     * @throws IllegalStateException if this array is closed or attached
     */
    public List<PhysicalExtent> extents() {
        return memory.extents();
    }

    /**
     * Returns the number of outstanding leases, including those of threads of parallel streams.
     *
     * @return the number of leases, not negative; may include threads that are about to be refused
     */
    public long leases() {
        return memory.leases();
    }

    /** Describes the guarantee of the pages, for people. */
    String guarantee() {
        return unowned.source().guarantee();
    }

    // ---- the end ------------------------------------------------------------------------------

    /**
     * Makes the calling thread the owner, if there are no outstanding leases, and ends this shared
     * array. No element is copied.
     *
     * @return an array owned by the calling thread
     * @throws IllegalStateException if this array is closed or was attached, or leases are
     *     outstanding, with their number; nothing has changed then
     */
    public NativeArray<T> attach() {
        // Created before the memory changes hands, so that none is lost with a full Java heap.
        NativeArray<T> array = ArrayOf.make(type, unowned.attach(), length);
        memory.leave();
        unowned.passTo(LeakReport.Kind.CONTAINER);
        return array;
    }

    /**
     * Ends this array: it refuses new leases. The memory is freed when the last lease ends, or at
     * once if there is none.
     *
     * @throws IllegalStateException if this array is closed, or was attached
     */
    @Override
    public void close() {
        memory.close();
    }

    /**
     * Returns the first elements, the address and the number of leases; once closed, only the
     * address.
     */
    @Override
    public String toString() {
        String contents = length + " × " + type.type().getSimpleName();
        String state = "";
        long out = leases();
        try (ArrayLease<T> lease = lease()) {
            contents = lease.contents();
        } catch (IllegalStateException _) {
            state = "closed, was ";
        }
        return String.format(
                Locale.ROOT,
                "SharedArray[%s, %s%s, %d leases]",
                contents,
                state,
                memory.block().place(),
                out);
    }
}
