package dev.kernelalloc;

import dev.kernelalloc.arena.AutoArena;
import dev.kernelalloc.arena.ConfinedArena;
import dev.kernelalloc.arena.SharedArena;
import dev.kernelalloc.core.CheckedBlocks;
import dev.kernelalloc.core.Limits;
import dev.kernelalloc.heap.Budget;
import dev.kernelalloc.leak.TrackingProperty;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Supplier;

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

    /**
     * Supplies the blocks of the global allocator, which may be chosen by that. Created where it is
     * needed: the initializer of this class must not need the Java heap.
     */
    static final class BlocksOfGlobal implements Supplier<CheckedBlocks> {
        @Override
        public CheckedBlocks get() {
            return blocksOf(KernelAllocator.global());
        }
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
    public Arena autoArena() {
        return AutoArena.open(blocks);
    }

    @Override
    public AllocatorStats stats() {
        return AllocatorStats.of(blocks.registration());
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

    /**
     * The settings that the builders of all allocators share.
     *
     * @param <B> the builder
     */
    abstract static class Settings<B extends Settings<B>> {

        String tag;
        Tracking tracking = TrackingProperty.read();
        final List<Consumer<LeakReport>> leakListeners = new ArrayList<>();
        final List<Consumer<Pressure>> pressureListeners = new ArrayList<>();
        long limit = Budget.UNLIMITED;

        Settings(String tag) {
            this.tag = tag;
        }

        Settings(Settings<?> other) {
            this.tag = other.tag;
            this.tracking = other.tracking;
            this.leakListeners.addAll(other.leakListeners);
            this.pressureListeners.addAll(other.pressureListeners);
            this.limit = other.limit;
        }

        abstract B self();

        /**
         * Sets the purpose of the memory, as shown in statistics and messages.
         *
         * @param tag any text
         * @return this builder
         */
        public B tag(String tag) {
            this.tag = Objects.requireNonNull(tag, "tag");
            return self();
        }

        /**
         * Sets the level of leak tracking. The default is the system property {@code
         * dev.kernelalloc.tracking}, and without that {@link Tracking#SAMPLED}. {@link
         * KernelAllocator#tracking(Tracking)} changes it later. An allocator that is created with a
         * level other than {@link Tracking#OFF} is tracked itself.
         *
         * @param level the level
         * @return this builder
         */
        public B tracking(Tracking level) {
            this.tracking = Objects.requireNonNull(level, "level");
            return self();
        }

        /**
         * Adds a listener that receives each tracked owner that was lost, and this allocator if it
         * was, after it was logged: on a thread of the library, once the collector has found it.
         * Its exceptions are logged.
         *
         * @param listener the listener; it is kept reachable while anything is tracked
         * @return this builder
         */
        public B onLeak(Consumer<LeakReport> listener) {
            leakListeners.add(Objects.requireNonNull(listener, "listener"));
            return self();
        }

        /**
         * Sets how much the allocator and its {@linkplain KernelAllocator#child children} may take
         * from the system together; unlimited by default. Before the limit refuses a request, idle
         * memory is released, except in caches of other live threads, and listeners of {@link
         * #onPressure} are called. {@link KernelAllocator#limit(long)} changes it later.
         *
         * <p>Slabs count as they are taken, 64 KiB and more for each size in use, so a very small
         * limit serves few sizes. Physical pages count as they are mapped; a search for contiguous
         * ones temporarily takes more, within the limit.
         *
         * @param bytes the limit in bytes, not negative; {@link Long#MAX_VALUE} for none
         * @return this builder
         * @throws IllegalArgumentException if it is negative
         */
        public B limit(long bytes) {
            this.limit = Limits.requireBytes(bytes);
            return self();
        }

        /**
         * Adds a listener that is called before the limit of this allocator, or of one of its
         * children, refuses a request. The request is tried once more afterwards, with what the
         * listener frees, closes or adds to the limit. The listener runs on the thread that
         * allocates, while that thread holds nothing of the allocator. So it may use the allocator,
         * except for the owner that is growing. Several threads may call it at once, but it is
         * never called within itself: its allocations beyond the limit are refused. Its exceptions
         * are logged.
         *
         * @param listener the listener to add
         * @return this builder
         */
        public B onPressure(Consumer<Pressure> listener) {
            pressureListeners.add(Objects.requireNonNull(listener, "listener"));
            return self();
        }
    }
}
