package dev.kernelalloc.heap;

import dev.kernelalloc.bulk.Alignment;
import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.os.Refusal;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.LongAccumulator;

/**
 * Executes once every piece of the heap that holds a resource for a moment, over memory that does
 * not exist. Each part is executed before its first use, as a process may never use it.
 *
 * <p>The JVM links a use of a {@code VarHandle} or a lambda when it is first reached, and creates
 * Java objects to do so. If the Java heap were exhausted at that moment, between claiming a slab
 * and offering it again, linking would throw there, and the slab would be lost.
 */
enum Warmup {
    /** Before a heap hands out or frees a block: all that does not belong to another part. */
    SERVING,

    /** Before idle memory is returned. */
    TRIMMING,

    /** Before the first block without a slab. */
    LARGE_BLOCKS,

    /** Before a budget has a limit. */
    LIMITS,

    /** Before a hardened heap hands out a block. */
    HARDENING;

    /** A source of addresses that are neither read nor written. */
    private static final class UnmappedChunks implements ChunkSource {

        private long next = 1L << 40;

        @Override
        public Chunk obtain(long bytes, long alignment) {
            long address = Alignment.up(next, alignment);
            next = address + bytes;
            return new Chunk(address, bytes, true);
        }

        @Override
        public void release(Chunk chunk) {}

        @Override
        public boolean discard(long address, long bytes) {
            return true;
        }

        @Override
        public long pageBytes() {
            return 4096;
        }
    }

    private volatile boolean done;

    /** Whether it is done, or the lock's holder is in it. */
    private boolean begun;

    /**
     * Executes this part unless that has been done. The caller holds no resource of a heap. An
     * error thrown here has changed nothing, and the next call tries again.
     *
     * @throws StackOverflowError if the stack has too little room
     * @throws OutOfMemoryError if the Java heap has too little room
     */
    void require() {
        if (!done) {
            synchronized (Warmup.class) {
                warmUp();
            }
        }
    }

    private void warmUp() {
        if (begun) {
            return; // another thread was first, or this call is recursive: for a warmed-up budget
        }
        StackReserve.require();
        begun = true;
        try {
            run();
            done = true;
        } catch (Refusal e) {
            throw new AssertionError(e); // UnmappedChunks has room
        } finally {
            begun = done;
        }
    }

    private void run() throws Refusal {
        switch (this) {
            case SERVING -> {
                SlabHeap.warmUpServing(new UnmappedChunks(), 4L << 20);
                SlabHeap.warmUpServing(new UnmappedChunks(), 0);
                zeroing();
                Trimmer.unstarted();
            }
            case TRIMMING -> {
                SlabHeap.warmUpTrimming(new UnmappedChunks(), 4L << 20);
                SlabHeap.warmUpTrimming(new UnmappedChunks(), 0);
            }
            case LARGE_BLOCKS -> {
                large(
                        new LargeBlocks(
                                new UnmappedChunks(),
                                new CacheBudget(Long.MAX_VALUE),
                                new HighWater(),
                                HeapListener.NONE));
                contention();
            }
            case LIMITS -> budget();
            case HARDENING -> hardening();
        }
    }

    private static void large(LargeBlocks large) throws Refusal {
        long[] blocks = new long[64]; // so many that the skip list has more than its lowest level
        for (int i = 0; i < blocks.length; i++) {
            blocks[i] = large.allocate(1 << 24, 8, true) & ~Blocks.ZEROED;
        }
        for (long block : blocks) {
            large.free(block, true);
        }
        large.release(large.hold(large.allocate(1 << 24, 8, false) & ~Blocks.ZEROED, false));
        large.trimIdle();
        large.trim();
    }

    /** Executes the steps that zero a block in hand. */
    private static void zeroing() {
        try (Arena scratch = Arena.ofConfined()) {
            NativeMemory.zero(scratch.allocate(Long.BYTES, Long.BYTES).address(), Long.BYTES);
        }
    }

    /** Executes the steps of a hardened heap with a block in hand. */
    private static void hardening() {
        new HardenedHeap.Quarantine(1).exchange(8);
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment word = scratch.allocate(Long.BYTES, Long.BYTES);
            NativeMemory.word(word.address(), NativeMemory.word(word.address()));
            NativeMemory.fill(
                    word.address(), Long.BYTES, MemorySegment.ofArray(new byte[Long.BYTES]));
        }
    }

    private static void budget() throws Refusal {
        Budget budget = Budget.of("warm-up", 1, (_, _) -> {});
        ChunkSource chunks =
                new BudgetedChunks(new UnmappedChunks(), budget.child("child", 2), _ -> {});
        Chunk all = chunks.obtain(1, 1);
        try {
            chunks.obtain(1, 1);
        } catch (Refusal e) {
            exhaust(new Retry(Retry.Remedy.NONE, chunks.budget().relief(), Integer.MAX_VALUE), e);
        } finally {
            chunks.release(all);
        }
    }

    private static void exhaust(Retry retry, Refusal refusal) {
        try {
            while (true) {
                retry.after(refusal);
            }
        } catch (Refusal _) {
            // Every step has been executed.
        }
    }

    /**
     * Executes the counting of the JDK's concurrent maps under contention. If the class of their
     * counter cells cannot be initialised because the Java heap is exhausted, it can never be used
     * again.
     */
    private static void contention() {
        LongAccumulator[] met = new LongAccumulator[1];
        met[0] =
                new LongAccumulator(
                        (sum, added) -> {
                            if (sum == 0 && added == 1) {
                                met[0].accumulate(2); // runs between the read and the exchange
                            }
                            return sum + added;
                        },
                        0);
        met[0].accumulate(1);
    }
}
