package dev.kernelalloc;

import dev.kernelalloc.core.BoxedBlock;
import dev.kernelalloc.core.Origin;
import dev.kernelalloc.core.OwnedBlock;
import dev.kernelalloc.core.OwnerText;
import dev.kernelalloc.core.Tracked;
import dev.kernelalloc.os.Platform;
import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.physical.PhysicalExtent;
import dev.kernelalloc.struct.StructType;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.util.List;
import java.util.function.Supplier;

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
 * ever reaches memory that has another owner. {@link #map} gives a mapped file the same life.
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

    /** Null for a mapped file, which no single thread can own. */
    private final OwnedBlock.@Nullable Unowned unowned;

    /**
     * Counts the leases: a box of all elements together, whose own get and set are never called.
     */
    private final SharedBox<T> memory;

    /**
     * Makes a lease for another thread that continues an outstanding one, even after {@link
     * #close}.
     */
    private final Supplier<ArrayLease<T>> joining;

    private SharedArray(
            StructType<T> type,
            long length,
            OwnedBlock.@Nullable Unowned unowned,
            BoxedBlock block) {
        this.type = type;
        this.length = length;
        this.unowned = unowned;
        this.memory = new SharedBox<>(type, block);
        this.joining = this::join;
    }

    /**
     * Maps a part of a file as an array for all threads. Under {@link
     * FileChannel.MapMode#READ_WRITE} writes reach the file and every process that maps it; the
     * file grows if it is too short. The last lease after {@link #close} unmaps it.
     *
     * {@snippet lang = java :
     * try (FileChannel file = FileChannel.open(path, READ, WRITE, CREATE)) {
     *     SharedArray<Entry> log = SharedArray.map(ENTRY, file, MapMode.READ_WRITE, 0, 1 << 20);
     * }
     * }
     *
     * <p>The mapping outlives the channel. {@link FileChannel#force} writes changes to the device.
     * If another process truncates the file, accesses beyond its end throw an {@link
     * InternalError}.
     *
     * @param <T> the type of the elements
     * @param type the type of an element
     * @param file the file, opened for reading, and for writing unless {@code mode} is {@link
     *     FileChannel.MapMode#READ_ONLY}
     * @param mode read-only, shared for writing, or private to this array
     * @param offset the offset of the first element in the file, in bytes, a multiple of the
     *     alignment of the type
     * @param length the number of elements
     * @return an array for all threads; its leases are read-only if {@code mode} is
     * @throws IOException if the file cannot be mapped, or is too short and not open for writing
     * @throws IllegalArgumentException if {@code offset} is negative or misaligned, {@code length}
     *     is negative, the size overflows, or the type ends in a flexible array
     * @throws java.nio.channels.NonReadableChannelException if the file is not open for reading
     * @throws java.nio.channels.NonWritableChannelException if it is not open for writing, and
     *     {@code mode} requires it
     */
    public static <T> SharedArray<T> map(
            StructType<T> type,
            FileChannel file,
            FileChannel.MapMode mode,
            long offset,
            long length)
            throws IOException {
        Platform.current(); // explains where native access is denied
        long bytes = NativeSlice.bytes(type, length);
        Arena mapping = Arena.ofShared();
        try {
            MemorySegment mapped = file.map(mode, offset, bytes, mapping);
            NativeSlice.requireAligned(type, mapped);
            return ofMapped(type, length, mapped, mapping);
        } catch (Throwable e) {
            mapping.close();
            throw e;
        }
    }

    /** Where this throws, the mapping is the caller's still. */
    private static <T> SharedArray<T> ofMapped(
            StructType<T> type, long length, MemorySegment mapped, Arena mapping) {
        long address = mapped.address();
        long bytes = mapped.byteSize();
        Origin origin =
                Tracked.sampled(
                        new Origin.External(
                                mapped,
                                _ -> mapping.close(),
                                new AbstractAllocator.BlocksOfGlobal()),
                        address,
                        bytes);
        try {
            origin.passTo(LeakReport.Kind.SHARED_BOX);
            BoxedBlock block =
                    new BoxedBlock(
                            origin, address, bytes, type.byteAlignment(), 0, mapped.isReadOnly());
            return new SharedArray<>(type, length, null, block);
        } catch (Throwable e) {
            origin.forget(); // the Java heap or stack is exhausted
            throw e;
        }
    }

    /** The present form of the array; created before the array ends, so that nothing is lost. */
    static <T> SharedArray<T> of(NativeArray<T> array) {
        OwnedBlock block = array.block();
        OwnedBlock.Unowned unowned = block.unowned();
        SharedArray<T> shared =
                new SharedArray<>(array.type(), array.length(), unowned, unowned.block());
        block.detach();
        try {
            unowned.passTo(LeakReport.Kind.SHARED_BOX);
        } catch (StackOverflowError _) {
            // reported under the name of the owner before, as the memory has changed hands
        }
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
        Lease<T> lease = memory.uncounted();
        ArrayLease<T> elements = LeaseOf.make(type, lease, joining, length);
        memory.count(lease); // last, so that no lease counts which the caller does not get
        return elements;
    }

    private ArrayLease<T> join() {
        Lease<T> lease = memory.uncounted();
        ArrayLease<T> elements = LeaseOf.make(type, lease, joining, length);
        memory.countJoining(lease);
        return elements;
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

    // ---- the end ------------------------------------------------------------------------------

    /**
     * Makes the calling thread the owner, if there are no outstanding leases, and ends this shared
     * array. No element is copied.
     *
     * @return an array owned by the calling thread
     * @throws IllegalStateException if this array is closed or was attached, or leases are
     *     outstanding, with their number; nothing has changed then
     * @throws UnsupportedOperationException if this array is a {@linkplain #map mapped} file
     */
    public NativeArray<T> attach() {
        if (unowned == null) {
            throw new UnsupportedOperationException(
                    "a mapped file is used through leases: " + this);
        }
        // Created before the memory changes hands, so that none is lost with a full Java heap.
        NativeArray<T> array = ArrayOf.make(type, unowned.attach(), length);
        memory.leave();
        try {
            unowned.passTo(LeakReport.Kind.CONTAINER);
        } catch (StackOverflowError _) {
            // reported under the name of the owner before, as the memory has changed hands
        }
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
        boolean closed = false;
        long out = leases();
        try (ArrayLease<T> lease = lease()) {
            contents = lease.contents();
        } catch (IllegalStateException _) {
            closed = true;
        }
        return OwnerText.shared("SharedArray", contents, closed, memory.block().location(), out);
    }
}
