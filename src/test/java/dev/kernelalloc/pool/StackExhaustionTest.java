package dev.kernelalloc.pool;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.AllocatorStats;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.testing.SmallStack;
import dev.kernelalloc.testing.Stamp;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * A stack that ends anywhere inside the engine costs the block that the interrupted call had in
 * hand, and of virtual threads what their stripe had cached: never a slab, never the allocator.
 */
class StackExhaustionTest {

    private static final int THREADS = 20;

    private static final int OVERFLOWS_EACH = 5;

    private static final int MAX_BLOCK_BYTES = 600;

    /** Every slab of such blocks; one that has lost a block cannot be returned. */
    private static final long SLAB_BYTES = 64 << 10;

    private static final long MIN_BLOCK_BYTES = 8;

    @ParameterizedTest
    @CsvSource({
        "false, false, 262144",
        "true,  false, 262144",
        "false, false, 0",
        "true,  false, 0",
        "false, true, 262144",
        "true,  true, 262144"
    })
    void anOverflowAtAnyDepthLeavesAPoolThatWorksAndHasLostNoSlab(
            boolean virtual, boolean hardened, long cacheBytes) throws Exception {
        PoolAllocator pool =
                PoolAllocator.builder()
                        .hardened(hardened)
                        .cacheBytes(cacheBytes, 16 * cacheBytes)
                        .build();
        use(pool); // loads all classes before the stack ends in one of their initialisers
        int interrupted = 0;
        for (int i = 0; i < THREADS; i++) {
            Overflow overflow = new Overflow(pool, i);
            SmallStack.run(virtual, overflow::run);
            interrupted += overflow.interrupted;
        }
        assertThat(interrupted).isEqualTo(THREADS * OVERFLOWS_EACH);
        use(pool);
        pool.trim();
        AllocatorStats left = pool.stats();
        long cachedBlocks = left.cachedBytes() / MIN_BLOCK_BYTES;
        assertThat(left.liveBlocks()).as("%s", left).isBetween(0L, (long) interrupted);
        assertThat(left.capacityBytes())
                .as("each slab that is kept has lost a block: %s", left)
                .isLessThanOrEqualTo((left.liveBlocks() + cachedBlocks) * SLAB_BYTES);
    }

    /** Wherever it is interrupted, the contents are in the block that the caller has. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void anOverflowInReallocateLosesNoContents(boolean hardened) throws Exception {
        try (PoolAllocator pool = PoolAllocator.builder().hardened(hardened).build()) {
            use(pool);
            for (int i = 0; i < THREADS; i++) {
                Growth growth = new Growth(pool, new Random(i));
                SmallStack.run(false, growth::run);
            }
            assertThat(pool.stats().liveBlocks()).isZero();
        }
    }

    private static void use(PoolAllocator pool) {
        Held held = new Held(2000);
        Random random = new Random(1);
        for (int i = 0; i < 2000; i++) {
            held.add(pool.allocate(size(random), 8));
        }
        held.stampNew();
        held.check();
        held.freeAll(pool);
    }

    private static int size(Random random) {
        return random.nextInt(MAX_BLOCK_BYTES);
    }

    /** Blocks in use; nothing here needs stack while one is added or removed. */
    private static final class Held {
        final MemorySegment[] blocks;
        int count;
        int stamped;

        Held(int most) {
            this.blocks = new MemorySegment[most];
        }

        void add(MemorySegment block) {
            blocks[count++] = block;
        }

        void stampNew() {
            for (; stamped < count; stamped++) {
                Stamp.write(blocks[stamped], blocks[stamped].address());
            }
        }

        void check() {
            MemorySegment[] sorted = Arrays.copyOf(blocks, count);
            Arrays.sort(sorted, Comparator.comparing(MemorySegment::address));
            for (int i = 0; i < count; i++) {
                Stamp.check(sorted[i], sorted[i].byteSize(), sorted[i].address());
                if (i > 0) {
                    long end = sorted[i - 1].address() + Math.max(1, sorted[i - 1].byteSize());
                    assertThat(end).isLessThanOrEqualTo(sorted[i].address());
                }
            }
        }

        void freeAll(PoolAllocator pool) {
            IntStream.range(0, count).forEach(i -> pool.free(blocks[i]));
            count = 0;
        }
    }

    /** Calls itself and the pool until the stack ends, in many different places. */
    private static final class Overflow {

        private final PoolAllocator pool;
        private final Random random;
        private final Held held = new Held(200_000);
        private final int[] sizes = new int[1024];
        private MemorySegment ending;

        /** Calls that the overflow has interrupted. */
        int interrupted;

        private int calls;

        Overflow(PoolAllocator pool, long seed) {
            this.pool = pool;
            this.random = new Random(seed);
            Arrays.setAll(sizes, _ -> size(random));
        }

        void run() {
            for (int i = 0; i < 10; i++) {
                held.add(pool.allocate(100, 8));
            }
            held.stampNew();
            overflow();
            ending = null;
            held.stampNew();
            held.check();
            use(pool); // the same thread goes on
            held.check();
            held.freeAll(pool);
        }

        private void overflow() {
            for (int i = 0; i < OVERFLOWS_EACH; i++) {
                try {
                    shift(random.nextInt(40));
                } catch (StackOverflowError _) {
                    interrupted++;
                }
                if (ending != null) {
                    try {
                        pool.free(ending);
                    } catch (IllegalArgumentException _) {
                        // it had come so far that the block is freed, or lost
                    }
                    ending = null;
                }
                held.stampNew();
            }
        }

        /** Other frames on the stack, of other sizes, so that it ends elsewhere. */
        private long shift(int by) {
            return by == 0 ? descend(1, 2, 3) : shift(by - 1) + by;
        }

        private long descend(long a, long b, long c) {
            int call = calls++;
            if ((call & 3) != 3) {
                MemorySegment block = pool.allocate(sizes[call & 1023], 8);
                held.blocks[held.count++] = block;
            } else if (held.count > held.stamped) {
                ending = held.blocks[--held.count];
                pool.free(ending);
                ending = null;
            }
            return descend(b, c, a) + a;
        }
    }

    /** Calls itself and moves one block until the stack ends. */
    private static final class Growth {

        private static final long STAMPED_BYTES = 64;

        private final PoolAllocator pool;
        private final Random random;
        private MemorySegment block;
        private int calls;

        Growth(PoolAllocator pool, Random random) {
            this.pool = pool;
            this.random = random;
        }

        void run() {
            block = pool.allocate(STAMPED_BYTES, 8);
            for (int i = 0; i < OVERFLOWS_EACH; i++) {
                long stamp = random.nextLong();
                Stamp.write(block, stamp);
                try {
                    shift(random.nextInt(40));
                } catch (StackOverflowError _) {
                    // the block is alive, and what was written is there
                }
                Stamp.check(block.asSlice(0, STAMPED_BYTES), STAMPED_BYTES, stamp);
                block = pool.reallocate(block, STAMPED_BYTES, 8);
            }
            pool.free(block);
        }

        private long shift(int by) {
            return by == 0 ? descend(1, 2) : shift(by - 1) + by;
        }

        private long descend(long a, long b) {
            block = pool.reallocate(block, (calls++ & 1) == 0 ? 2000 : STAMPED_BYTES, 8);
            return descend(b, a) + a;
        }
    }
}
