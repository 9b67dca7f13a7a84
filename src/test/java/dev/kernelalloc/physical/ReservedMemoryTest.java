package dev.kernelalloc.physical;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.PackageAccess;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.os.FakeOperatingSystem;
import dev.kernelalloc.os.FakeOperatingSystem.Operation;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;

/** Memory prepared ahead is there when it is needed, and stays until the allocator is closed. */
class ReservedMemoryTest {

    private static final long MIB = 1L << 20;

    private final FakeOperatingSystem os = new FakeOperatingSystem();
    private final PhysicalAllocator physical = PackageAccess.build(PhysicalAllocator.builder(), os);

    private static List<MemorySegment> blocks(PhysicalAllocator from, int count) {
        return Stream.generate(() -> from.allocate(4096, 8)).limit(count).toList();
    }

    private long calls(Operation operation) {
        return os.calls().stream().filter(call -> call.operation() == operation).count();
    }

    @Test
    @DisplayName(
            "What was reserved is allocated, freed, trimmed and allocated without a system call")
    void allocate_withinTheReserve_makesNoSystemCall() {
        physical.reserve(8 * MIB);
        assertThat(physical.charged()).isEqualTo(8 * MIB);
        os.forgetCalls();
        for (int round = 0; round < 3; round++) {
            List<MemorySegment> blocks = blocks(physical, 1000);
            blocks.forEach(block -> block.fill((byte) -1));
            blocks.forEach(physical::free);
            physical.trim();
        }
        assertThat(calls(Operation.POPULATE)).isZero();
        assertThat(calls(Operation.RESERVE)).isZero();
        assertThat(calls(Operation.LOCK)).isZero();
        assertThat(calls(Operation.RELEASE)).isZero();
        assertThat(physical.charged()).isEqualTo(8 * MIB);
        physical.close();
        os.assertNothingLeaked();
    }

    @Test
    @DisplayName("Slabs of other sizes are no part of the reserve, and make it no smaller")
    void reserve_besideOtherSlabs_isWhole() {
        MemorySegment small = physical.allocate(64, 8);
        physical.reserve(2 * MIB);
        assertThat(physical.charged()).isGreaterThanOrEqualTo(2 * MIB);
        physical.reserve(16 * MIB);
        MemorySegment large = physical.allocate(12 * MIB, 8);
        List<MemorySegment> blocks = blocks(physical, 3000);
        blocks.forEach(physical::free);
        physical.trim();
        physical.free(large);
        physical.free(small);
        physical.trim();
        assertThat(physical.charged()).isEqualTo(16 * MIB);
        physical.close();
        os.assertNothingLeaked();
    }

    @Test
    @DisplayName("Idle memory is released for a reserve that the limit would refuse otherwise")
    void reserve_idleMemoryAtTheLimit_isReleasedForIt() {
        try (PhysicalAllocator limited =
                PackageAccess.build(PhysicalAllocator.builder().limit(16 * MIB), os)) {
            limited.free(limited.allocate(PhysicalRequest.ofBytes(2 * MIB).contiguous().build()));
            assertThat(limited.charged()).isPositive();
            limited.reserve(16 * MIB);
            assertThat(limited.charged()).isEqualTo(16 * MIB);
        }
        os.assertNothingLeaked();
    }

    @Test
    @DisplayName("Threads that free at once leave the reserve whole")
    void free_concurrently_keepsTheReserve() throws Exception {
        physical.reserve(16 * MIB);
        try (ExecutorService threads = Executors.newFixedThreadPool(4)) {
            List<Future<?>> all = new ArrayList<>();
            for (int thread = 0; thread < 4; thread++) {
                all.add(
                        threads.submit(
                                () -> {
                                    for (int round = 0; round < 500; round++) {
                                        physical.free(physical.allocate(2 * MIB, 8));
                                        physical.trim();
                                    }
                                }));
            }
            for (Future<?> one : all) {
                one.get();
            }
        }
        physical.trim();
        assertThat(physical.charged()).isEqualTo(16 * MIB);
        physical.close();
        os.assertNothingLeaked();
    }

