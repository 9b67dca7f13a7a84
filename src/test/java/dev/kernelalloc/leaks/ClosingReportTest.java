package dev.kernelalloc.leaks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.kernelalloc.LeakReport.Kind;
import dev.kernelalloc.LiveBlocksException;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.Tracking;
import dev.kernelalloc.struct.StructType;

import org.junit.jupiter.api.Test;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/** Closing an allocator tells where its live blocks were made, as far as they are tracked. */
class ClosingReportTest {

    private static final StructType<MemorySegment> LONG = StructType.of(ValueLayout.JAVA_LONG);

    private final PoolAllocator pool =
            PoolAllocator.builder().tag("closed").tracking(Tracking.ALL).build();

    private LiveBlocksException close() {
        return catchThrowableOfType(LiveBlocksException.class, pool::close);
    }

    @Test
    void ownersAreGroupedByKindAndPlace() {
        List<NativeBox<?>> boxes = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            boxes.add(NativeBox.zeroed(pool, LONG));
        }
        Arena arena = pool.arena();
        arena.allocate(1 << 20);
        LiveBlocksException e = close();
        assertThat(e.blocks()).isEqualTo(5);
        assertThat(e.bytes()).isGreaterThan(1 << 20);
        assertThat(e.groups())
                .extracting(LiveBlocksException.Group::kind)
                .containsExactly(Kind.ARENA, Kind.BOX);
        assertThat(e.groups().getLast().owners()).isEqualTo(3);
        assertThat(e.groups().getLast().bytes()).isEqualTo(24);
        assertThat(e)
                .hasMessageContaining("allocator 'closed' is closed with 5 live blocks")
                .hasMessageContaining("3 × box, 24 bytes")
                .hasMessageContaining("made at")
                .hasMessageContaining("ownersAreGroupedByKindAndPlace");
        boxes.forEach(NativeBox::close);
        arena.close();
    }

    @Test
    void whatWasLostBeforeIsStillTold() {
        Reports reports = new Reports();
        PoolAllocator lossy =
                PoolAllocator.builder().tracking(Tracking.ALL).onLeak(reports).build();
        NativeBox.zeroed(lossy, LONG);
        reports.one();
        LiveBlocksException e = catchThrowableOfType(LiveBlocksException.class, lossy::close);
        assertThat(e.groups()).hasSize(1);
        assertThat(e.groups().getFirst().owners()).isOne();
    }

    @Test
    void rawBlocksAreToldWhereverTheyHaveMoved() {
        MemorySegment freed = pool.allocate(8, 8);
        MemorySegment moved = pool.allocateZeroed(8, 8);
        pool.free(freed);
        MemorySegment grown = pool.reallocate(moved, 100_000, 8);
        MemorySegment released = NativeBox.zeroed(pool, LONG).release();
        NativeBox<MemorySegment> adopted = NativeBox.adopt(pool, LONG, pool.allocate(8, 8));
        MemorySegment optional = pool.tryAllocate(16, 8).orElseThrow();
        try {
            pool.free(freed);
        } catch (IllegalArgumentException _) {
            // refused, and nothing has changed
        }
        LiveBlocksException e = close();
        assertThat(e.blocks()).isEqualTo(4);
        assertThat(e.groups())
                .extracting(LiveBlocksException.Group::kind)
                .containsExactlyInAnyOrder(
                        Kind.RAW_BLOCK, Kind.RAW_BLOCK, Kind.RAW_BLOCK, Kind.BOX);
        assertThat(e.groups().getFirst().bytes()).isEqualTo(100_000);
        pool.free(grown);
        pool.free(released);
        pool.free(optional);
        adopted.close();
        assertThat(pool.stats().liveBlocks()).isZero();
    }

    @Test
    void withoutTrackingItIsSaidHowToKnowMore() {
        pool.tracking(Tracking.OFF);
        NativeBox<MemorySegment> box = NativeBox.zeroed(pool, LONG);
        LiveBlocksException e = close();
        assertThat(e.groups()).isEmpty();
        assertThat(e)
                .hasMessageContaining("Tracking is off, tracked are none")
                .hasMessageContaining("-Ddev.kernelalloc.tracking=all");
        box.close();
    }

    @Test
    void aSampleIsSaidToBeOne() {
        pool.tracking(Tracking.SAMPLED);
        List<NativeBox<?>> boxes = new ArrayList<>();
        for (int i = 0; i < 20_000; i++) {
            boxes.add(NativeBox.zeroed(pool, LONG));
        }
        assertThat(close()).hasMessageContaining("One in 1,024 is tracked");
        boxes.forEach(NativeBox::close);
    }
}
