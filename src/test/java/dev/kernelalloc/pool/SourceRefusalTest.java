package dev.kernelalloc.pool;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.PackageAccess;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.os.FakeOperatingSystem;
import dev.kernelalloc.os.FakeOperatingSystem.Operation;
import dev.kernelalloc.testing.Await;
import dev.kernelalloc.testing.Stamp;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** The system refuses any call for memory at any moment of a long use of a pool. */
class SourceRefusalTest {

    private static final int STEPS = 300;
    private static final int WITHOUT_MEMORY = 25;

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aCallThatIsRefusedOnceIsMadeUpForByAnother(boolean hardened) {
        for (Operation operation : List.of(Operation.ALIGNED_ALLOC, Operation.DISCARD)) {
            for (int nth = 1; nth <= 10; nth++) {
                FakeOperatingSystem os = new FakeOperatingSystem();
                os.refuse(operation).onNth(nth);
                assertThat(use(os, hardened, nth, -1)).isZero();
            }
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void whileNoCallIsGrantedRequestsEndInAnExceptionAndLoseNothing(boolean hardened) {
        int refusals = 0;
        for (int from = 0; from < STEPS; from += WITHOUT_MEMORY) {
            refusals += use(new FakeOperatingSystem(), hardened, from, from);
        }
        assertThat(refusals).isPositive();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void whereNothingMoreCanBeHadOldBlocksServeAndNewOnesFollowLater(boolean hardened) {
        FakeOperatingSystem os = new FakeOperatingSystem();
        PoolAllocator pool = PackageAccess.build(PoolAllocator.builder().hardened(hardened), os);
        List<MemorySegment> blocks = new ArrayList<>();
        blocks.add(pool.allocate(5 << 20, 8));
        os.refuse(Operation.ALIGNED_ALLOC);
        long refused = 0;
        for (int round = 0; round < 3; round++) {
            try {
                while (true) {
                    blocks.add(pool.allocate(1 << 20, 8));
                }
            } catch (AllocationException e) {
                assertThat(e.reason()).isEqualTo(AllocationException.Reason.OUT_OF_MEMORY);
                assertThat(pool.stats().refusedRequests()).isEqualTo(++refused);
            }
            assertThat(blocks).hasSizeGreaterThan(20);
            assertThat(pool.stats().liveBlocks()).isEqualTo(blocks.size());
            blocks.subList(1, blocks.size()).forEach(pool::free);
            blocks.subList(1, blocks.size()).clear();
        }
        os.allow(Operation.ALIGNED_ALLOC);
        for (int i = 0; i < 100; i++) {
            blocks.add(pool.allocate(1 << 20, 8));
        }
        blocks.forEach(pool::free);
        pool.close();
        os.assertNothingLeaked();
    }

    /** How many requests were refused; from a step on there is no memory for a while. */
    private static int use(FakeOperatingSystem os, boolean hardened, int seed, int refusing) {
        PoolAllocator pool = PackageAccess.build(PoolAllocator.builder().hardened(hardened), os);
        Random random = new Random(seed);
        List<MemorySegment> blocks = new ArrayList<>();
        int refused = 0;
        for (int i = 0; i < STEPS; i++) {
            if (i == refusing) {
                os.refuse(Operation.ALIGNED_ALLOC);
                os.refuse(Operation.DISCARD);
            } else if (i == refusing + WITHOUT_MEMORY) {
                os.allow(Operation.ALIGNED_ALLOC);
                os.allow(Operation.DISCARD);
            }
            try {
                switch (random.nextInt(4)) {
                    case 0 -> blocks.add(stamped(pool.allocate(size(random), 8)));
                    case 1 -> blocks.add(stamped(zero(pool.allocateZeroed(size(random), 64))));
                    case 2 -> {
                        if (!blocks.isEmpty()) {
                            int which = random.nextInt(blocks.size());
                            MemorySegment old = blocks.get(which);
                            long bytes = size(random);
                            MemorySegment moved = pool.reallocate(old, bytes, 8);
                            Stamp.check(
                                    moved.asSlice(0, Math.min(bytes, old.byteSize())),
                                    old.byteSize(),
                                    7);
                            blocks.set(which, stamped(moved));
                        }
                    }
                    default -> {
                        if (!blocks.isEmpty()) {
                            pool.free(blocks.remove(random.nextInt(blocks.size())));
                        }
                        if (random.nextInt(10) == 0) {
                            pool.trim();
                        }
                    }
                }
            } catch (AllocationException e) {
                assertThat(e).hasMessageContaining("refused by the test");
                refused++;
            }
            assertThat(pool.stats().liveBlocks()).isEqualTo(blocks.size());
        }
        blocks.forEach(block -> Stamp.check(block, block.byteSize(), 7));
        blocks.forEach(pool::free);
        pool.close();
        Await.until("everything given back", () -> os.liveBlocks() == 0);
        assertThat(pool.stats().capacityBytes()).isZero();
        return refused;
    }

    private static MemorySegment stamped(MemorySegment block) {
        Stamp.write(block, 7);
        return block;
    }

    private static MemorySegment zero(MemorySegment block) {
        Stamp.checkZero(block);
        return block;
    }

    private static long size(Random random) {
        return switch (random.nextInt(60)) {
            case 0 -> random.nextLong(30 << 20);
            case 1, 2, 3 -> random.nextLong(2 << 20);
            case 4, 5, 6, 7, 8, 9 -> random.nextLong(100_000);
            default -> random.nextLong(2000);
        };
    }
}
