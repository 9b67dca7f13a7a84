package dev.kernelalloc.map;

import dev.kernelalloc.ArrayLease;
import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.NativeArray;
import dev.kernelalloc.SharedArray;
import dev.kernelalloc.core.OwnerText;
import dev.kernelalloc.struct.StructType;

import java.lang.foreign.MemorySegment;

/**
 * A hash map in native memory for all threads, and the owner of that memory. Threads use it through
 * leases, as they do a {@link SharedArray}. Its keys are fixed; the values can be read and written.
 *
 * {@snippet lang = java :
 * SharedMap<Counter> counters = map.share();
 * try (MapLease<Counter> lease = counters.lease()) {       // in any thread
 *     lease.get(42).getAndAddCount(1);
 * }
 * counters.close();                                        // once, in any thread
 * }
 *
 * <p>{@link #close} neither waits for other threads nor stops them: it refuses new leases,
 * outstanding leases stay valid, and when the last of them ends the memory is freed. To add or
 * remove keys, {@link #attach} the map to one thread.
 *
 * <p>Leases do not exclude each other. Threads that write the same values at once need the atomic
 * members of their struct, or a lock. Writes under a lease that has ended are visible under each
 * lease taken afterwards.
 *
 * <p>A lease that is never closed keeps the memory for ever; {@link #leases} reports how many are
 * outstanding.
 *
 * @param <V> the type of a value: a record, copied in and out; an interface, whose instances are
 *     live views of the memory; or {@link MemorySegment} for a bare layout
 */
public final class SharedMap<V> implements AutoCloseable {

    /** In place of memory that has not changed hands. */
    private static final MemorySegment NOT_YET = MemorySegment.NULL;

    private final StructType<V> type;
    private final StructType<MemorySegment> slot;
    private final KernelAllocator allocator;
    private final LongTable table;
    private final long size;
    private final SharedArray<MemorySegment> memory;

    /** Takes over the memory of a map, last, so that nothing is lost where this throws. */
    SharedMap(
            StructType<V> type,
            StructType<MemorySegment> slot,
            KernelAllocator allocator,
            NativeArray<MemorySegment> memory,
            LongTable table,
            long size) {
        this.type = type;
        this.slot = slot;
        this.allocator = allocator;
        this.table = table;
        this.size = size;
        this.memory = memory.share();
    }

    /**
     * Returns the type of a value.
     *
     * @return the type of all values
     */
    public StructType<V> type() {
        return type;
    }

    /**
     * Returns the number of entries.
     *
     * @return the number of entries, not negative
     */
    public long size() {
        return size;
    }

    /**
     * Lets the calling thread use the entries until it closes the lease. A thread may have several.
     *
     * @return a lease owned by the calling thread
     * @throws IllegalStateException if this map is closed, or was attached
     */
    public MapLease<V> lease() {
        ArrayLease<MemorySegment> lease = memory.lease();
        try {
            return MapLeaseOf.make(type, lease, table.over(lease.segment()), size);
        } catch (Throwable e) {
            lease.close(); // the Java heap or stack is exhausted
            throw e;
        }
    }

    /**
     * Returns the number of outstanding leases.
     *
     * @return the number of leases, not negative; may include threads that are about to be refused
     */
    public long leases() {
        return memory.leases();
    }

    /**
     * Makes the calling thread the owner, if there are no outstanding leases, and ends this shared
     * map. No entry is copied.
     *
     * @return a map owned by the calling thread
     * @throws IllegalStateException if this map is closed or was attached, or leases are
     *     outstanding, with their number; nothing has changed then
     */
    public NativeMap<V> attach() {
        return MapOf.make(type, slot, allocator, memory::attach, table.over(NOT_YET), size);
    }

    /**
     * Ends this map: it refuses new leases. The memory is freed when the last lease ends, or at
     * once if there is none.
     *
     * @throws IllegalStateException if this map is closed, or was attached
     */
    @Override
    public void close() {
        memory.close();
    }

    /** Returns the number of entries, the type of a value, the leases, and whether it is closed. */
    @Override
    public String toString() {
        long out = leases(); // before the one that is taken here
        String contents = size + " × " + type.type().getSimpleName();
        return OwnerText.shared("SharedMap", contents, () -> memory.lease().close(), out);
    }
}
