package dev.kernelalloc;

import dev.kernelalloc.arena.ConfinedArena;
import dev.kernelalloc.arena.SharedArena;
import dev.kernelalloc.core.CheckedBlocks;
import dev.kernelalloc.core.Limits;
import dev.kernelalloc.heap.Budget;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;

/** An allocator over {@link CheckedBlocks}, which fulfil its contract. */
abstract sealed class AbstractAllocator implements KernelAllocator
        permits PoolAllocator, PhysicalAllocator {

    /** The blocks of boxes, arenas and {@link #allocate(long, long)}. */
    final CheckedBlocks blocks;

    final Budget budget;

    AbstractAllocator(CheckedBlocks blocks, Budget budget) {
        this.blocks = blocks;
        this.budget = budget;
    }

    /** Returns the blocks of an allocator, without a call through the interface. */
    static CheckedBlocks blocksOf(KernelAllocator allocator) {
        return ((AbstractAllocator) allocator).blocks;
    }

    /** Returns the blocks that a raw block belongs to, if it is of this allocator at all. */
    CheckedBlocks blocksWith(MemorySegment block) {
        return blocks;
    }

    @Override
    public MemorySegment allocate(long byteSize, long byteAlignment) {
        return blocks.allocate(byteSize, byteAlignment);
    }

    @Override
    public MemorySegment allocateZeroed(long byteSize, long byteAlignment) {
        return blocks.allocateZeroed(byteSize, byteAlignment);
    }

    @Override
    public Optional<MemorySegment> tryAllocate(long byteSize, long byteAlignment) {
        return blocks.tryAllocate(byteSize, byteAlignment);
    }

    @Override
    public MemorySegment reallocate(MemorySegment block, long newByteSize, long byteAlignment) {
        return blocks.reallocate(block, newByteSize, byteAlignment);
    }

    @Override
    public void free(MemorySegment block) {
        blocks.free(block);
    }

    @Override
    public long usableSize(MemorySegment block) {
        return blocks.usableSize(block);
    }

    @Override
    public Arena arena() {
        return ConfinedArena.open(blocks);
    }

    @Override
    public Arena sharedArena() {
        return SharedArena.open(blocks);
    }

    @Override
    public AllocatorStats stats() {
        return StatsReader.read(blocks.registration());
    }

    @Override
    public Tracking tracking() {
        return blocks.tracker().level();
    }

    @Override
    public void tracking(Tracking level) {
        blocks.tracking(level);
    }

    @Override
    public List<LiveBlocksException.Group> liveGroups() {
        return blocks.tracker().alive();
    }

    @Override
    public void trim() {
        blocks.trim();
    }

    @Override
    public long limit() {
        return budget.limit();
    }

    @Override
    public void limit(long bytes) {
        budget.limit(Limits.requireBytes(bytes));
    }

    @Override
    public long charged() {
        return budget.used();
    }

    @Override
    public long peakCharged() {
        return budget.peak();
    }

    @Override
    public String toString() {
        return getClass().getSimpleName() + blocks;
    }
}
