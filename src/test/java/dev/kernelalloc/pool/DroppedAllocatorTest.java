package dev.kernelalloc.pool;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.LeakReport;
import dev.kernelalloc.LeakReport.Kind;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.PackageAccess;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.Tracking;
import dev.kernelalloc.heap.CountedChunks;
import dev.kernelalloc.heap.SystemChunks;
import dev.kernelalloc.os.FakeOperatingSystem;
import dev.kernelalloc.os.Platform;
import dev.kernelalloc.physical.PhysicalRequest;
import dev.kernelalloc.struct.StructType;
import dev.kernelalloc.testing.Await;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.BooleanSupplier;

/** An allocator that nobody closes and nothing refers to: what is reported, and what goes back. */
class DroppedAllocatorTest {

    private static final StructType<MemorySegment> LONG = StructType.of(ValueLayout.JAVA_LONG);
    private static final int BLOCKS = 2_000;

    private final CountedChunks source = new CountedChunks(new SystemChunks(Platform.current()));
    private final List<LeakReport> reports = new CopyOnWriteArrayList<>();

    private PoolAllocator.Builder builder() {
        return PoolAllocator.builder().tag("dropped").onLeak(reports::add);
    }

    private static void collectUntil(String what, BooleanSupplier holds) {
        Await.until(
                what,
                () -> {
                    System.gc();
                    return holds.getAsBoolean();
                });
    }

    private static void useAndFree(PoolAllocator pool) {
        MemorySegment[] blocks = new MemorySegment[BLOCKS];
        for (int i = 0; i < BLOCKS; i++) {
            blocks[i] = pool.allocate(1 + i % 3_000, 8);
        }
        for (MemorySegment block : blocks) {
            pool.free(block);
        }
        pool.free(pool.allocate(20 << 20, 8));
    }

    @ParameterizedTest
    @DisplayName("Its memory goes back, caches of live threads included, at every level")
    @EnumSource
    void droppedPool_withoutLiveBlocks_givesAllBack(Tracking level) throws Exception {
        try (ExecutorService other = Executors.newSingleThreadExecutor()) {
            other.submit(() -> drop(builder().tracking(level), other)).get();
            drop(builder().tracking(level), other);
            drop(builder().tracking(level).hardened(true), other);
            assertThat(source.bytesOut()).isPositive();
            collectUntil("all given back", () -> source.bytesOut() == 0);
            other.submit(() -> {}).get(); // a thread that had blocks in its cache is still there
        }
        if (level == Tracking.OFF) {
            assertThat(reports).isEmpty();
        } else {
            Await.until("reports", () -> reports.size() == 3);
            assertThat(reports)
                    .allSatisfy(
                            report -> {
                                assertThat(report.kind()).isEqualTo(Kind.ALLOCATOR);
                                assertThat(report.tag()).isEqualTo("dropped");
                                assertThat(report.bytes()).isPositive();
                                assertThat(report.toString()).startsWith("lost: allocator of");
                            });
        }
    }

    private void drop(PoolAllocator.Builder builder, ExecutorService other) {
        PoolAllocator pool = PackageAccess.build(builder, source);
        useAndFree(pool);
        other.submit(() -> useAndFree(pool));
    }

    @Test
    @DisplayName("Blocks that are alive stay as they are, with the ranges they lie in")
    void droppedPool_withLiveBlocks_keepsThemAlone() {
        List<MemorySegment> kept = dropKeepingSome();
        collectUntil("a report", () -> !reports.isEmpty());
        assertThat(reports).hasSize(1);
        long most = reports.getFirst().bytes();
        Await.until("less than there was", () -> source.bytesOut() < most);
        for (MemorySegment block : kept) {
            assertThat(block.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 42);
            block.fill((byte) 43);
        }
        assertThat(source.bytesOut()).isPositive();
    }

    private List<MemorySegment> dropKeepingSome() {
        PoolAllocator pool = PackageAccess.build(builder(), source);
        List<MemorySegment> kept = new ArrayList<>();
        for (int i = 0; i < 10; i++) {
            kept.add(pool.allocate(100, 8).fill((byte) 42));
        }
        useAndFree(pool);
        pool.free(pool.allocate(64 << 20, 8)); // of its own, and kept idle or given back
        return kept;
    }

    @Test
    @DisplayName("While a box of it is alive it is not lost, and the box can be closed")
    void droppedPool_withALiveBox_isLostWithTheBox() {
        NativeBox<MemorySegment> box = boxOfADroppedPool();
        for (int i = 0; i < 3; i++) {
            dropAndAwait();
        }
        assertThat(reports).allMatch(report -> !report.tag().equals("boxed"));
        box.get().set(ValueLayout.JAVA_LONG, 0, 7);
        box.close();
        box = null;
        collectUntil("given back", () -> source.bytesOut() == 0);
    }

