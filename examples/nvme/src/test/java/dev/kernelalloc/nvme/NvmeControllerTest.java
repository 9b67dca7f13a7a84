package dev.kernelalloc.nvme;

import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Tests controllers that this driver cannot use, and registers without a device. */
class NvmeControllerTest {

    private static final long NVM_COMMAND_SET = 1L << 37;

    @Test
    @DisplayName("a controller that does not become ready is reported, and its memory is freed")
    void start_neverReady_throws() {
        assertRefused(NVM_COMMAND_SET, 0, "not ready");
    }

    @Test
    @DisplayName("a controller that has failed is reported")
    void start_failedController_throws() {
        assertRefused(NVM_COMMAND_SET | 255L << 24, 2, "has failed");
    }

    @Test
    @DisplayName("a controller without the NVM command set is refused")
    void start_otherCommandSet_throws() {
        assertRefused(0, 0, "NVM command set");
    }

    @Test
    @DisplayName("a controller whose pages are larger is refused")
    void start_largerPages_throws() {
        assertRefused(NVM_COMMAND_SET | 1L << 48, 0, "4 KiB");
    }

    private static void assertRefused(long capabilities, int status, String message) {
        try (Arena arena = Arena.ofConfined();
                FakeDma dma = new FakeDma()) {
            MemorySegment bar = SimulatedController.bar(arena);
            bar.set(ValueLayout.JAVA_LONG, 0, capabilities);
            bar.set(ValueLayout.JAVA_INT, 0x1c, status);
            assertThatIllegalStateException()
                    .isThrownBy(() -> NvmeController.start(bar, dma, dma))
                    .withMessageContaining(message);
        }
    }
}
