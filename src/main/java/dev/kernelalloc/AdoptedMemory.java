package dev.kernelalloc;

import dev.kernelalloc.frames.Adoption;
import dev.kernelalloc.frames.FrameChecks;
import dev.kernelalloc.physical.ExtentVisitor;
import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.physical.PhysicalAddress;
import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.physical.PhysicalExtent;
import dev.kernelalloc.physical.PinMethod;
import dev.kernelalloc.physical.Verification;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;

/**
 * Memory that the program or a library has mapped, and that {@link PhysicalAllocator#adopt} has
 * locked, pinned and resolved in place. Closing it returns the memory as it was: the pins end, and
 * so do the locks of what was not locked before. The memory itself stays the caller's.
 *
 * <p>Close it before the memory is unmapped or its arena is closed. Java offers no way to keep an
 * arena open, so closing it first is not refused: the pins hold the frames until this is closed,
 * this closes without touching what is mapped there by then, and memory that the arena returned to
 * the C heap stays locked. Addresses of memory that was unmapped otherwise are stale, and {@link
 * #verify} reports them. Safe to use from any thread; memory that is confined to a thread is closed
 * by that.
 */
public final class AdoptedMemory implements AutoCloseable {

    /** Reachable as long as this is: it sees the frames. */
    @SuppressWarnings("unused")
    private final Object allocator;

    private final MemorySegment memory;
    private final Adoption adoption;

    AdoptedMemory(Object allocator, MemorySegment memory, Adoption adoption) {
        this.allocator = allocator;
        this.memory = memory;
        this.adoption = adoption;
    }

    /**
     * Returns the memory.
     *
     * @return the segment that was adopted
     */
    public MemorySegment memory() {
        return memory;
    }

    /**
     * Returns the physical address of a byte, as resolved when the memory was adopted or last
     * verified. Does not enter the kernel.
     *
     * @param offset the offset of the byte in the memory
     * @return the address
     * @throws PhysicalAddressException if the address is unknown, with the reason
     * @throws IndexOutOfBoundsException if the offset is outside the memory
     * @throws IllegalStateException if this, or the memory, is closed
     */
    public PhysicalAddress addressOf(long offset) {
        requireOpen();
        return adoption.addressOf(Objects.checkIndex(offset, memory.byteSize()));
    }

    /**
     * Returns the physical location of the memory, in its order; adjoining pieces are merged.
     *
     * @return at least one extent
     * @throws PhysicalAddressException if a byte's address is unknown, with the reason
     * @throws IllegalStateException if this, or the memory, is closed
     */
    public List<PhysicalExtent> extents() {
        requireOpen();
        return adoption.extents();
    }

    /**
     * Visits the physical location of the memory, as {@link
     * PhysicalAllocator#extents(MemorySegment, long, long, ExtentVisitor)}.
     *
     * @param longest the maximum size of a piece in bytes, at least 1
     * @param boundary a power of two, of which no multiple is between two bytes of a piece; 0 for
     *     none
     * @param visitor receives each extent
     * @throws PhysicalAddressException if a byte's address is unknown, with the reason
     * @throws IllegalArgumentException if {@code longest} or {@code boundary} is not as above
     * @throws IllegalStateException if this, or the memory, is closed
     */
    public void extents(long longest, long boundary, ExtentVisitor visitor) {
        FrameChecks.requirePieces(longest, boundary);
        Objects.requireNonNull(visitor, "visitor");
        requireOpen();
        adoption.extents(longest, boundary, visitor);
    }

    /**
     * Returns the guarantees of the memory, without those that {@link #verify} has found lost.
     *
     * @return the guarantees
     */
    public Set<Guarantee> guarantee() {
        return adoption.guarantees();
    }

    /**
     * Returns what holds the pages in their place.
     *
     * @return the method; empty if the memory is not pinned
     */
    public Optional<PinMethod> pin() {
        return adoption.pin();
    }

    /**
     * Audits the memory, as {@link PhysicalAllocator#verify()}; listeners of the allocator receive
     * the findings.
     *
     * @return the findings
     * @throws PhysicalAddressException of reason {@link PhysicalAddressException.Reason#MOVED} if a
     *     page has moved that was {@link Guarantee#PINNED} until now
     * @throws IllegalStateException if this, or the memory, is closed
     */
    public Verification verify() {
        requireOpen();
        Verification found = adoption.verify();
        requireOpen(); // what ended meanwhile was not audited
        return FrameChecks.requirePinned(found);
    }

    private void requireOpen() {
        if (adoption.isEnded()) {
            throw new IllegalStateException("adopted memory " + memory + " is closed");
        }
        if (!memory.scope().isAlive()) {
            throw new IllegalStateException(memory + " is closed");
        }
    }

    static void requireAccessible(MemorySegment memory) {
        if (!memory.isAccessibleBy(Thread.currentThread())) {
            throw new WrongThreadException(memory + " is confined to another thread");
        }
    }

    /**
     * Returns the memory as it was.
     *
     * @throws IllegalStateException if this is closed already
     * @throws WrongThreadException if the memory is confined to another thread
     */
    @Override
    public void close() {
        requireAccessible(memory);
        if (!adoption.end()) {
            throw new IllegalStateException("adopted memory " + memory + " is closed already");
        }
    }

    @Override
    public String toString() {
        return "AdoptedMemory[" + memory + ", " + adoption.guarantees() + "]";
    }
}
