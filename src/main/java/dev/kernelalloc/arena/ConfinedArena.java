package dev.kernelalloc.arena;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.LeakReport;
import dev.kernelalloc.core.CheckedBlocks;
import dev.kernelalloc.heap.Blocks;
import dev.kernelalloc.leak.Sentinel;
import dev.kernelalloc.os.NativeMemory;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;

/**
 * An arena of one thread: its fields are plain, and {@code lifetime} keeps other threads out.
 *
 * <p>Its first chunk is taken before anything else is made. An arena that does not escape need not
 * exist then: the JIT keeps it in registers as long as it sees every store to it, and a call that
 * is not inlined, as the way to an allocator's memory may be, would end that.
 */
public final class ConfinedArena implements BumpArena {

    private final CheckedBlocks source;
    private final Arena lifetime = Arena.ofConfined();

    /** The first chunk, which most arenas never get beyond; 0 where there was none. */
    private final long firstChunk;

    private final @Nullable Sentinel sentinel;

    /** The start of the next slot in the present chunk, and the end of that chunk. */
    private long next;

    private long end;
    private int nextChunkBytes;

    /** All blocks but the first chunk. */
    private @Nullable ArenaBlock newest;

    /** Without a chunk. */
    private ConfinedArena(CheckedBlocks source) {
        this.source = source;
        this.firstChunk = 0;
        this.sentinel = source.tracker().sentinelOfOne(LeakReport.Kind.ARENA, 0, 0);
        this.nextChunkBytes = ArenaSlots.FIRST_CHUNK_BYTES;
    }

    /**
     * With its first chunk.
     *
     * @param taken its address and its marks
     */
    private ConfinedArena(CheckedBlocks source, long taken) {
        long chunk = taken & Blocks.ADDRESS;
        this.source = source;
        this.firstChunk = chunk;
        this.next = chunk;
        this.end = chunk + ArenaSlots.FIRST_CHUNK_BYTES;
        this.nextChunkBytes = ArenaSlots.grown(ArenaSlots.FIRST_CHUNK_BYTES);
        // Last, as it cannot fail.
        this.sentinel =
                (taken & Blocks.SAMPLED) != 0
                        ? source.tracker()
                                .sentinelOfOne(
                                        LeakReport.Kind.ARENA, chunk, ArenaSlots.FIRST_CHUNK_BYTES)
                        : null;
    }

    public static ConfinedArena open(CheckedBlocks source) {
        long taken;
        try {
            taken =
                    source.allocateMarked(
                            ArenaSlots.FIRST_CHUNK_BYTES, ArenaSlots.CHUNK_ALIGNMENT_BYTES, false);
        } catch (AllocationException _) {
            return new ConfinedArena(source); // what is asked of it may be less
        }
        try {
            return new ConfinedArena(source, taken);
        } catch (Throwable e) { // all, not only Error: that is less code
            freeFirst(source, taken & Blocks.ADDRESS); // the Java heap or stack is exhausted
            throw e;
        }
    }

    private static void freeFirst(CheckedBlocks source, long chunk) {
        source.freeOwned(chunk, ArenaSlots.FIRST_CHUNK_BYTES, ArenaSlots.CHUNK_ALIGNMENT_BYTES);
    }

    @Override
    public Arena lifetime() {
        return lifetime;
    }

    @Override
    public SegmentAllocator unzeroed() {
        return new Unzeroed(this);
    }

    @Override
    public MemorySegment allocate(long byteSize, long byteAlignment) {
        return allocate(byteSize, byteAlignment, true);
    }

    /** Written for the JIT: one place makes the segment, so that it need not exist. */
    private MemorySegment allocate(long bytes, long alignment, boolean zeroed) {
        long start = ArenaSlots.start(next, alignment);
        if (!ArenaSlots.fits(start, end, bytes, alignment)) {
            if (!hasStartedChunkFor(bytes, alignment)) {
                return allocateOutsideChunks(bytes, alignment, zeroed);
            }
            start = ArenaSlots.start(next, alignment);
        }
        // Another thread, which may have read anything above, gets no further than here.
        MemorySegment slot = NativeMemory.segment(start, bytes, lifetime);
        if (zeroed) {
            ArenaSlots.zero(slot);
        }
        next = ArenaSlots.end(start, bytes);
        return slot;
    }

    private boolean hasStartedChunkFor(long bytes, long alignment) {
        requireAccess();
        if (!ArenaSlots.isSmall(bytes, alignment)) {
            return false;
        }
        int chunkBytes = nextChunkBytes;
        nextChunkBytes = ArenaSlots.grown(chunkBytes);
        if (!ArenaSlots.isSmall(bytes, alignment, chunkBytes)) {
            return false;
        }
        try {
            startChunk(ArenaBlock.allocateChunk(source, chunkBytes));
            return true;
        } catch (AllocationException _) {
            nextChunkBytes = ArenaSlots.FIRST_CHUNK_BYTES; // less may still be available
            return false;
        }
    }

    private MemorySegment allocateOutsideChunks(long bytes, long alignment, boolean zeroed) {
        if (bytes == 0) {
            return allocate(1, alignment, false).asSlice(0, 0);
        }
        ArenaBlock block = ArenaBlock.allocate(source, bytes, alignment, zeroed);
        keep(block);
        return NativeMemory.segment(block.address(), bytes, lifetime);
    }

    private void startChunk(ArenaBlock chunk) {
        keep(chunk);
        next = chunk.address();
        end = chunk.end();
    }

    private void keep(ArenaBlock block) {
        block.older = newest;
        newest = block;
        if (sentinel != null) {
            block.addTo(sentinel);
        }
    }

    @Override
    public void close() {
        requireAccess(); // so that a lifetime found closed below has been closed by this call
        try {
            lifetime.close();
        } finally {
            // Also when a cleanup action of the user's has thrown; not while a downcall holds on.
            if (!lifetime.scope().isAlive()) {
                freeAll();
            }
        }
    }

    private void freeAll() {
        ArenaBlock all = newest;
        newest = null;
        if (sentinel != null) {
            sentinel.end();
        }
        try {
            ArenaBlock.freeAll(all, source);
        } finally {
            if (firstChunk != 0) {
                freeFirst(source, firstChunk);
            }
        }
    }

    /** Throws when this arena is closed, or confined to another thread. */
    private void requireAccess() {
        NativeMemory.segment(0, 0, lifetime);
    }

    @Override
    public String toString() {
        return "ConfinedArena[" + (lifetime.scope().isAlive() ? "open" : "closed") + "]";
    }

    private record Unzeroed(ConfinedArena arena) implements SegmentAllocator {
        @Override
        public MemorySegment allocate(long byteSize, long byteAlignment) {
            return arena.allocate(byteSize, byteAlignment, false);
        }
    }
}
