package dev.kernelalloc;

import dev.kernelalloc.os.NativeMemory;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.util.List;
import java.util.Optional;

/**
 * Native memory that is allocated and freed block by block. Every method is safe to call from any
 * thread.
 *
 * <p>There are three ways to own blocks:
 *
 * <ul>
 *   <li>a {@link NativeBox} owns one typed block and cannot be used after it is closed;
 *   <li>an {@link Arena} of {@link #arena()} or {@link #sharedArena()} owns many and frees them
 *       together;
 *   <li>a <i>raw</i> block of {@link #allocate} lives until {@link #free}, as with malloc(3): its
 *       segment is in the global scope, so the JVM does not stop a later access.
 * </ul>
 *
 * <p>Sizes are in bytes. Size 0 is legal and gives a distinct address. A negative size, an
 * alignment that is not a power of two, and a size and alignment whose sum exceeds {@code
 * Long.MAX_VALUE} throw an {@link IllegalArgumentException}. If memory is not available, an {@link
 * AllocationException} is thrown; the allocator stays usable and no memory is lost.
 *
 * {@snippet lang = java :
 * MemorySegment block = allocator.allocate(100, 8); // raw: lives until it is freed
 * block.set(JAVA_LONG, 0, 42);
 * allocator.free(block);
 *
 * try (Arena arena = allocator.arena()) { // confined: frees its segments together
 *     MemorySegment words = arena.allocate(JAVA_LONG, 1000);
 * }
 * }
 */
