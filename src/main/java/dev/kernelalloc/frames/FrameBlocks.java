package dev.kernelalloc.frames;

import dev.kernelalloc.bulk.Alignment;
import dev.kernelalloc.heap.Block;
import dev.kernelalloc.heap.BlockSource;
import dev.kernelalloc.heap.Retry;
import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.PhysicalRequest;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Blocks of whole pages, each by a request: one of its own, or the allocator's if the engine cannot
 * fulfil that, or the limit on locked memory is too small for the engine.
 */
public final class FrameBlocks implements BlockSource {

    private final Frames frames;
    private final PhysicalRequest request;

    /** By which request each block was made, for when it is resized. */
    private final Map<Long, PhysicalRequest> requests = new ConcurrentHashMap<>();

    /**
     * Blocks by a request, of which the size is not looked at, unless {@link
     * #obtain(PhysicalRequest, boolean, Retry.Remedy)} is given another.
     */
    public FrameBlocks(Frames frames, PhysicalRequest request) {
        this.frames = frames;
        this.request = request;
    }

    @Override
    public Block obtain(long bytes, long alignment, boolean zeroed) throws Refusal {
        return obtain(resized(request, bytes, alignment), zeroed, Retry.Remedy.NONE);
    }

    /** A block by a request of its own. */
    public Block obtain(PhysicalRequest wanted, boolean zeroed, Retry.Remedy own) throws Refusal {
        Frames.Memory memory = obtainMemory(wanted, own);
        try {
            if (zeroed && !memory.zeroed()) {
                NativeMemory.zero(memory.address(), memory.bytes());
            }
            requests.put(memory.address(), wanted);
            return new Block(memory.address(), wanted.size(), memory.bytes(), Block.Origin.PAGES);
        } catch (Error e) {
            frames.release(memory); // the Java heap is exhausted
            throw e;
        }
    }

    private Frames.Memory obtainMemory(PhysicalRequest wanted, Retry.Remedy own) throws Refusal {
        Retry retry = null;
        while (true) {
            try {
                return frames.obtain(wanted);
            } catch (Refusal e) {
                if (retry == null) {
                    retry = new Retry(own, frames.budget().relief(), Retry.FIRST_STEPS);
                }
                retry.after(e);
            }
        }
    }

    @Override
    public boolean resizes(Block block, long alignment) {
        return true;
    }

    /** In place where the same pages do; otherwise by the same request again. */
    @Override
    public Block resize(Block block, long bytes, long alignment) throws Refusal {
        PhysicalRequest made = requests.getOrDefault(block.address(), request);
        PhysicalRequest wanted = resized(made, bytes, alignment);
        boolean aligned =
                made.contiguous()
                        ? alignment <= made.alignment() && !made.hasWindow()
                        : Alignment.isAligned(block.address(), wanted.alignment());
        boolean samePages =
                bytes <= block.capacityBytes()
                        && block.capacityBytes() - Math.max(1, bytes) < frames.pageBytes();
        if (aligned && samePages) {
            requests.put(block.address(), wanted);
            return new Block(block.address(), bytes, block.capacityBytes(), block.origin());
        }
        Block moved = obtain(wanted, false, Retry.Remedy.NONE);
        NativeMemory.copy(block.address(), moved.address(), Math.min(block.bytes(), bytes));
        try {
            release(block);
        } catch (Error _) {
            // The Java heap or stack is exhausted: its pages stay, but what they held has moved.
        }
        return moved;
    }

    private static PhysicalRequest resized(PhysicalRequest request, long bytes, long alignment)
            throws Refusal {
        try {
            return request.of(bytes, alignment);
        } catch (IllegalArgumentException e) {
            throw new Refusal.NotSupported(e.getMessage());
        }
    }

    @Override
    public void release(Block block) {
        try {
            requests.remove(block.address());
        } catch (OutOfMemoryError e) {
            // That of the next block that starts there takes its place.
        }
        frames.release(new Frames.Memory(block.address(), block.capacityBytes(), false));
    }

    @Override
    public void trim() {
        frames.trim();
    }
}
