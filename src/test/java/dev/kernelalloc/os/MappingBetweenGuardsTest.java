package dev.kernelalloc.os;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kernelalloc.testing.LinuxProcess;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * What another thread maps between two calls stays mapped. The calls are the real ones; the mapping
 * of the pool fails in the moment in which the other thread's mapping has come to lie there.
 */
@EnabledOnOs(OS.LINUX)
class MappingBetweenGuardsTest {

    private static final long HUGE_PAGE_BYTES = 2 << 20;
    private static final int MAP_FIXED = 0x10;
    private static final int ENOMEM = 12;
    private static final int EEXIST = 17;

    private final MemorySegment callState = Arena.ofAuto().allocate(CallState.LAYOUT);
    private final Calls calls = new Calls();
    private final Linux linux = new Linux(calls);
    private final long page = linux.pageBytes();

    @AfterEach
    void unmapTheOthers() {
        if (calls.stranger != 0) {
            calls.munmap(calls.stranger, page, callState);
        }
    }

    @Test
    @DisplayName("A refused mapping of the pool unmaps nothing of another thread's")
    void reserveHuge_poolIsEmptyAndAnotherThreadTookThePlace_itsMappingStays() {
        calls.errno = ENOMEM;
        assertThatThrownBy(() -> reserveHuge(HUGE_PAGE_BYTES))
                .isInstanceOf(Refusal.OutOfMemory.class)
                .hasMessageContaining("vm.nr_hugepages");
        assertTheOthersMappingStays();
        assertThat(LinuxProcess.isMapped(calls.stranger + HUGE_PAGE_BYTES)).isFalse();
        assertThat(LinuxProcess.isMapped(calls.stranger - page)).isFalse();
    }

    @Test
    @DisplayName("A place that other threads take again and again is given up")
    void reserveHuge_everyPlaceIsTaken_refusedWithThePlacesTried() {
        calls.errno = EEXIST;
        assertThatThrownBy(() -> reserveHuge(HUGE_PAGE_BYTES))
                .isInstanceOf(Refusal.SystemError.class)
                .hasMessageContaining("each of 16 places");
        assertTheOthersMappingStays();
    }

    private void assertTheOthersMappingStays() {
        assertThat(LinuxProcess.isMapped(calls.stranger)).isTrue(); // or the read is a SIGSEGV
        assertThat(NativeMemory.segment(calls.stranger, 8).get(ValueLayout.JAVA_LONG, 0))
                .isEqualTo(42);
    }

    private long reserveHuge(long guardBytes) throws Refusal {
        return linux.reserveHuge(
                HUGE_PAGE_BYTES, guardBytes, HUGE_PAGE_BYTES, HUGE_PAGE_BYTES, callState);
    }

    /** The real calls, and another thread's that come between them. */
    private final class Calls implements LinuxCalls {

        private int errno;
        private long stranger;

        @Override
        public long mmap(
                long address,
                long size,
                int protection,
                int flags,
                int file,
                long offset,
                MemorySegment state) {
            if ((flags & Linux.MAP_HUGETLB) == 0) {
                return LinuxCalls.super.mmap(address, size, protection, flags, file, offset, state);
            }
            if ((flags & MAP_FIXED) != 0) {
                munmap(address, size, state); // as the kernel does before it looks at the pool
            }
            if (stranger != 0) {
                munmap(stranger, page, state);
            }
            stranger =
                    LinuxCalls.super.mmap(
                            address,
                            page,
                            Posix.PROT_READ | Posix.PROT_WRITE,
                            linux.anonymous() | MappingBetweenGuards.MAP_FIXED_NOREPLACE,
                            state);
            assertThat(stranger).as("the hole is there").isEqualTo(address);
            NativeMemory.segment(stranger, 8).set(ValueLayout.JAVA_LONG, 0, 42);
            state.set(
                    ValueLayout.JAVA_INT,
                    CallState.LAYOUT.byteOffset(PathElement.groupElement("errno")),
                    errno);
            return -1;
        }
    }
}
