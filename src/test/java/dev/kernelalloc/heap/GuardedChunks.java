package dev.kernelalloc.heap;

import dev.kernelalloc.os.CallState;
import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.OperatingSystem.Access;
import dev.kernelalloc.os.Platform;
import dev.kernelalloc.os.Refusal;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Memory in which every block has pages of its own, and ends where an inaccessible page begins: who
 * writes behind it, in whatever language, ends the process there.
 *
 * <p>A block of a class ends at that page with its last byte; one that is a chunk of its own, and
 * no multiple of its alignment, less than the alignment before it.
 */
public final class GuardedChunks implements ChunkSource {

    private final OperatingSystem os = Platform.current();
    private final long page = os.pageBytes();

    /** The size of blocks that stand so far apart: no two sizes have the same stride. */
    private final Map<Integer, Integer> blockBytesOfStride = new ConcurrentHashMap<>();

    /** Where the pages of a chunk begin. */
    private final Map<Chunk, Long> reservations = new ConcurrentHashMap<>();

    /** Calls with the segment that the system wants for its errors. */
    private interface Call<T> {
        T with(MemorySegment callState) throws Refusal;
    }

    @Override
    public Chunk obtain(long bytes, long alignment) throws Refusal {
        if (bytes > Long.MAX_VALUE / 2 || alignment > Long.MAX_VALUE / 2) {
            throw new Refusal.OutOfMemory(bytes + " bytes are more than can be addressed");
        }
        long pages = roundUp(bytes);
        return call(
                state -> {
                    long start = os.reserve(pages + page, Math.max(alignment, page), state);
                    try {
                        os.commit(start, pages, state);
                    } catch (Refusal e) {
                        os.release(start, pages + page, state);
                        throw e;
                    }
                    long atItsEnd = start + pages - bytes;
                    long address = (atItsEnd & alignment - 1) == 0 ? atItsEnd : start;
                    Chunk chunk = new Chunk(address, bytes, true);
                    reservations.put(chunk, start);
                    return chunk;
                });
    }

    @Override
    public void release(Chunk chunk) {
        long start = reservations.remove(chunk);
        try {
            call(
                    state -> {
                        os.release(start, roundUp(chunk.bytes()) + page, state);
                        return true;
                    });
        } catch (Refusal e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public boolean discard(long address, long bytes) {
        try {
            return call(
                    state -> {
                        os.discard(address, bytes, state);
                        return true;
                    });
        } catch (Refusal _) {
            return false;
        }
    }

    @Override
    public long pageBytes() {
        return page;
    }

    @Override
    public int strideOf(int blockBytes) {
        int alignment = alignmentOf(blockBytes);
        int stride = (int) (roundUp(blockBytes) + Math.max(page, alignment));
        while (!isOf(blockBytes, stride)) {
            stride += (int) Math.max(page, alignment);
        }
        return stride;
    }

    private boolean isOf(int blockBytes, int stride) {
        Integer known = blockBytesOfStride.putIfAbsent(stride, blockBytes);
        return known == null || known == blockBytes;
    }

    /** Up to the end of a page; 0 where blocks are aligned to more than a page. */
    @Override
    public int leadOf(int blockBytes) {
        return (int) (roundUp(blockBytes) - blockBytes);
    }

    @Override
    public void prepare(long address, int stride, int places) throws Refusal {
        long accessible = roundUp(blockBytesOfStride.get(stride));
        call(
                state -> {
                    // Another slab may have had its inaccessible pages anywhere in it.
                    os.protect(address, (long) stride * places, Access.READ_WRITE, state);
                    for (int i = 0; i < places; i++) {
                        long place = address + (long) i * stride;
                        os.protect(place + accessible, stride - accessible, Access.NONE, state);
                    }
                    return true;
                });
    }

    /** The largest that a block of that size may be asked for. */
    private static int alignmentOf(int blockBytes) {
        return Math.min(Integer.lowestOneBit(blockBytes), SizeClasses.MAX_ALIGNMENT_BYTES);
    }

    private long roundUp(long bytes) {
        return bytes + page - 1 & -page;
    }

    private static <T> T call(Call<T> call) throws Refusal {
        try (Arena scratch = Arena.ofConfined()) {
            return call.with(scratch.allocate(CallState.LAYOUT));
        }
    }
}
