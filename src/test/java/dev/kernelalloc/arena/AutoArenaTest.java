package dev.kernelalloc.arena;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.pool.EveryAllocator;
import dev.kernelalloc.testing.Await;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.Reference;

class AutoArenaTest {

    @Test
    @DisplayName("Blocks live as long as the arena or a segment, and are freed by the collector")
    void autoArena_unreachable_freesItsBlocks() {
        PoolAllocator pool = PoolAllocator.create();
        MemorySegment kept = fill(pool);
        System.gc();
        assertThat(pool.stats().liveBlocks()).isEqualTo(100);
        for (long i = 0; i < kept.byteSize(); i++) {
            assertThat(kept.get(ValueLayout.JAVA_BYTE, i)).isEqualTo((byte) 99);
        }
        Reference.reachabilityFence(kept);
        kept = MemorySegment.NULL;
        Await.until(
                "the collector ends the arena",
                () -> {
                    System.gc();
                    return pool.stats().liveBlocks() == 0;
                });
        pool.close();
    }

    /** In a method of its own, whose frame keeps nothing reachable; one segment stays so. */
    private static MemorySegment fill(PoolAllocator pool) {
        Arena arena = pool.autoArena();
        MemorySegment last = MemorySegment.NULL;
        for (int i = 0; i < 100; i++) {
            last = arena.allocate(1000, 16);
            last.fill((byte) i);
        }
        return last.asSlice(10, 100);
    }

    @ParameterizedTest
    @EnumSource
    @DisplayName("Segments are zeroed, distinct, aligned, and for all threads; close is refused")
    void autoArena_keepsTheContractOfOfAuto(EveryAllocator allocators) throws Exception {
        allocators.use(
                allocator -> {
                    long before = allocator.stats().liveBlocks();
                    use(allocator);
                    Await.until(
                            "the collector ends the arena",
                            () -> {
                                System.gc();
                                return allocator.stats().liveBlocks() == before;
                            });
                });
    }

    private static void use(KernelAllocator allocator) throws InterruptedException {
        allocator.free(allocator.allocate(5000, 8).fill((byte) -1));
        Arena arena = allocator.autoArena();
        MemorySegment segment = arena.allocate(5000, 64);
        assertThat(segment.mismatch(MemorySegment.ofArray(new byte[5000]))).isEqualTo(-1);
        assertThat(segment.address() % 64).isZero();
        assertThat(segment.scope()).isEqualTo(arena.scope());
        Thread other = Thread.ofVirtual().start(() -> segment.fill((byte) 1));
        other.join();
        assertThat(segment.get(ValueLayout.JAVA_BYTE, 4999)).isEqualTo((byte) 1);
        assertThat(arena.allocate(0, 1).address()).isNotEqualTo(arena.allocate(0, 1).address());
        assertThatExceptionOfType(UnsupportedOperationException.class).isThrownBy(arena::close);
        assertThatIllegalArgumentException().isThrownBy(() -> arena.allocate(-1, 8));
        assertThatIllegalArgumentException().isThrownBy(() -> arena.allocate(8, 3));
        assertThatIllegalArgumentException().isThrownBy(() -> allocator.free(segment));
        Reference.reachabilityFence(segment);
    }

    @Test
    @DisplayName("A closed allocator opens none, and its arena allocates no more")
    void autoArena_closedAllocator_refuses() {
        PoolAllocator pool = PoolAllocator.create();
        Arena arena = pool.autoArena();
        pool.close();
        assertThatIllegalStateException().isThrownBy(pool::autoArena);
        assertThatIllegalStateException().isThrownBy(() -> arena.allocate(8, 8));
    }
}
