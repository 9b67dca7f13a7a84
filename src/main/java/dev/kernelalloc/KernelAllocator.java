package dev.kernelalloc;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.util.Optional;

/**
 * Native memory that is given back block by block. Every method is safe to call from any thread.
 *
 * <p>There are three ways to use one, and each owns its blocks alone:
 *
 * <ul>
 *   <li>a {@link NativeBox} owns one typed block and cannot be used after it is closed;
 *   <li>an {@link Arena} of {@link #arena()} or {@link #sharedArena()} owns many and frees them
 *       together;
 *   <li>a <i>raw</i> block of {@link #allocate} lives until {@link #free}, as with malloc(3): its
 *       segment is in the global scope, so the JVM does not stop an access after it.
 * </ul>
 *
 * <p>Sizes are in bytes. A size of 0 is legal and gives a distinct address. A negative size, an
 * alignment that is not a power of two, and a size and alignment whose sum exceeds {@code
 * Long.MAX_VALUE} are an {@link IllegalArgumentException}. Where memory cannot be had there is an
 * {@link AllocationException}; the allocator stays usable and nothing is lost.
 */
public sealed interface KernelAllocator extends SegmentAllocator, AutoCloseable
        permits PoolAllocator, PhysicalAllocator {

    /**
     * A raw block. Its contents are undefined.
     *
     * @param byteSize of the segment returned, exactly
     * @param byteAlignment a power of two that will divide the address
     * @return a segment of the global scope that lives until {@link #free}
     * @throws AllocationException when memory cannot be had
     * @throws IllegalArgumentException when an argument is out of range
     * @throws IllegalStateException when this allocator is closed
     */
    @Override
    default MemorySegment allocate(long byteSize, long byteAlignment) {
        return CheckedBlocks.of(this).allocate(byteSize, byteAlignment);
    }

    /**
     * A raw block of zeros; otherwise as {@link #allocate(long, long)}.
     *
     * @param byteSize of the segment returned, exactly
     * @param byteAlignment a power of two that will divide the address
     * @return a segment of the global scope that lives until {@link #free}
     * @throws AllocationException when memory cannot be had
     * @throws IllegalArgumentException when an argument is out of range
     * @throws IllegalStateException when this allocator is closed
     */
    default MemorySegment allocateZeroed(long byteSize, long byteAlignment) {
        return CheckedBlocks.of(this).allocateZeroed(byteSize, byteAlignment);
    }

    /**
     * A raw block, or nothing where {@link #allocate(long, long)} would throw an {@link
     * AllocationException}.
     *
     * @param byteSize of the segment returned, exactly
     * @param byteAlignment a power of two that will divide the address
     * @return a segment of the global scope that lives until {@link #free}; empty when memory
     *     cannot be had
     * @throws IllegalArgumentException when an argument is out of range
     * @throws IllegalStateException when this allocator is closed
     */
    default Optional<MemorySegment> tryAllocate(long byteSize, long byteAlignment) {
        return CheckedBlocks.of(this).tryAllocate(byteSize, byteAlignment);
    }

    /**
     * A raw block with another size and alignment that keeps the contents up to the smaller size;
     * bytes beyond are undefined. After success the old segment must not be used, even at the same
     * address.
     *
     * @param block the start of a live raw block of this allocator, as for {@link #free}
     * @param newByteSize of the segment returned, exactly
     * @param byteAlignment a power of two that will divide the address
     * @return a segment of the global scope that lives until {@link #free}
     * @throws AllocationException when memory cannot be had; {@code block} is unchanged then
     * @throws IllegalArgumentException when an argument is out of range, or {@code block} is not
     *     what {@link #free} takes
     * @throws IllegalStateException when this allocator is closed
     */
    default MemorySegment reallocate(MemorySegment block, long newByteSize, long byteAlignment) {
        return CheckedBlocks.of(this).reallocate(block, newByteSize, byteAlignment);
    }

    /**
     * Gives back a raw block, also when this allocator is closed. The block is known by the address
     * of the segment, which may be of any size.
     *
     * <p>What is no live raw block of this allocator is refused and nothing changes: a segment of
     * the Java heap or of a scope that can be closed, and an address that was freed before, lies
     * inside a block, belongs to a box, an arena or another allocator. One limit remains, as with
     * malloc: once an address has been handed out again, a stale segment cannot be told from the
     * new one.
     *
     * @param block a native segment that starts where a raw block of this allocator does
     * @throws IllegalArgumentException when it does not; the message says what was found there
     */
    default void free(MemorySegment block) {
        CheckedBlocks.of(this).free(block);
    }

    /**
     * How many bytes of a raw block may be used: its memory may be larger than its segment.
     *
     * @param block the start of a live raw block of this allocator, as for {@link #free}
     * @return bytes, not less than were asked for
     * @throws IllegalArgumentException when {@code block} is not what {@link #free} takes
     */
    default long usableSize(MemorySegment block) {
        return CheckedBlocks.of(this).usableSize(block);
    }

    /**
     * An arena confined to the calling thread, over blocks of this allocator. It keeps the whole
     * contract of {@link Arena#ofConfined}: segments are zeroed and do not overlap, and all are
     * freed by {@link Arena#close}, which throws when called twice.
     *
     * <p>Small segments are cut one after the other from blocks of 2 to 64 KiB, of which the first
     * is taken at once; a large or strictly aligned segment has a block of its own. {@link #stats}
     * counts these blocks, not the segments. Segments made by {@code allocateFrom} are written
     * once, not zeroed before.
     *
     * <p>An allocation that finds no memory throws an {@link AllocationException}; the arena stays
     * usable. When this allocator is closed, one that needs another block throws an {@link
     * IllegalStateException}. An arena that is never closed keeps its blocks.
     *
     * @return a new arena, owned by the caller
     * @throws IllegalStateException when this allocator is closed
     */
    default Arena arena() {
        return CheckedBlocks.of(this).arena();
    }

    /**
     * An arena for all threads, over blocks of this allocator, with the contract of {@link
     * Arena#ofShared}; otherwise as {@link #arena}, but its first block is taken when it is needed.
     * Threads that allocate from it do not wait for each other.
     *
     * @return a new arena, owned by the caller
     * @throws IllegalStateException when this allocator is closed
     */
    default Arena sharedArena() {
        return CheckedBlocks.of(this).sharedArena();
    }

    /**
     * What is alive now, and where the memory is that is not. {@link AllocatorStats#byTag} has that
     * of all allocators.
     *
     * @return a snapshot; it costs nobody else anything, and this call some microseconds
     */
    default AllocatorStats stats() {
        return CheckedBlocks.of(this).stats();
    }

    /**
     * Of how many blocks is remembered where they were made, to report those that are lost.
     *
     * @return the level that holds now
     */
    default Tracking tracking() {
        return CheckedBlocks.of(this).tracker().level();
    }

    /**
     * Changes that for blocks that are taken from now on; other threads notice soon. What is
     * tracked already stays so until it ends.
     *
     * @param level of how many
     */
    default void tracking(Tracking level) {
        CheckedBlocks.of(this).tracking(level);
    }

    /**
     * Gives memory that no block uses back to the system, but for what the caches of other live
     * threads hold; each of those gives it up at its next call. Idle memory goes back without this,
     * within seconds.
     */
    default void trim() {
        CheckedBlocks.of(this).trim();
    }

    /**
     * How much this allocator and its children may take from the system together: capacity, used or
     * not, as {@link #charged} counts it.
     *
     * @return bytes; {@link Long#MAX_VALUE} without a limit
     */
    long limit();

    /**
     * Changes that for what is taken from now on. Below what is taken already it only refuses more:
     * {@link #trim} gives back what is idle.
     *
     * @param bytes not negative; {@link Long#MAX_VALUE} for no limit
     * @throws IllegalArgumentException when it is negative
     * @throws UnsupportedOperationException when this is {@link PoolAllocator#systemHeap}
     */
    void limit(long bytes);

    /**
     * What this allocator and its children have taken from the system now, whether blocks use it or
     * not. Nothing, once all are closed and every block is freed.
     *
     * @return bytes, at no moment more than a {@link #limit()} that was not lowered since they were
     *     taken; 0 for {@link PoolAllocator#systemHeap}, which does not count them
     */
    long charged();

    /**
     * The most that {@link #charged} has been.
     *
     * @return bytes
     */
    long peakCharged();

    /**
     * A new allocator of the same kind within the limit of this one: what it takes counts against
     * its own limit and against that of every allocator above it. It has slabs and caches of its
     * own, and the settings of this one, listeners too; the listeners for pressure stay those of
     * the topmost one, which hear of all limits below. It is closed before this one.
     *
     * @param tag what its memory is for; names it where its limit refuses
     * @param limit of its own in bytes, not negative, which may be more than that of this one;
     *     {@link Long#MAX_VALUE} for none
     * @return an allocator that the caller closes
     * @throws IllegalArgumentException when the limit is negative
     * @throws IllegalStateException when this allocator is closed
     * @throws UnsupportedOperationException when this is {@link PoolAllocator#systemHeap}
     */
    KernelAllocator child(String tag, long limit);

    /**
     * Forbids further allocation. Blocks that are still alive stay valid: {@link #free}, and
     * closing their boxes and arenas, remain legal.
     *
     * @throws LiveBlocksException when blocks are alive: their number and bytes, and of those that
     *     are {@linkplain #tracking tracked} where they were made; this allocator is closed then
     * @throws IllegalStateException when this allocator was closed before, or has a {@link #child}
     *     that is not closed: nothing has changed then
     * @throws UnsupportedOperationException when this allocator belongs to the whole process:
     *     {@link PoolAllocator#shared}, {@link PoolAllocator#systemHeap} and the {@link #global}
     *     one
     */
    @Override
    default void close() {
        CheckedBlocks.of(this).close();
    }

    /**
     * Loads the library ahead of its first use: uses every part of it once, so that the JVM has
     * loaded, initialised and linked what later uses need. Takes about as long as the first uses
     * would together, most of it once: a second call takes some milliseconds.
     *
     * <p>For programs whose first request must not be slower than the others, and for those that
     * may first need a part of the library when memory is short. Without it a first use where the
     * Java heap is full or the stack nearly used up throws {@link OutOfMemoryError} or {@link
     * StackOverflowError} before it begins, and can be repeated; but not all of the JDK's own
     * classes can.
     *
     * @throws IllegalArgumentException when a system property of the library has an unknown value
     * @throws IllegalCallerException when native access is denied; the message names the flag to
     *     add
     * @throws AllocationException when there is no memory for a few blocks of each kind
     */
    static void preload() {
        Preload.run();
    }

    /**
     * The allocator that boxes use when they are given none: {@link PoolAllocator#shared}, unless
     * the system property {@code dev.kernelalloc.global} names another ({@code pool} or {@code
     * physical}), or {@link #setGlobal} has set one.
     *
     * @return always the same one
     * @throws IllegalArgumentException when the system property has another value
     * @throws IllegalCallerException when native access is denied; the message names the flag to
     *     add
     */
    static KernelAllocator global() {
        return GlobalAllocator.get();
    }

    /**
     * Sets the global allocator: once, and before the first use of {@link #global}. From then on it
     * cannot be closed.
     *
     * @param allocator to be used by boxes that are given none
     * @throws IllegalStateException when the global allocator has been set or used before, or
     *     {@code allocator} is closed
     */
    static void setGlobal(KernelAllocator allocator) {
        GlobalAllocator.set(allocator);
    }
}
