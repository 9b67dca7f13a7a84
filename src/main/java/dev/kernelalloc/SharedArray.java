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
 * <p>{@link #close} waits for nobody and stops nobody: from then on there are no new leases, those
 * that are out stay good, and when the last of them ends the memory goes back. So no access ever
 * reaches memory that has another owner.
 *
 * <p>Leases do not exclude each other. Threads that write the same elements at once need the atomic
 * members of their struct, or a lock. What was written under a lease that has ended is seen under
 * each that begins afterwards.
 *
 * <p>A lease that is never closed, because its thread died for example, keeps the memory for ever;
 * {@link #leases} and {@link #toString} tell how many are out.
 *
 * @param <T> what an element is: a record, copied in and out; an interface, whose instances are
 *     live views of the memory; or {@link MemorySegment} for a bare layout
 */
public final class SharedArray<T> implements AutoCloseable {

    private final StructType<T> type;
    private final long length;
    private final OwnedBlock.Unowned unowned;

    /** Counts the leases: a box of all elements together, whose own get and set nobody calls. */
    private final SharedBox<T> memory;

    private SharedArray(StructType<T> type, long length, OwnedBlock.Unowned unowned) {
        this.type = type;
        this.length = length;
        this.unowned = unowned;
        this.memory = new SharedBox<>(type, unowned.block());
    }

    /** What an array has become; made before the array ends, so that nothing is lost. */
    static <T> SharedArray<T> of(NativeArray<T> array) {
        OwnedBlock block = array.block();
        SharedArray<T> shared = new SharedArray<>(array.type(), array.length(), block.unowned());
        block.leave();
        shared.unowned.passTo(LeakReport.Kind.SHARED_BOX);
        return shared;
    }

    /**
     * What an element looks like in memory.
     *
     * @return the type of all elements
     */
    public StructType<T> type() {
        return type;
    }

    /**
     * How many elements there are.
     *
     * @return not negative
     */
    public long length() {
        return length;
    }

    /**
     * Lets the calling thread use the memory until it closes the lease. A thread may have several.
     *
     * @return a lease of the calling thread
     * @throws IllegalStateException when this array is closed, or is one thread's again
     */
    public ArrayLease<T> lease() {
        return view(memory.lease());
    }

    /**
     * A lease for another thread of what one that is out began: also after {@link #close}.
     *
     * @throws IllegalStateException when the memory has gone
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
     * The pieces of physical memory that the elements lie in, in their order; those that touch are
     * one. As known since the memory was prepared: see {@link
     * PhysicalAllocator#extents(MemorySegment)}, which also splits them as devices want it.
     *
     * @return at least one extent, unless there are no bytes
     * @throws UnsupportedOperationException when the memory is not a {@link PhysicalAllocator}'s
     * @throws PhysicalAddressException when a byte's address is not known, with the reason
     * @throws IllegalStateException when this array is closed or one thread's again
     */
    public List<PhysicalExtent> extents() {
        return memory.extents();
    }

    /**
     * How many leases are out now, those of a parallel stream's threads among them.
     *
     * @return not negative; may count threads that are about to be refused
     */
    public long leases() {
        return memory.leases();
    }

    /** What is promised of the pages, for people. */
    String guarantee() {
        return unowned.source().guarantee();
    }

    // ---- the end ------------------------------------------------------------------------------

    /**
     * Makes the calling thread the owner, when no lease is out, and ends this shared array. No
     * element is copied.
     *
     * @return an array of the calling thread
     * @throws IllegalStateException when this array is closed, or is one thread's again already; or
     *     leases are out, with their number; nothing has changed then
     */
    public NativeArray<T> attach() {
        // Made before the memory changes hands, so that nothing is lost for want of Java heap.
        NativeArray<T> array = ArrayOf.make(type, unowned.attach(), length);
        memory.leave();
        unowned.passTo(LeakReport.Kind.CONTAINER);
        return array;
    }

    /**
     * Ends this array: there are no new leases. The memory goes back when the last lease ends, at
     * once when none is out.
     *
     * @throws IllegalStateException when this array is closed, or is one thread's again already
     */
    @Override
    public void close() {
        memory.close();
    }

    /** The first elements, the place and the number of leases; once closed, the place alone. */
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
