package dev.kernelalloc.bulk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;

class BulkMemoryTest {

    private static final int PIECE = BulkMemory.PIECE_BYTES;

    @DisplayName("A copy equals the JDK's, whatever its size and however both parts overlap")
    @ParameterizedTest
    @ValueSource(ints = {0, 1, -1, 8191, PIECE - 1, PIECE, PIECE + 1, -PIECE, -PIECE - 1, 5 << 20})
    void copy_ofOverlappingParts_equalsTheJdks(int distance) {
        for (int bytes : new int[] {0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE + 7}) {
            byte[] expected = random(14 << 20);
            byte[] actual = expected.clone();
            int from = 4 << 20;
            System.arraycopy(expected, from, expected, from + distance, bytes);
            MemorySegment memory = MemorySegment.ofArray(actual);
            BulkMemory.copy(memory, from, memory, from + distance, bytes);
            assertThat(Arrays.mismatch(actual, expected)).as("%d bytes", bytes).isEqualTo(-1);
        }
    }

    @DisplayName("A copy that does not fit writes nothing")
    @Test
    void copy_outOfBounds_writesNothing() {
        MemorySegment source = MemorySegment.ofArray(random(3 * PIECE));
        MemorySegment target = MemorySegment.ofArray(new byte[3 * PIECE]);
        assertThatThrownBy(() -> BulkMemory.copy(source, 0, target, 1, 3 * PIECE))
                .isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> BulkMemory.copy(source, 1, target, 0, 3 * PIECE))
                .isInstanceOf(IndexOutOfBoundsException.class);
        assertThat(target.mismatch(MemorySegment.ofArray(new byte[3 * PIECE]))).isEqualTo(-1);
    }

    @DisplayName("Arrays of values are copied in both directions, in either byte order")
    @ParameterizedTest
    @ValueSource(ints = {0, 1, PIECE / Long.BYTES, PIECE / Long.BYTES + 1, PIECE})
    void copy_ofValues_equalsTheJdks(int length) {
        long[] values = new Random(length).longs(length).toArray();
        for (ByteOrder order : new ByteOrder[] {ByteOrder.BIG_ENDIAN, ByteOrder.LITTLE_ENDIAN}) {
            ValueLayout.OfLong layout = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(order);
            MemorySegment expected = MemorySegment.ofArray(new byte[length * Long.BYTES + 3]);
            MemorySegment.copy(values, 0, expected, layout, 3, length);
            MemorySegment actual = MemorySegment.ofArray(new byte[length * Long.BYTES + 3]);
            BulkMemory.copy(values, length, actual, layout, 3);
            assertThat(actual.mismatch(expected)).isEqualTo(-1);
            long[] back = new long[length];
            BulkMemory.copy(actual, layout, 3, back, length);
            assertThat(Arrays.equals(back, values)).isTrue();
        }
    }

    @DisplayName("A fill reaches every byte of the segment and none beside it")
    @ParameterizedTest
    @ValueSource(ints = {0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 5})
    void fill_ofAnySize_reachesEveryByteAndNoOther(int bytes) {
        byte[] expected = random(bytes + 2);
        byte[] actual = expected.clone();
        Arrays.fill(expected, 1, 1 + bytes, (byte) 7);
        BulkMemory.fill(MemorySegment.ofArray(actual).asSlice(1, bytes), (byte) 7);
        assertThat(Arrays.mismatch(actual, expected)).isEqualTo(-1);
    }

    @DisplayName("The first bytes are repeated to the end, whatever their number")
    @ParameterizedTest
    @CsvSource({
        "0, 0",
        "1, 1",
        "1, 5000000",
        "3, 5000000",
        "24, 4000008",
        "1048576, 4194304",
        "1048577, 5000000",
        "3000000, 7000000",
        "5000000, 5000000"
    })
    void repeat_ofAnyUnit_fillsTheSegment(int unit, int bytes) {
        byte[] expected = random(bytes);
        byte[] actual = expected.clone();
        for (int i = unit; i < bytes; i++) {
            expected[i] = expected[i - unit];
        }
        BulkMemory.repeat(MemorySegment.ofArray(actual), unit);
        assertThat(Arrays.mismatch(actual, expected)).isEqualTo(-1);
    }

    @DisplayName("A comparison finds what the JDK's does, at each offset and size")
    @Test
    void mismatch_ofAnySize_equalsTheJdks() {
        byte[] bytes = random(1100);
        IntStream fewWords = IntStream.rangeClosed(0, 100);
        IntStream atVectors = IntStream.of(511, 512, 513, 520, 1023, 1024, 1025, 1100);
        IntStream.concat(fewWords, atVectors).forEach(size -> compare(bytes, size));
    }

    /** At another offset in each segment, and with a difference at each place. */
    private static void compare(byte[] bytes, int size) {
        MemorySegment one = MemorySegment.ofArray(bytes.clone()).asSlice(0, size);
        MemorySegment other = MemorySegment.ofArray(bytes.clone());
        MemorySegment moved = MemorySegment.ofArray(new byte[bytes.length + 3]);
        MemorySegment.copy(one, 0, moved, 3, size);
        assertThat(BulkMemory.mismatch(one, other)).isEqualTo(one.mismatch(other));
        assertThat(BulkMemory.mismatch(other, one)).isEqualTo(other.mismatch(one));
        assertThat(BulkMemory.mismatch(one, 0, moved, 3, size)).isEqualTo(-1);
        for (int at = 0; at < size; at++) {
            other.set(ValueLayout.JAVA_BYTE, at, (byte) ~bytes[at]);
            moved.set(ValueLayout.JAVA_BYTE, 3 + at, (byte) ~bytes[at]);
            assertThat(BulkMemory.mismatch(one, other)).isEqualTo(at);
            assertThat(BulkMemory.mismatch(one, 0, moved, 3, size)).isEqualTo(at);
            other.set(ValueLayout.JAVA_BYTE, at, bytes[at]);
            moved.set(ValueLayout.JAVA_BYTE, 3 + at, bytes[at]);
        }
    }

    @DisplayName("The first difference is the JDK's, also where a piece begins or ends")
    @ParameterizedTest
    @ValueSource(ints = {0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE - 1})
    void mismatch_atAnyOffset_equalsTheJdks(int at) {
        byte[] bytes = random(3 * PIECE);
        MemorySegment one = MemorySegment.ofArray(bytes);
        MemorySegment other = MemorySegment.ofArray(bytes.clone());
        assertThat(BulkMemory.mismatch(one, other)).isEqualTo(-1);
        assertThat(BulkMemory.mismatch(one.asSlice(0, at), other)).isEqualTo(at);
        assertThat(BulkMemory.mismatch(one, other.asSlice(0, at))).isEqualTo(at);
        other.set(ValueLayout.JAVA_BYTE, at, (byte) ~bytes[at]);
        assertThat(BulkMemory.mismatch(one, other)).isEqualTo(at);
        assertThat(BulkMemory.mismatch(one, at, other, at, bytes.length - at)).isZero();
    }

    @DisplayName("A segment becomes an array of its bytes")
    @Test
    void toByteArray_ofManyPieces_holdsEveryByte() {
        byte[] bytes = random(2 * PIECE + 3);
        assertThat(BulkMemory.toByteArray(MemorySegment.ofArray(bytes)).length)
                .isEqualTo(bytes.length);
        assertThat(Arrays.equals(BulkMemory.toByteArray(MemorySegment.ofArray(bytes)), bytes))
                .isTrue();
    }

    private static byte[] random(int bytes) {
        byte[] all = new byte[bytes];
        new Random(bytes).nextBytes(all);
        return all;
    }
}
