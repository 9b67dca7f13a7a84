package dev.kernelalloc.os;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

class NativeMemoryTest {

    private long address;

    @BeforeEach
    void allocate() throws Refusal {
        address = Platform.current().calloc(64);
    }

    @AfterEach
    void free() {
        Platform.current().free(address);
    }

    @Test
    void aSegmentCoversExactlyItsBytes() {
        MemorySegment segment = NativeMemory.segment(address, 64);

        assertThat(segment.address()).isEqualTo(address);
        assertThat(segment.byteSize()).isEqualTo(64);
        assertThat(segment.scope()).isEqualTo(Arena.global().scope());
        assertThat(segment.get(ValueLayout.JAVA_LONG, 56)).isZero();
    }

    @Test
    void aSegmentDiesWithItsArena() {
        MemorySegment segment;
        try (Arena arena = Arena.ofConfined()) {
            segment = NativeMemory.segment(address, 64, arena);
            segment.set(ValueLayout.JAVA_LONG, 0, 7);
        }
        assertThatThrownBy(() -> segment.get(ValueLayout.JAVA_LONG, 0))
                .isInstanceOf(IllegalStateException.class);
    }

    @Test
    void cleanupSeesTheSegmentAliveWhenTheArenaCloses() {
        List<Long> seen = new ArrayList<>();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment segment =
                    NativeMemory.segment(
                            address, 64, arena, it -> seen.add(it.get(ValueLayout.JAVA_LONG, 0)));
            segment.set(ValueLayout.JAVA_LONG, 0, 7);
            assertThat(seen).isEmpty();
        }
        assertThat(seen).containsExactly(7L);
    }
}
