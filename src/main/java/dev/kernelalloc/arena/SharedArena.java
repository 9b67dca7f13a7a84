package dev.kernelalloc.arena;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.LeakReport;
import dev.kernelalloc.core.CheckedBlocks;
import dev.kernelalloc.leak.Sentinel;
import dev.kernelalloc.os.NativeMemory;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;

/**
 * An arena of all threads. No thread waits for another: each step is one CAS, and a thread whose
 * CAS fails starts again because another one has succeeded.
 *
 * <ul>
 *   <li>A slot belongs to the thread that has moved its chunk's {@code next} past it. That is a
 *       number in the Java heap, so it can be moved even after the chunk was freed with the arena;
 *       the segment cannot be created then.
 *   <li>A chunk or block belongs to the thread that has allocated it until it is in the list; then
 *       to the close, which exchanges the list for {@link #CLOSED}. A thread that finds CLOSED
 *       there frees its block.
 * </ul>
 */
public final class SharedArena implements BumpArena {

    private static final Chunk NO_CHUNK = new Chunk();
    private static final ArenaBlock CLOSED = new ArenaBlock(0, 1);

    private final CheckedBlocks source;
    private final Arena lifetime = Arena.ofShared();
    private final AtomicReference<Chunk> chunk = new AtomicReference<>(NO_CHUNK);
    private final AtomicReference<@Nullable ArenaBlock> newest = new AtomicReference<>();

    /** A hint: what it becomes when several threads write it at once does not matter. */
    private int nextChunkBytes = ArenaSlots.FIRST_CHUNK_BYTES;

    private final @Nullable Sentinel sentinel;

    public static SharedArena open(CheckedBlocks source) {
        source.requireOpen();
        return new SharedArena(source);
    }

    private SharedArena(CheckedBlocks source) {
        this.source = source;
        this.sentinel = source.tracker().sentinel(LeakReport.Kind.SHARED_ARENA, 0, 0);
        // The first action registered is the last to run, after every user's. It runs once, and no
        // thread is in the middle of an access any more.
        NativeMemory.segment(0, 0, lifetime, _ -> freeAll());
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

    private MemorySegment allocate(long bytes, long alignment, boolean zeroed) {
        long start = chunk.get().claim(bytes, alignment);
        if (start == Chunk.FULL) {
            return allocateBeyondChunk(bytes, alignment, zeroed);
        }
        return slot(start, bytes, zeroed);
    }

    private MemorySegment slot(long start, long bytes, boolean zeroed) {
        MemorySegment slot = NativeMemory.segment(start, bytes, lifetime);
        if (zeroed) {
            ArenaSlots.zero(slot);
        }
        return slot;
    }

    private MemorySegment allocateBeyondChunk(long bytes, long alignment, boolean zeroed) {
        NativeMemory.segment(0, 0, lifetime); // throws when closed
        if (bytes == 0) {
            return allocate(1, alignment, false).asSlice(0, 0);
        }
        long start = claimInNewChunk(bytes, alignment);
        if (start != Chunk.FULL) {
            return slot(start, bytes, zeroed);
        }
        ArenaBlock block = ArenaBlock.allocate(source, bytes, alignment, zeroed);
        keep(block);
        return NativeMemory.segment(block.address(), bytes, lifetime);
    }

    /** {@link Chunk#FULL} where a block of its own has to do. */
    private long claimInNewChunk(long bytes, long alignment) {
        while (ArenaSlots.isSmall(bytes, alignment)) {
            Chunk present = chunk.get();
            long start = present.claim(bytes, alignment);
            if (start != Chunk.FULL) {
                return start; // of a chunk that another thread has started
            }
            int chunkBytes = nextChunkBytes;
            nextChunkBytes = ArenaSlots.grown(chunkBytes);
            if (!ArenaSlots.isSmall(bytes, alignment, chunkBytes)
                    || !replace(present, chunkBytes)) {
                return Chunk.FULL;
            }
        }
        return Chunk.FULL;
    }

    /** Whether there was memory for a chunk; without, a block of the exact size is worth a try. */
    private boolean replace(Chunk full, int chunkBytes) {
        Chunk fresh =
                new Chunk(); // before its memory is allocated: none is lost with a full Java heap
        ArenaBlock block;
        try {
            block = ArenaBlock.allocateChunk(source, chunkBytes);
        } catch (AllocationException _) {
            nextChunkBytes = ArenaSlots.FIRST_CHUNK_BYTES;
            return false;
        }
        fresh.place(block.address(), block.end());
        if (chunk.compareAndSet(full, fresh)) {
            keep(block);
        } else {
            block.free(source); // another thread was first
        }
        return true;
    }

    private void keep(ArenaBlock block) {
        do {
            block.older = newest.get();
            if (block.older == CLOSED) {
                block.free(source);
                throw new IllegalStateException("Already closed");
            }
        } while (!newest.compareAndSet(block.older, block));
        if (sentinel != null) {
            block.addTo(sentinel);
        }
    }

    @Override
    public void close() {
        lifetime.close();
    }

    private void freeAll() {
        if (sentinel != null) {
            sentinel.end();
        }
        ArenaBlock.freeAll(newest.getAndSet(CLOSED), source);
    }

    @Override
    public String toString() {
        return "SharedArena[" + (lifetime.scope().isAlive() ? "open" : "closed") + "]";
    }

    private static final class Chunk {

        /** No address of a slot. */
        static final long FULL = 0;

        private final AtomicLong next = new AtomicLong();
        private long end;

        /** Before this chunk is seen by other threads. */
        void place(long start, long end) {
            this.end = end;
            next.setPlain(start);
        }

        /** The address of a slot that is now the caller's. */
        long claim(long bytes, long alignment) {
            while (true) {
                long free = next.get();
                long start = ArenaSlots.start(free, alignment);
                if (!ArenaSlots.fits(start, end, bytes, alignment)) {
                    return FULL;
                }
                if (next.compareAndSet(free, ArenaSlots.end(start, bytes))) {
                    return start;
                }
            }
        }
    }

    private record Unzeroed(SharedArena arena) implements SegmentAllocator {
        @Override
        public MemorySegment allocate(long byteSize, long byteAlignment) {
            return arena.allocate(byteSize, byteAlignment, false);
        }
    }
}