public sealed interface KernelAllocator extends SegmentAllocator, AutoCloseable
        permits AbstractAllocator {

    /**
     * Allocates a raw block. Its contents are undefined.
     *
     * @param byteSize the exact size of the segment in bytes
     * @param byteAlignment the alignment of the address in bytes, a power of two
     * @return a segment of the global scope that lives until {@link #free}
     * @throws AllocationException if memory is not available
     * @throws IllegalArgumentException if an argument is out of range
     * @throws IllegalStateException if this allocator is closed
     */
    @Override
    MemorySegment allocate(long byteSize, long byteAlignment);

    /**
     * Allocates a raw block of zeros; otherwise as {@link #allocate(long, long)}.
     *
     * @param byteSize the exact size of the segment in bytes
     * @param byteAlignment the alignment of the address in bytes, a power of two
     * @return a segment of the global scope that lives until {@link #free}
     * @throws AllocationException if memory is not available
     * @throws IllegalArgumentException if an argument is out of range
     * @throws IllegalStateException if this allocator is closed
     */
    MemorySegment allocateZeroed(long byteSize, long byteAlignment);

    /**
     * Allocates a raw block, or returns nothing where {@link #allocate(long, long)} would throw an
     * {@link AllocationException}.
     *
     * @param byteSize the exact size of the segment in bytes
     * @param byteAlignment the alignment of the address in bytes, a power of two
     * @return a segment of the global scope that lives until {@link #free}; empty if memory is not
     *     available
     * @throws IllegalArgumentException if an argument is out of range
     * @throws IllegalStateException if this allocator is closed
     */
    Optional<MemorySegment> tryAllocate(long byteSize, long byteAlignment);

    /**
     * Resizes a raw block, with another alignment if requested. The contents are kept up to the
     * smaller size; bytes beyond are undefined. After success the old segment must not be used,
     * even at the same address.
     *
     * @param block a segment at the start of a live raw block of this allocator, as for {@link
     *     #free}
     * @param newByteSize the exact size of the returned segment in bytes
     * @param byteAlignment the alignment of the address in bytes, a power of two
     * @return a segment of the global scope that lives until {@link #free}
     * @throws AllocationException if memory is not available; {@code block} is unchanged then
     * @throws IllegalArgumentException if an argument is out of range, or {@link #free} would
     *     refuse {@code block}
     * @throws IllegalStateException if this allocator is closed
     */
    MemorySegment reallocate(MemorySegment block, long newByteSize, long byteAlignment);

    /**
     * Frees a raw block, even if this allocator is closed. The block is identified by the address
     * of the segment, which may be of any size.
     *
     * <p>Anything but a live raw block of this allocator is refused, and nothing changes: a segment
     * of the Java heap or of a scope that can be closed, and an address that was freed before, is
     * inside a block, or belongs to a box, an arena or another allocator. One limit remains, as
     * with malloc: once an address has been handed out again, a stale segment cannot be
     * distinguished from the new one.
     *
     * @param block a native segment that starts at a live raw block of this allocator
     * @throws IllegalArgumentException if it does not; the message states what is there
     */
    void free(MemorySegment block);

    /**
     * Returns the usable bytes of a raw block: its memory may be larger than its segment.
     *
     * @param block a segment at the start of a live raw block of this allocator, as for {@link
     *     #free}
     * @return the number of bytes, at least as many as requested
     * @throws IllegalArgumentException if {@link #free} would refuse {@code block}
     */
    long usableSize(MemorySegment block);

    /**
     * Returns the raw block at an address that was stored: in a struct, a queue, or by C code. The
     * address must be that of the start of a live raw block of this allocator, so this reaches no
     * memory that {@link #reallocate} would not reach, and is no restricted call.
     *
     * @param address the address of the start of the block
     * @return a segment of the global scope of all {@linkplain #usableSize usable} bytes of the
     *     block, which may be more than were requested
     * @throws IllegalArgumentException if {@link #free} would refuse a segment at {@code address};
     *     the message states what is there
     */
    default MemorySegment blockAt(long address) {
        return NativeMemory.segment(address, usableSize(MemorySegment.ofAddress(address)));
    }

    /**
     * Opens an arena confined to the calling thread, over blocks of this allocator. It keeps the
     * whole contract of {@link Arena#ofConfined}: segments are zeroed and do not overlap, and all
     * are freed by {@link Arena#close}, which throws when called twice.
     *
     * <p>Small segments are cut one after the other from blocks of 2 to 64 KiB, of which the first
     * is allocated at once; a large or strictly aligned segment has a block of its own. {@link
     * #stats} counts these blocks, not the segments. Segments of {@code allocateFrom} are written
     * once, without zeroing before.
     *
     * <p>If memory is not available, an allocation throws an {@link AllocationException}, and the
     * arena stays usable. After this allocator is closed, an allocation that needs another block
     * throws an {@link IllegalStateException}. An arena that is never closed keeps its blocks.
     *
     * @return a new arena, owned by the caller
     * @throws IllegalStateException if this allocator is closed
     */
    Arena arena();

    /**
     * Opens an arena for all threads, over blocks of this allocator, with the contract of {@link
     * Arena#ofShared}; otherwise as {@link #arena}, except that its first block is allocated when
     * it is needed. Threads that allocate from it do not wait for each other.
     *
     * @return a new arena, owned by the caller
     * @throws IllegalStateException if this allocator is closed
     */
    Arena sharedArena();

    /**
     * Opens an arena for all threads that the garbage collector ends, with the contract of {@link
     * Arena#ofAuto}: {@link Arena#close} throws an {@link UnsupportedOperationException}. Each
     * segment is a zeroed block of this allocator, and all are freed some time after neither the
     * arena nor any of its segments is reachable. Until then they are live blocks, also for {@link
     * #close}.
     *
     * @return a new arena
     * @throws IllegalStateException if this allocator is closed
     */
    Arena autoArena();

    /**
     * Returns statistics of this allocator: its live blocks, and where the rest of its memory is.
     * {@link AllocatorStats#byTag} has those of all allocators.
     *
     * @return a snapshot; it takes some microseconds for each MiB of slabs, and no other thread
     *     waits for it
     */
    AllocatorStats stats();

    /**
     * Returns the level of leak tracking: of how many blocks the allocation site is recorded, to
     * report lost ones.
     *
     * @return the current level
     */
    Tracking tracking();

    /**
     * Changes the level of leak tracking for blocks allocated from now on; other threads notice
     * soon. Blocks that are tracked stay tracked until they are freed.
     *
     * @param level the level
     */
    void tracking(Tracking level);

    /**
     * Returns who holds memory of this allocator now: the {@linkplain #tracking tracked} owners by
     * kind and allocation site, most bytes first. With {@link Tracking#ALL} these are all owners
     * that were created since; with {@link Tracking#SAMPLED} a random one in 1,024, at most one per
     * millisecond, so that the groups show proportions, not totals; of owners that were created in
     * a burst they show less. Memory whose owner was lost is included.
     *
     * <p>{@code dev.kernelalloc.observe.LiveProfile} writes the groups for flame graphs and pprof.
     *
     * @return the groups of this moment; empty if nothing is tracked
     */
    List<LiveBlocksException.Group> liveGroups();

    /**
     * Returns memory without a live block to the system, except in caches of other live threads;
     * each of them releases it at its next call. Without this call, idle memory is returned within
     * seconds.
     */
    void trim();

    /**
     * Returns the limit: how much this allocator and its children may take from the system
     * together, used or not, as {@link #charged} counts it.
     *
     * @return the limit in bytes; {@link Long#MAX_VALUE} without a limit
     */
    long limit();

    /**
     * Changes the limit. A limit below what is taken only refuses more: {@link #trim} releases idle
     * memory.
     *
     * @param bytes the limit in bytes, not negative; {@link Long#MAX_VALUE} for none
     * @throws IllegalArgumentException if {@code bytes} is negative
     * @throws UnsupportedOperationException if this is {@link PoolAllocator#systemHeap}
     */
    void limit(long bytes);

    /**
     * Returns what this allocator and its children have taken from the system, used or not. It is 0
     * once all are closed and every block is freed.
     *
     * @return the number of bytes, never more than a {@link #limit()} that was not lowered since
     *     they were taken; 0 for {@link PoolAllocator#systemHeap}, which does not count them
     */
    long charged();

    /**
     * Returns the largest value of {@link #charged} so far.
     *
     * @return the number of bytes
     */
    long peakCharged();

    /**
     * Creates an allocator of the same kind within the limit of this one: what it takes counts
     * against its own limit and against that of every allocator above it. It has slabs and caches
     * of its own, and the settings of this one, listeners included. The pressure listeners stay
     * those of the topmost allocator, which are called for all limits below. The child must be
     * closed before this allocator.
     *
     * @param tag the purpose of its memory, named when its limit refuses
     * @param limit the limit of the child in bytes, not negative, which may exceed that of this
     *     allocator; {@link Long#MAX_VALUE} for none
     * @return an allocator that the caller closes
     * @throws IllegalArgumentException if the limit is negative
     * @throws IllegalStateException if this allocator is closed
     * @throws UnsupportedOperationException if this is {@link PoolAllocator#systemHeap}
     */
    KernelAllocator child(String tag, long limit);

    /**
     * Ends allocation. Live blocks stay valid: {@link #free}, and closing their boxes and arenas,
     * remain legal.
     *
     * @throws LiveBlocksException if blocks are alive: with their number and bytes, and the
     *     allocation sites of those that are {@linkplain #tracking tracked}; this allocator is
     *     closed nevertheless
     * @throws IllegalStateException if this allocator was closed before, or has a {@link #child}
     *     that is not closed; nothing has changed then
     * @throws UnsupportedOperationException if this allocator belongs to the whole process: {@link
     *     PoolAllocator#shared}, {@link PoolAllocator#systemHeap} and the {@link #global} one
     */
    @Override
    void close();

    /**
     * Loads the library ahead of its first use: runs every part of it once, so that the JVM has
     * loaded, initialised and linked what later uses need. Takes about as long as the first uses
     * would together; a second call takes some milliseconds.
     *
     * <p>Use it if the first request must not be slower than the others, or if a part of the
     * library may be needed for the first time when memory is short. Without it, a first use with a
     * full Java heap or little stack left throws {@link OutOfMemoryError} or {@link
     * StackOverflowError} before it begins, and can be repeated; not all of the JDK's own classes
     * allow that.
     *
     * @throws IllegalArgumentException if a system property of the library has an unknown value
     * @throws IllegalCallerException if native access is denied; the message names the flag to add
     * @throws AllocationException if there is no memory for a few blocks of each kind
     */
    static void preload() {
        Preload.run();
    }

    /**
     * Returns the allocator of boxes that are created without one: {@link PoolAllocator#shared},
     * unless the system property {@code dev.kernelalloc.global} names another ({@code pool} or
     * {@code physical}), or {@link #setGlobal} has set one.
     *
     * @return the same allocator at every call
     * @throws IllegalArgumentException if the system property has another value
     * @throws IllegalCallerException if native access is denied; the message names the flag to add
     */
    static KernelAllocator global() {
        return GlobalAllocator.get();
    }

    /**
     * Sets the global allocator: once, and before the first use of {@link #global}. From then on it
     * cannot be closed.
     *
     * @param allocator the allocator for boxes that are created without one
     * @throws IllegalStateException if the global allocator has been set or used before, or {@code
     *     allocator} is closed
     */
    static void setGlobal(KernelAllocator allocator) {
        GlobalAllocator.set(allocator);
    }
}
