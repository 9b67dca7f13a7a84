package dev.kernelalloc.struct;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.util.stream.LongStream;
import java.util.stream.Stream;

/** Clearing a struct zeroes all its bytes and no other. */
class StructClearTest {

    private static final byte DIRT = 0x5A;
    private static final int AROUND = 64;

    record One(byte only) {}

    @Struct(packed = true)
    record Thirteen(long first, int second, byte third) {}

    @Struct(align = 64)
    interface Line {
        long first();

        void first(long value);
    }

    interface Large {
        @Length(65_535)
        MemorySegment bytes();
    }

    interface TooLargeForWords {
        @Length(65_537)
        MemorySegment bytes();
    }

    interface Packet {
        int length();

        @Flexible
        MemorySegment data();
    }

    static Stream<StructType<?>> types() {
        MethodHandles.Lookup lookup = MethodHandles.lookup();
        Stream<StructType<?>> described =
                Stream.of(
                                One.class,
                                Thirteen.class,
                                Line.class,
                                Large.class,
                                TooLargeForWords.class,
                                Packet.class)
                        .map(type -> StructType.of(lookup, type));
        Stream<StructType<?>> layouts =
                LongStream.of(0, 1, 7, 8, 64, 100, 70_000)
                        .mapToObj(
                                bytes ->
                                        StructType.of(
                                                MemoryLayout.sequenceLayout(
                                                        bytes, ValueLayout.JAVA_BYTE)));
        return Stream.concat(described, layouts);
    }

    @ParameterizedTest
    @MethodSource("types")
    void everyByteOfTheStructIsZeroAndNoOther(StructType<?> type) {
        try (Arena arena = Arena.ofConfined()) {
            long bytes = type.byteSize();
            MemorySegment memory = arena.allocate(bytes + AROUND, 64).fill(DIRT);
            type.clear(memory);
            MemorySegment zeros = arena.allocate(Math.max(bytes, 1));
            assertThat(memory.asSlice(0, bytes).mismatch(zeros.asSlice(0, bytes))).isEqualTo(-1);
            assertThat(memory.asSlice(bytes).toArray(ValueLayout.JAVA_BYTE)).containsOnly(DIRT);
        }
    }

    @ParameterizedTest
    @MethodSource("types")
    void aSegmentThatIsTooSmallIsRefused(StructType<?> type) {
        if (type.byteSize() > 0) {
            MemorySegment small = MemorySegment.ofArray(new byte[(int) type.byteSize() - 1]);
            assertThatThrownBy(() -> type.clear(small))
                    .isInstanceOf(IndexOutOfBoundsException.class);
        }
    }

    @ParameterizedTest
    @MethodSource("types")
    void memoryThatIsGoneIsRefused(StructType<?> type) {
        Arena arena = Arena.ofConfined();
        MemorySegment memory = arena.allocate(Math.max(type.byteSize(), 1), 64);
        arena.close();
        if (type.byteSize() > 0) {
            assertThatThrownBy(() -> type.clear(memory)).isInstanceOf(IllegalStateException.class);
        }
    }
}
