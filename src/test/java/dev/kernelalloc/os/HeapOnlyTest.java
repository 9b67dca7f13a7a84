package dev.kernelalloc.os;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kernelalloc.os.OperatingSystem.Access;
import dev.kernelalloc.os.OperatingSystem.Advice;

import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;

import java.lang.foreign.MemorySegment;
import java.util.stream.Stream;

class HeapOnlyTest {

    private final OperatingSystem system = new HeapOnly();

    @Test
    @DisabledOnOs(value = OS.WINDOWS, disabledReason = "its C library has no aligned_alloc")
    void theHeapWorks() throws Refusal {
        system.free(system.realloc(system.malloc(1), 100));
        system.free(system.calloc(1));
        for (long alignment : new long[] {1, 8, 64, 1 << 20}) {
            long address = system.alignedAlloc(alignment, 100);
            assertThat(address % alignment).isZero();
            system.alignedFree(address);
            assertThatThrownBy(() -> system.alignedAlloc(alignment, Long.MAX_VALUE))
                    .isInstanceOf(Refusal.OutOfMemory.class);
        }
    }

    @Test
    void everythingElseIsRefusedWithTheNameOfTheSystem() throws Refusal {
        MemorySegment none = MemorySegment.NULL;
        assertThat(system.machine()).isEqualTo(OperatingSystem.Machine.UNKNOWN);
        assertThat(Long.bitCount(system.pageBytes())).isOne();
        Stream.<ThrowingCallable>of(
                        () -> system.reserve(4096, 4096, none),
                        () -> system.commit(4096, 4096, none),
                        () -> system.protect(4096, 4096, Access.READ, none),
                        () -> system.release(4096, 4096, none),
                        () -> system.advise(4096, 4096, Advice.DONT_FORK, none),
                        () -> system.populate(4096, 4096, none),
                        () -> system.lock(4096, 4096, none),
                        () -> system.unlock(4096, 4096, none),
                        system::lockBudget,
                        system::availableBytes,
                        () -> system.readPageMap(4096, none, none),
                        () -> system.readFrameFlags(1, none, none),
                        () -> system.readFrameCounts(1, none, none))
                .forEach(
                        call ->
                                assertThatThrownBy(call)
                                        .isInstanceOf(Refusal.NotSupported.class)
                                        .hasMessageContaining(System.getProperty("os.name")));
    }
}
