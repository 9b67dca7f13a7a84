package dev.kernelalloc.os;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;
import static org.junit.jupiter.api.Assumptions.abort;

import dev.kernelalloc.testing.Await;
import dev.kernelalloc.testing.LinuxProcess;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** What other code of the process does to the ring that holds pins, on the kernel at hand. */
@EnabledOnOs(OS.LINUX)
class PinRingTest {

    private static final int IORING_UNREGISTER_BUFFERS = 1;

    private final MemorySegment callState = Arena.ofAuto().allocate(CallState.LAYOUT);
    private final Calls calls = new Calls();
    private final Linux linux = new Linux(calls);
    private final long page = linux.pageBytes();
    private final PinRing ring = new PinRing();
    private final List<Integer> opened = new ArrayList<>();
    private long pages;
    private int pin;
    private long pinnedBefore;

    @BeforeEach
    void pinAPage() throws Refusal {
        pages = linux.reserve(2 * page, page, callState);
        linux.commit(pages, 2 * page, callState);
        linux.populate(pages, 2 * page, callState);
        pinnedBefore = LinuxProcess.pinnedBytes();
        try {
            pin = ring.pin(linux, pages, page, callState);
        } catch (Refusal.NotSupported | Refusal.NotPermitted e) {
            abort("skipped: " + e.getMessage());
        }
        assertThat(ring.held(linux, callState).test(pin)).isTrue();
    }

    @AfterEach
    void closeAll() throws Refusal {
        opened.forEach(calls::close);
        if (calls.ring >= 0) {
            calls.close(calls.ring);
        }
        linux.release(pages, 2 * page, callState);
    }

    @Test
    @DisplayName("Pins of a ring that was closed are lost, and the next pin has a ring of its own")
    void held_ringWasClosed_lostAndTheNextPinHolds() throws Refusal {
        calls.close(calls.ring);
        assertThat(ring.held(linux, callState).test(pin)).isFalse();

        int next = ring.pin(linux, pages + page, page, callState);
        assertThat(ring.held(linux, callState).test(next)).isTrue();
        assertThat(ring.held(linux, callState).test(pin)).isFalse();
        ring.unpin(linux, pin, callState);
        assertThat(ring.held(linux, callState).test(next)).isTrue();
        ring.unpin(linux, next, callState);
        Await.until( // the kernel ends a ring by a thread of its own
                "the pins of both rings are gone",
                () -> LinuxProcess.pinnedBytes() <= pinnedBefore);
    }

    @Test
    @DisplayName("A descriptor that another ring has by now is not touched")
    void unpin_descriptorIsAnotherRings_notTouched() throws Refusal {
        int number = calls.ring;
        calls.close(number);
        while (opened.isEmpty() || opened.getLast() < number) {
            opened.add(IoUring.setup(linux, callState)); // the kernel takes the least free number
        }
        assertThat(opened).contains(number);
        calls.registrations.clear();

        assertThat(ring.held(linux, callState).test(pin)).isFalse();
        ring.unpin(linux, pin, callState);
        int next = ring.pin(linux, pages, page, callState);

        assertThat(calls.registrations).isNotEmpty().doesNotContain(number);
        assertThat(calls.ring).isNotEqualTo(number);
        ring.unpin(linux, next, callState);
    }

    @Test
    @DisplayName(
            "Pins of a ring that was emptied are lost, as the kernel counts fewer pinned bytes")
    void held_ringWasEmptied_lostAndTheRingIsClosedWithTheLastPin() throws Refusal {
        assumeThat(pinnedBefore)
                .as("skipped: the process has other pins, and the kernel counts all together")
                .isZero();
        int number = calls.ring;
        long result =
                IoUring.register(
                        linux, number, IORING_UNREGISTER_BUFFERS, MemorySegment.NULL, 0, callState);
        assertThat(result).isZero();
        assertThat(ring.held(linux, callState).test(pin)).isFalse();

        int next = ring.pin(linux, pages + page, page, callState);
        assertThat(calls.ring).isNotEqualTo(number);
        assertThat(ring.held(linux, callState).test(next)).isTrue();
        FileIdentity before = FileIdentity.of(linux, number, callState);
        ring.unpin(linux, pin, callState);
        assertThat(FileIdentity.of(linux, number, callState)).isNotEqualTo(before);
        assertThat(ring.held(linux, callState).test(next)).isTrue();
        ring.unpin(linux, next, callState);
    }

    /** The real calls; which rings were made last and registered with is remembered. */
    private static final class Calls implements LinuxCalls {

        private final List<Integer> registrations = new ArrayList<>();
        private int ring = -1;

        @Override
        public long syscall(
                long number,
                long first,
                long second,
                long third,
                long fourth,
                long fifth,
                long sixth,
                MemorySegment state) {
            long result =
                    LinuxCalls.super.syscall(
                            number, first, second, third, fourth, fifth, sixth, state);
            if (number == IoUring.SYS_IO_URING_SETUP) {
                ring = (int) result;
            } else if (number == IoUring.SYS_IO_URING_REGISTER) {
                registrations.add((int) first);
            }
            return result;
        }

        @Override
        public int close(int file) {
            if (file == ring) {
                ring = -1;
            }
            return LinuxCalls.super.close(file);
        }
    }
}