    private NativeBox<MemorySegment> boxOfADroppedPool() {
        PoolAllocator pool = PackageAccess.build(builder().tag("boxed"), source);
        useAndFree(pool);
        return NativeBox.zeroed(pool, LONG);
    }

    /** What is found later than another is found after it. */
    private void dropAndAwait() {
        int before = reports.size();
        useAndFree(builder().build());
        collectUntil("a later one", () -> reports.size() > before);
    }

    @Test
    @DisplayName("A pool that was closed, or has taken no memory, is not reported")
    void closedAndUnusedPools_areNotReported() {
        for (int i = 0; i < 10; i++) {
            PackageAccess.build(builder().tag("unused"), source);
            try (PoolAllocator closed = PackageAccess.build(builder().tag("closed"), source)) {
                useAndFree(closed);
            }
        }
        dropAndAwait();
        dropAndAwait();
        assertThat(reports).extracting(LeakReport::tag).containsOnly("dropped");
        assertThat(source.bytesOut()).isZero();
    }

    @Test
    @DisplayName("What a live thread's cache holds of a closed pool goes back once it is dropped")
    void closedPool_cachedByALiveThread_givesAllBackWhenDropped() throws Exception {
        try (ExecutorService other = Executors.newSingleThreadExecutor()) {
            closeWhileCachedBy(other);
            assertThat(source.bytesOut()).isPositive();
            collectUntil("all given back", () -> source.bytesOut() == 0);
            other.submit(() -> {}).get();
        }
        assertThat(reports).isEmpty();
    }

    private void closeWhileCachedBy(ExecutorService other) throws Exception {
        PoolAllocator pool = PackageAccess.build(builder(), source);
        other.submit(() -> useAndFree(pool)).get();
        pool.close();
    }

    @ParameterizedTest
    @DisplayName("A child that is dropped returns what it took to the limit, also to its parent's")
    @ValueSource(booleans = {false, true})
    void droppedChild_returnsItsShareOfTheLimit(boolean listening) throws Exception {
        PoolAllocator[] self = new PoolAllocator[1];
        PoolAllocator.Builder settings = builder().limit(8 << 20);
        if (listening) {
            settings.onPressure(_ -> self[0].trim()); // refers to the allocator that it serves
        }
        PoolAllocator parent = PackageAccess.build(settings, source);
        self[0] = parent;
        dropChild(parent);
        assertThat(parent.charged()).isPositive();
        collectUntil("nothing charged", () -> parent.charged() == 0);
        parent.close(); // nor does the child keep it from being closed
        assertThat(source.bytesOut()).isZero();
    }

    private static void dropChild(PoolAllocator parent) {
        PoolAllocator child = parent.child("child", 4 << 20);
        child.free(child.allocate(1_000, 8));
    }

    @Test
    @DisplayName("A pressure listener that refers to its pool does not keep it reachable")
    void droppedPool_whosePressureListenerRefersToIt_isFound() {
        dropListening();
        collectUntil("all given back", () -> source.bytesOut() == 0);
        assertThat(reports).hasSize(1);
    }

    private void dropListening() {
        PoolAllocator[] self = new PoolAllocator[1];
        self[0] =
                PackageAccess.build(
                        builder().limit(64 << 20).onPressure(_ -> self[0].trim()), source);
        assertThatExceptionOfType(AllocationException.class)
                .isThrownBy(() -> self[0].allocate(65 << 20, 8));
        self[0].free(self[0].allocate(1_000, 8));
    }

    @Test
    @DisplayName("Locked pages of a dropped physical allocator go back when nothing is alive")
    void droppedPhysicalAllocator_givesAllBack() {
        FakeOperatingSystem os = new FakeOperatingSystem();
        dropPhysical(os);
        collectUntil("a report", () -> !reports.isEmpty());
        assertThat(reports).extracting(LeakReport::kind).containsExactly(Kind.ALLOCATOR);
        assertThat(reports.getFirst().bytes()).isPositive();
        Await.until("all given back", () -> nothingLeaked(os));
    }

    private void dropPhysical(FakeOperatingSystem os) {
        PhysicalAllocator physical =
                PackageAccess.build(
                        PhysicalAllocator.builder().tag("locked").onLeak(reports::add), os);
        physical.free(physical.allocate(1_000, 8));
        physical.free(physical.allocate(PhysicalRequest.ofBytes(10_000).build()));
    }

    private static boolean nothingLeaked(FakeOperatingSystem os) {
        try {
            os.assertNothingLeaked();
            return true;
        } catch (AssertionError _) {
            return false;
        }
    }
}
