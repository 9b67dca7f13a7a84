package dev.kernelalloc.heap;

import dev.kernelalloc.bulk.Alignment;
import dev.kernelalloc.os.CallState;
import dev.kernelalloc.os.MappingName;
import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.OperatingSystem.Advice;
import dev.kernelalloc.os.Refusal;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Chunks of the C heap. A chunk of 32 MiB or more is always a separate mapping in glibc
 * (mallopt(3), M_MMAP_THRESHOLD), so that free(3) returns it to the system.
 *
 * <p>The C heap does not specify contents. Large chunks are discarded before use, which costs one
 * system call; whether that results in zeros, as madvise(2) specifies for private memory, is
 * checked on the first word.
 */
public final class SystemChunks implements ChunkSource {

    /** Smaller chunks are not discarded: a system call is more expensive than writing zeros. */
    private static final long DISCARDED_BYTES = 1 << 20;

    /**
     * The size from which glibc maps every chunk separately, so that advice or a name affects no
     * other.
     */
    private static final long SEPARATE_MAPPING_BYTES = 32L << 20;

    private final OperatingSystem os;
    private final @Nullable RangeNames names;

    /** Whether the first range is that of the process. */
    private final boolean beginsSmall;

    private volatile @Nullable FirstRange first;

    /** Creates a source on this system's aligned_alloc, without names. */
    public SystemChunks(OperatingSystem os) {
        this.os = os;
        this.names = null;
        this.beginsSmall = false;
    }

    /**
     * Creates a source on this system's aligned_alloc that names the ranges for slabs.
     *
     * @param ofProcess whether it is that of the allocator of the process: see {@link FirstRange}
     */
    public SystemChunks(OperatingSystem os, MappingName name, boolean ofProcess) {
        this.os = os;
        this.names = new RangeNames(os, name);
        this.beginsSmall = ofProcess;
    }

    @Override
    public Chunk obtain(long bytes, long alignment) throws Refusal {
        if (beginsSmall && alignment == Range.GRANULE_BYTES && FirstRange.isAvailable()) {
            Chunk chunk = beginSmall(bytes);
            if (chunk != null) {
                return chunk;
            }
        }
        boolean pages = bytes >= DISCARDED_BYTES && Alignment.isAligned(bytes, pageBytes());
        long address = os.alignedAlloc(pages ? Math.max(alignment, pageBytes()) : alignment, bytes);
        try {
            Chunk chunk = new Chunk(address, bytes, pages && discardGivesZeros(address, bytes));
            if (names != null
                    && alignment == Range.GRANULE_BYTES
                    && bytes >= SEPARATE_MAPPING_BYTES) {
                names.assign(chunk);
            }
            OutstandingChunks.add(address);
            return chunk;
        } catch (Error e) {
            os.alignedFree(address); // the Java heap or stack is exhausted
            throw e;
        }
    }

    private @Nullable Chunk beginSmall(long bytes) {
        if (bytes != FirstRange.BYTES) {
            FirstRange.skip();
            return null;
        }
        FirstRange acquired = FirstRange.tryAcquire();
        if (acquired == null) {
            return null;
        }
        first = acquired;
        return acquired.chunk();
    }

    @Override
    public void release(Chunk chunk) {
        FirstRange known = first;
        if (known != null && known.holds(chunk)) {
            first = null;
            known.release();
            return;
        }
        if (names != null) {
            names.clear(chunk);
        }
        OutstandingChunks.remove(chunk.address());
        os.alignedFree(chunk.address());
    }

    @Override
    public boolean resizes() {
        return os.hasAlignedRealloc();
    }

    /**
     * Resizes a chunk. A block that grows to that size is soon written to its end. With huge pages
     * the kernel is entered once per 2 MiB of that, and up to 2 MiB more may be resident behind the
     * end.
     */
    @Override
    public Chunk resize(Chunk chunk, long bytes) throws Refusal {
        Chunk resized = new Chunk(reallocate(chunk.address(), bytes), bytes, false);
        if (bytes >= SEPARATE_MAPPING_BYTES && bytes > chunk.bytes()) {
            wantHugePages(resized);
        }
        return resized;
    }

    private long reallocate(long address, long bytes) throws Refusal {
        OutstandingChunks.remove(address); // first: moved, it may be another thread's
        long now = address;
        try {
            now = os.alignedRealloc(address, bytes);
            return now;
        } finally {
            OutstandingChunks.add(now);
        }
    }

    /**
     * Advises the whole mapping, including the page with the C heap's own header: pages of a
     * mapping that is advised in parts are not remapped but copied; see mremap(2), EFAULT.
     */
    private void wantHugePages(Chunk chunk) {
        long page = pageBytes();
        long from = Alignment.down(chunk.address() - SystemHeap.MALLOC_ALIGNMENT_BYTES, page);
        long to = Alignment.up(chunk.address() + chunk.bytes(), page);
        try (Arena scratch = Arena.ofConfined()) {
            os.advise(from, to - from, Advice.HUGE_PAGES, scratch.allocate(CallState.LAYOUT));
        } catch (Refusal | OutOfMemoryError _) {
            // Pages of the base size work too.
        }
    }

    @Override
    public boolean discard(long address, long bytes) {
        try (Arena scratch = Arena.ofConfined()) {
            os.discard(address, bytes, scratch.allocate(CallState.LAYOUT));
            return true;
        } catch (Refusal | OutOfMemoryError _) {
            return false; // locked into memory, a system that cannot, or the Java heap is exhausted
        }
    }

    @Override
    public long pageBytes() {
        return os.pageBytes();
    }

    @Override
    public long rangeBytes() {
        return beginsSmall && FirstRange.isAvailable()
                ? FirstRange.BYTES
                : ChunkSource.super.rangeBytes();
    }

    private boolean discardGivesZeros(long address, long bytes) {
        MemorySegment word = NativeMemory.segment(address, Long.BYTES);
        word.set(ValueLayout.JAVA_LONG, 0, -1);
        return discard(address, bytes) && word.get(ValueLayout.JAVA_LONG, 0) == 0;
    }
}
