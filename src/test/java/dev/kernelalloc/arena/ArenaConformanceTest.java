package dev.kernelalloc.arena;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.AllocatorStats;
import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;

import java.lang.foreign.Arena;

/** Our arenas keep the contract of the JDK's, which are asked the same to know what it is. */
class ArenaConformanceTest {

    @Nested
    class JdkConfined extends ArenaContract {
        @Override
        Arena open() {
            return Arena.ofConfined();
        }

        @Override
        boolean isShared() {
            return false;
        }
    }

    @Nested
    class JdkShared extends ArenaContract {
        @Override
        Arena open() {
            return Arena.ofShared();
        }

        @Override
        boolean isShared() {
            return true;
        }
    }

    @Nested
    class PoolConfined extends OfAllocator {
        PoolConfined() {
            super(PoolAllocator.create());
        }

        @Override
        boolean isShared() {
            return false;
        }
    }

    @Nested
    class PoolShared extends OfAllocator {
        PoolShared() {
            super(PoolAllocator.create());
        }

        @Override
        boolean isShared() {
            return true;
        }
    }

    @Nested
    class SystemHeapConfined extends OfAllocator {
        SystemHeapConfined() {
            super(PoolAllocator.systemHeap());
        }

        @Override
        boolean isShared() {
            return false;
        }
    }

    @Nested
    class PhysicalConfined extends OfAllocator {
        PhysicalConfined() {
            super(PhysicalAllocator.create());
        }

        @Override
        boolean isShared() {
            return false;
        }
    }

    @Nested
    class PhysicalShared extends OfAllocator {
        PhysicalShared() {
            super(PhysicalAllocator.create());
        }

        @Override
        boolean isShared() {
            return true;
        }
    }

    /** After each test all memory is back, whatever became of the arenas. */
    abstract static class OfAllocator extends ArenaContract {

        private static final long LOCKED_AT_ONCE_BYTES = 4 << 20;

        private final KernelAllocator allocator;
        private AllocatorStats before;

        OfAllocator(KernelAllocator allocator) {
            this.allocator = allocator;
        }

        @Override
        Arena open() {
            return isShared() ? allocator.sharedArena() : allocator.arena();
        }

        @BeforeEach
        void memoryCanBeHad() {
            before = allocator.stats();
            if (allocator instanceof PhysicalAllocator) {
                assumeTrue(
                        allocator
                                .tryAllocate(LOCKED_AT_ONCE_BYTES, 8)
                                .map(
                                        block -> {
                                            allocator.free(block);
                                            return true;
                                        })
                                .orElse(false),
                        "skipped: this process may not lock 4 MiB");
            }
        }

        @AfterEach
        void everythingIsGivenBack() {
            AllocatorStats after = allocator.stats();
            assertThat(after.liveBlocks()).isEqualTo(before.liveBlocks());
            assertThat(after.liveBytes()).isEqualTo(before.liveBytes());
            if (allocator != PoolAllocator.systemHeap()) {
                allocator.close(); // what it caches stays locked until then
            }
        }
    }
}
