package dev.kernelalloc.frames;

import static org.assertj.core.api.Assertions.assertThat;

import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import net.jqwik.api.constraints.UniqueElements;

import org.junit.jupiter.api.Test;

import java.util.List;
import java.util.stream.IntStream;

class RunSearchTest {

    private static final long UNIT = 4096;
    private static final long UNKNOWN = Translation.UNKNOWN;

    private static Placement anywhere(long bytes) {
        return new Placement(bytes, UNIT, 0, Long.MAX_VALUE, 0);
    }

    @Test
    void unitsAreFoundInWhateverOrderTheyAreMapped() {
        long[] addresses = {7 * UNIT, 5 * UNIT, 6 * UNIT, UNKNOWN, 2 * UNIT};
        RunSearch.Found found = RunSearch.find(addresses, UNIT, anywhere(3 * UNIT), 8);
        assertThat(found.units()).containsExactly(1, 2, 0);
        assertThat(found.offset()).isZero();
        assertThat(found.pieces()).isEqualTo(2);
        assertThat(RunSearch.find(addresses, UNIT, anywhere(3 * UNIT), 1)).isNull();
        assertThat(RunSearch.find(addresses, UNIT, anywhere(4 * UNIT), 8)).isNull();
        assertThat(RunSearch.longestBytes(addresses, UNIT)).isEqualTo(3 * UNIT);
    }

    @Test
    void whatLiesInOrderIsPreferred() {
        long[] addresses = {2 * UNIT, UNIT, 8 * UNIT, 9 * UNIT};
        RunSearch.Found found = RunSearch.find(addresses, UNIT, anywhere(2 * UNIT), 8);
        assertThat(found.units()).containsExactly(2, 3);
        assertThat(found.pieces()).isEqualTo(1);
    }

    @Test
    void aBlockMayBeginInsideAUnit() {
        long huge = 2 << 20;
        Placement placement = new Placement(UNIT, UNIT, huge + 3 * UNIT, Long.MAX_VALUE, 0);
        RunSearch.Found found = RunSearch.find(new long[] {0, huge}, huge, placement, 8);
        assertThat(found.units()).containsExactly(1);
        assertThat(found.offset()).isEqualTo(3 * UNIT);
    }

    @Test
    void nothingIsFoundAmongNothing() {
        assertThat(RunSearch.find(new long[0], UNIT, anywhere(1), 1)).isNull();
        assertThat(RunSearch.find(new long[] {UNKNOWN}, UNIT, anywhere(1), 1)).isNull();
        assertThat(RunSearch.longestBytes(new long[] {UNKNOWN}, UNIT)).isZero();
    }

    /** Every run of that many units, by trying each as the first. */
    @Property
    void aRunIsFoundExactlyWhenThereIsOne(
            @ForAll @Size(max = 40) @UniqueElements
                    List<@IntRange(min = 0, max = 60) Integer> frames,
            @ForAll @IntRange(min = 1, max = 6) int wanted) {
        long[] addresses = frames.stream().mapToLong(frame -> frame * UNIT).toArray();
        boolean exists =
                frames.stream()
                        .anyMatch(
                                first ->
                                        IntStream.range(0, wanted)
                                                .allMatch(i -> frames.contains(first + i)));
        RunSearch.Found found = RunSearch.find(addresses, UNIT, anywhere(wanted * UNIT), 100);
        assertThat(found != null).isEqualTo(exists);
        if (found != null) {
            assertThat(found.units()).hasSize(wanted);
            for (int i = 1; i < wanted; i++) {
                assertThat(addresses[found.units()[i]])
                        .isEqualTo(addresses[found.units()[i - 1]] + UNIT);
            }
        }
    }
}
