package dev.kernelalloc.heap;

import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.os.Refusal;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.WeakReference;
import java.util.concurrent.atomic.LongAccumulator;

/**
 * Walks once through every piece of the heap that holds something for a moment, over memory that
 * does not exist.
 *
 * <p>The JVM links a use of a {@code VarHandle} or a lambda when it is first reached, and makes
 * Java objects to do so. Reached first where the Java heap is exhausted, between claiming a slab
 * and offering it again, it would throw there, and the slab would be lost.
 */
final class Rehearsal {

    /** Addresses that nothing here reads or writes. */
    private static final class Nowhere implements ChunkSource {

        private long next = 1L << 40;

        @Override
        public Chunk obtain(long bytes, long alignment) {
            long address = next + alignment - 1 & -alignment;
            next = address + bytes;
            return new Chunk(address, bytes, true);
        }

        @Override
        public void giveBack(Chunk chunk) {}

        @Override
        public boolean discard(long address, long bytes) {
            return true;
        }

        @Override
        public long pageBytes() {
            return 4096;
        }
    }

    private static final int SIZE_CLASS = SizeClasses.of(512, 8);

    private Rehearsal() {}

    static void run() {
        try {
            StackReserve.require();
            slabs(new Slabs(new Nowhere(), Long.MAX_VALUE, new HighWater(), false));
            slabs(new Slabs(new Nowhere(), 0, new HighWater(), true));
            large(
                    new LargeBlocks(
                            new Nowhere(),
                            new CacheBudget(Long.MAX_VALUE),
                            new HighWater(),
                            HeapListener.NONE));
            caches(new ThreadCaches(1));
            depot(new Depot(SIZE_CLASS, new CacheBudget(Long.MAX_VALUE)));
            budget();
            contention();
            hardening();
            Trimmer.unstarted();
        } catch (Refusal e) {
            throw new AssertionError(e); // Nowhere has room
        }
    }

    private static void slabs(Slabs slabs) throws Refusal {
        long[] magazine = Magazine.make(MagazineShape.blocks(SIZE_CLASS));
        long[] other = Magazine.make(MagazineShape.blocks(SIZE_CLASS));
        slabs.fill(SIZE_CLASS, magazine);
        slabs.fill(SIZE_CLASS, other);
        slabs.drain(magazine);
        slabs.trimIdle();
        slabs.trimIdle(); // gives pages of a slab back that is in use
        slabs.fill(SIZE_CLASS, magazine); // of blocks that were used before
        slabs.drain(magazine);
        slabs.drain(other);
        slabs.give(slabs.takeOne(SIZE_CLASS));
        slabs.trimIdle();
        slabs.trim();
        slabs.fill(SIZE_CLASS, magazine);
        slabs.drain(magazine);
        slabs.trim();
    }

    private static void large(LargeBlocks large) throws Refusal {
        long[] blocks = new long[64]; // so many that the skip list has more than its lowest level
        for (int i = 0; i < blocks.length; i++) {
            blocks[i] = large.allocate(1 << 24, 8, true) & ~Magazine.ZEROED;
        }
        for (long block : blocks) {
            large.free(block, true);
        }
        large.release(large.hold(large.allocate(1 << 24, 8, false) & ~Magazine.ZEROED, false));
        large.trimIdle();
        large.trim();
    }

    /** What a hardened heap does with a block in its hands. */
    private static void hardening() {
        long[] magazine = Magazine.make(2);
        Magazine.push(magazine, 8);
        Magazine.push(magazine, 16);
        Shuffle.blocks(magazine);
        new Quarantine(1).exchange(8);
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment word = scratch.allocate(Long.BYTES, Long.BYTES);
            NativeMemory.word(word.address(), NativeMemory.word(word.address()));
            NativeMemory.fill(
                    word.address(), Long.BYTES, MemorySegment.ofArray(new byte[Long.BYTES]));
            NativeMemory.zero(word.address(), Long.BYTES);
        }
    }

    private static void caches(ThreadCaches caches) {
        caches.takeStripe().give();
        caches.own();
        caches.disperse();
        ThreadCache cache = new ThreadCache(ThreadCache.VACANT);
        cache.adopt(Thread.currentThread().threadId(), new WeakReference<>(null));
        if (cache.takeIfDead()) {
            cache.give();
        }
    }

    private static void budget() throws Refusal {
        Budget budget = Budget.of("rehearsed", 1, (_, _) -> {});
        ChunkSource chunks = new BudgetedChunks(new Nowhere(), budget.child("child", 2));
        Chunk all = chunks.obtain(1, 1);
        try {
            chunks.obtain(1, 1);
        } catch (Refusal e) {
            ChunkSource.Relief relief = chunks.relief();
            while (relief.relieve(e)) {
                chunks.rangeBytes();
            }
        } finally {
            chunks.giveBack(all);
        }
    }

    private static void depot(Depot depot) {
        long[] magazine = Magazine.make(1);
        depot.putEmpty(magazine);
        depot.putFull(depot.takeEmpty());
        depot.countAgain();
        depot.takeSurplus();
        depot.takeFull();
    }

    /**
     * What the JDK's concurrent maps count with, as when two threads meet there. The class of its
     * cells, if it cannot be initialised for want of Java heap, can never be used again.
     */
    private static void contention() {
        LongAccumulator[] met = new LongAccumulator[1];
        met[0] =
                new LongAccumulator(
                        (sum, added) -> {
                            if (sum == 0 && added == 1) {
                                met[0].accumulate(2); // comes between the read and the exchange
                            }
                            return sum + added;
                        },
                        0);
        met[0].accumulate(1);
    }
}
