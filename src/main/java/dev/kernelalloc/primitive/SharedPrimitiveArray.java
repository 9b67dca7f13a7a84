package dev.kernelalloc.primitive;

import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.SharedArray;
import dev.kernelalloc.core.OwnerText;
import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.physical.PhysicalExtent;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.Supplier;

/**
 * An array of numbers for all threads, and the owner of its memory: a {@linkplain
 * PrimitiveArray#share shared} array, or a mapped file. Threads use it through leases, as they do a
 * {@link SharedArray}.
 *
 * {@snippet lang = java :
 * SharedPrimitiveArray<NativeLongArray> counts = NativeLongArray.zeroed(1000).share();
 * try (NativeLongArray lease = counts.lease()) {           // in any thread
 *     lease.set(0, 1);
 * }
 * counts.close();                                          // once, in any thread
 * }
 *
 * <p>{@link #close} neither waits for other threads nor stops them: it refuses new leases,
 * outstanding leases stay valid, and when the last of them ends the memory is freed. A lease that
 * is never closed keeps the memory for ever; {@link #leases} reports how many are outstanding.
 *
 * <p>Leases do not exclude each other. Threads that write the same elements at once need a {@link
 * java.lang.invoke.VarHandle} over the segment of their lease, or a lock. Writes under a lease that
 * has ended are visible under each lease taken afterwards. The stream of a lease is sequential: run
 * in parallel, it throws {@link WrongThreadException} in the first other thread.
 *
 * @param <A> the class of the array
 */
public final class SharedPrimitiveArray<A extends PrimitiveArray<A>> implements AutoCloseable {

    private final PrimitiveKind<A> kind;
    private final long length;

    private final SharedArray<MemorySegment> memory;

    /** Calls the supplier last, when this exists, so that no memory is lost. */
    SharedPrimitiveArray(
            PrimitiveKind<A> kind, long length, Supplier<SharedArray<MemorySegment>> memory) {
        this.kind = kind;
        this.length = length;
        this.memory = memory.get();
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
    public A lease() {
        return kind.constructor().apply(memory::lease, length);
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
     * Returns the physical location of the elements, as {@link PrimitiveArray#extents} does.
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
     * Makes the calling thread the owner, if there are no outstanding leases, and ends this shared
     * array. No element is copied.
     *
     * @return an array owned by the calling thread
     * @throws IllegalStateException if this array is closed or was attached, or leases are
     *     outstanding, with their number; nothing has changed then
     * @throws UnsupportedOperationException if this array is a mapped file
     */
    public A attach() {
        return kind.constructor().apply(memory::attach, length);
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

    /** Returns the class of the array, its length, the leases, and whether it is closed. */
    @Override
    public String toString() {
        long out = leases(); // before the one that is taken here
        String contents = kind.name() + ", " + length + " elements";
        return OwnerText.shared(
                "SharedPrimitiveArray", contents, () -> memory.lease().close(), out);
    }
}
