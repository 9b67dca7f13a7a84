package dev.kernelalloc.heap;

import dev.kernelalloc.os.Refusal;

/** A source that forwards each call to another one; subclasses override what they add. */
public abstract class ForwardingChunks implements ChunkSource {

    protected final ChunkSource source;

    protected ForwardingChunks(ChunkSource source) {
        this.source = source;
    }

    @Override
    public Chunk obtain(long bytes, long alignment) throws Refusal {
        return source.obtain(bytes, alignment);
    }

    @Override
    public void release(Chunk chunk) {
        source.release(chunk);
    }

    @Override
    public boolean callsProgram() {
        return source.callsProgram();
    }

    @Override
    public void retryReleases() {
        source.retryReleases();
    }

    @Override
    public boolean hasReleasedAll() {
        return source.hasReleasedAll();
    }

    @Override
    public boolean serves(Chunk chunk) {
        return source.serves(chunk);
    }

    @Override
    public boolean resizes() {
        return source.resizes();
    }

    @Override
    public Chunk resize(Chunk chunk, long bytes) throws Refusal {
        return source.resize(chunk, bytes);
    }

    @Override
    public boolean discard(long address, long bytes) {
        return source.discard(address, bytes);
    }

    @Override
    public long pageBytes() {
        return source.pageBytes();
    }

    @Override
    public long rangeBytes() {
        return source.rangeBytes();
    }

    @Override
    public int strideOf(int blockBytes) {
        return source.strideOf(blockBytes);
    }

    @Override
    public int leadOf(int blockBytes) {
        return source.leadOf(blockBytes);
    }

    @Override
    public void prepare(long address, int stride, int strides) throws Refusal {
        source.prepare(address, stride, strides);
    }

    @Override
    public Budget budget() {
        return source.budget();
    }
}
