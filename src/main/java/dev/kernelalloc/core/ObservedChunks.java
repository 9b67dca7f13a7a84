package dev.kernelalloc.core;

import dev.kernelalloc.heap.Chunk;
import dev.kernelalloc.heap.ChunkSource;
import dev.kernelalloc.heap.ForwardingChunks;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.source.MappedRange;

import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;

/**
 * Chunks that listeners register elsewhere, with a device or the kernel. What is registered must
 * not move, and its pages must stay the same: so chunks are neither resized nor discarded.
 */
public final class ObservedChunks extends ForwardingChunks {

    private final List<Consumer<MappedRange>> mapped;
    private final List<Consumer<MappedRange>> unmapped;

    /** Threads in a listener, whose requests would call the listeners again without end. */
    private final Set<Thread> listening = ConcurrentHashMap.newKeySet();

    public ObservedChunks(
            ChunkSource source,
            List<Consumer<MappedRange>> mapped,
            List<Consumer<MappedRange>> unmapped) {
        super(source);
        this.mapped = List.copyOf(mapped);
        this.unmapped = unmapped.stream().map(ObservedChunks::logging).toList();
    }

    @Override
    public Chunk obtain(long bytes, long alignment) throws Refusal {
        if (listening.contains(Thread.currentThread())) {
            throw new Refusal.NotSupported(
                    "a range listener requests memory of its own allocator: use another one there");
        }
        Chunk chunk = source.obtain(bytes, alignment);
        try {
            notifyOf(chunk, mapped);
            return chunk;
        } catch (Exception e) { // any: languages other than Java do not check them
            release(chunk);
            throw new Refusal.OutOfMemory(
                    String.format(
                            Locale.ROOT,
                            "a range listener refused %d bytes at 0x%x: %s",
                            chunk.bytes(),
                            chunk.address(),
                            e));
        } catch (Error e) {
            release(chunk);
            throw e;
        }
    }

    @Override
    public void release(Chunk chunk) {
        try {
            notifyOf(chunk, unmapped);
        } finally {
            source.release(chunk);
        }
    }

    private void notifyOf(Chunk chunk, List<Consumer<MappedRange>> listeners) {
        MappedRange range = new MappedRange(chunk.address(), chunk.bytes());
        boolean outermost = listening.add(Thread.currentThread());
        try {
            listeners.forEach(listener -> listener.accept(range));
        } finally {
            if (outermost) {
                listening.remove(Thread.currentThread());
            }
        }
    }

    private static Consumer<MappedRange> logging(Consumer<MappedRange> listener) {
        return range -> {
            try {
                listener.accept(range);
            } catch (Throwable e) {
                ProgramFailure.log("a range listener failed", e);
            }
        };
    }

    @Override
    public boolean callsProgram() {
        return true;
    }

    @Override
    public boolean resizes() {
        return false;
    }

    @Override
    public boolean discard(long address, long bytes) {
        return false;
    }
}