    @Test
    @DisplayName("Reserved memory that was used before is zeroed where zeros are promised")
    void allocateZeroed_fromReusedReserve_isZero() {
        physical.reserve(2 * MIB);
        List<MemorySegment> blocks = blocks(physical, 400);
        blocks.forEach(block -> block.fill((byte) -1));
        blocks.forEach(physical::free);
        physical.trim();
        for (int i = 0; i < 400; i++) {
            MemorySegment block = physical.allocateZeroed(4096, 8);
            assertThat(block.mismatch(MemorySegment.ofArray(new byte[4096]))).isEqualTo(-1);
            physical.free(block);
        }
        physical.close();
    }

    @Test
    @DisplayName("A smaller reserve releases what is unused, and none releases all of it")
    void reserve_less_releasesTheSurplus() {
        physical.reserve(8 * MIB);
        physical.reserve(3 * MIB);
        assertThat(physical.charged()).isEqualTo(4 * MIB);
        physical.reserve(0);
        assertThat(physical.charged()).isZero();
        physical.close();
        os.assertNothingLeaked();
    }

    @Test
    @DisplayName("A reserve that is refused leaves the one before it")
    void reserve_refused_staysAsItWas() {
        physical.reserve(2 * MIB);
        os.lockLimit(5 * MIB);
        assertThatExceptionOfType(AllocationException.class)
                .isThrownBy(() -> physical.reserve(64 * MIB));
        assertThat(physical.charged()).isEqualTo(2 * MIB);
        physical.close();
        os.assertNothingLeaked();
    }

    @Test
    @DisplayName("A closed allocator keeps nothing, even what is freed later")
    void close_withLiveBlocks_releasesTheReserveWithThem() {
        physical.reserve(4 * MIB);
        MemorySegment block = physical.allocate(4096, 8);
        assertThatIllegalStateException().isThrownBy(physical::close);
        physical.free(block);
        os.assertNothingLeaked();
        assertThatIllegalStateException().isThrownBy(() -> physical.reserve(MIB));
    }

    @Test
    @DisplayName("Without slabs, or for a negative size, there is no reserve")
    void reserve_withoutSlabs_throws() {
        try (PhysicalAllocator guarded =
                PackageAccess.build(
                        PhysicalAllocator.builder()
                                .request(PhysicalRequest.ofBytes(0).guarded().build()),
                        os)) {
            assertThatIllegalStateException()
                    .isThrownBy(() -> guarded.reserve(MIB))
                    .withMessageContaining("no slabs");
        }
        assertThatIllegalArgumentException().isThrownBy(() -> physical.reserve(-1));
        physical.close();
    }

    @Test
    @DisplayName("Threads that allocate, free and change the reserve lose nothing")
    void reserve_whileOthersAllocate_losesNothing() throws Exception {
        try (PhysicalAllocator real = PhysicalAllocator.create();
                ExecutorService threads = Executors.newFixedThreadPool(4)) {
            List<Future<?>> all = new ArrayList<>();
            for (int thread = 0; thread < 3; thread++) {
                all.add(
                        threads.submit(
                                () -> {
                                    for (int round = 0; round < 30; round++) {
                                        List<MemorySegment> blocks = blocks(real, 100);
                                        blocks.forEach(block -> block.fill((byte) 1));
                                        blocks.forEach(real::free);
                                        real.trim();
                                    }
                                }));
            }
            all.add(
                    threads.submit(
                            () -> {
                                for (int round = 0; round < 30; round++) {
                                    real.reserve(round % 2 * 2 * MIB);
                                }
                            }));
            for (Future<?> one : all) {
                one.get();
            }
            assertThat(real.stats().liveBlocks()).isZero();
            real.reserve(0);
            real.trim();
            assertThat(real.charged()).isZero();
        }
    }
}
