package dev.kernelalloc.frames;

import static org.assertj.core.api.Assertions.assertThat;

import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.LongRange;

import org.junit.jupiter.api.Test;

import java.util.stream.LongStream;

/** Placing is compared with trying every address; far up, with what every place must satisfy. */
class PlacementTest {

    private static final int SMALL = 512;

    @Provide
    Arbitrary<Placement> small() {
        Arbitrary<Long> bytes = Arbitraries.longs().between(1, 64);
        Arbitrary<Long> alignment = powers(0, 7);
        Arbitrary<Long> lowest = Arbitraries.longs().between(0, SMALL);
        Arbitrary<Long> window = Arbitraries.longs().between(0, SMALL);
        Arbitrary<Long> boundary = powers(6, 9).injectNull(0.3).map(one -> one == null ? 0 : one);
        return Combinators.combine(bytes, alignment, lowest, window, boundary)
                .as(
                        (size, align, low, width, limit) ->
                                new Placement(size, align, low, low + width, limit));
    }

    private static Arbitrary<Long> powers(int from, int to) {
        return Arbitraries.integers().between(from, to).map(bit -> 1L << bit);
    }

    @Property(tries = 2000)
    void theFirstFitIsTheLowestAddressThatSatisfiesEverything(
            @ForAll("small") Placement placement,
            @ForAll @LongRange(min = 0, max = SMALL) long start,
            @ForAll @IntRange(min = 1, max = SMALL) int length) {
        long expected =
                LongStream.range(start, start + length)
                        .filter(place -> satisfies(placement, place))
                        .filter(place -> place + placement.bytes() <= start + length)
                        .findFirst()
                        .orElse(Placement.NONE);
        assertThat(placement.firstFit(start, length)).isEqualTo(expected);
    }

    @Property(tries = 2000)
    void nearTheEndOfNumbersNothingOverflows(
            @ForAll @LongRange(min = 1, max = 1L << 40) long bytes,
            @ForAll @IntRange(min = 0, max = 62) int alignment,
            @ForAll @LongRange(min = 0) long lowest,
            @ForAll @LongRange(min = 0) long highest,
            @ForAll @IntRange(min = 40, max = 62) int boundary,
            @ForAll @LongRange(min = 0) long start,
            @ForAll @LongRange(min = 1) long length) {
        Placement placement =
                new Placement(bytes, 1L << alignment, lowest, highest, 1L << boundary);
        long most = Long.MAX_VALUE - start;
        long run = most == Long.MAX_VALUE ? length : Math.min(length, most + 1);
        long place = placement.firstFit(start, run);
        if (place != Placement.NONE) {
            assertThat(satisfies(placement, place)).isTrue();
            assertThat(place).isGreaterThanOrEqualTo(start);
            assertThat(place - start).isLessThanOrEqualTo(run - bytes);
        }
    }

    private static boolean satisfies(Placement placement, long place) {
        long last = place + placement.bytes() - 1;
        return place % placement.alignment() == 0
                && place >= placement.lowest()
                && last >= place
                && last <= placement.highest()
                && (placement.boundary() == 0
                        || place / placement.boundary() == last / placement.boundary());
    }

    @Test
    void aBlockIsMovedToTheNextBoundaryWhenItWouldCrossOne() {
        Placement placement = new Placement(3, 1, 0, Long.MAX_VALUE, 4);
        assertThat(placement.firstFit(2, 10)).isEqualTo(4);
        assertThat(placement.firstFit(2, 4)).isEqualTo(Placement.NONE);
        assertThat(placement.firstFit(5, 3)).isEqualTo(5);
    }
}
