package dev.kernelalloc.os;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import java.io.IOException;
import java.io.InputStream;
import java.lang.classfile.Attributes;
import java.lang.classfile.ClassFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

class NativeMemoryTest {

    private static final int BYTES = 1024;

    private long address;

    @BeforeEach
    void allocate() throws Refusal {
        address = Platform.current().calloc(BYTES);
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

    @Test
    void zero_ofAnySize_writesTheWordsOfThoseBytesAlone() {
        MemorySegment memory = NativeMemory.segment(address, BYTES);
        for (int bytes = 0; bytes <= BYTES - 16; bytes++) {
            memory.fill((byte) -1);

            NativeMemory.zero(address + 8, bytes);

            int end = 8 + (bytes + 7 & -8);
            assertThat(memory.asSlice(0, 8).toArray(ValueLayout.JAVA_BYTE)).containsOnly(-1);
            assertThat(
                            memory.asSlice(8, end - 8)
                                    .mismatch(MemorySegment.ofArray(new byte[end - 8])))
                    .as("%d bytes", bytes)
                    .isEqualTo(-1);
            assertThat(memory.asSlice(end).toArray(ValueLayout.JAVA_BYTE)).containsOnly(-1);
        }
    }

    /** {@code FreqInlineSize}: what is larger is called, whatever the caller. */
    @Test
    void zero_hasMoreByteCodeThanHotSpotInlines() throws IOException {
        try (InputStream code = NativeMemory.class.getResourceAsStream("NativeMemory.class")) {
            assertThat(ClassFile.of().parse(code.readAllBytes()).methods())
                    .filteredOn(method -> method.methodName().equalsString("zero"))
                    .singleElement()
                    .satisfies(
                            zero ->
                                    assertThat(
                                                    zero.findAttribute(Attributes.code())
                                                            .orElseThrow()
                                                            .codeLength())
                                            .isBetween(326, 8000));
        }
    }
}
