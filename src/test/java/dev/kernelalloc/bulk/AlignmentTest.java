package dev.kernelalloc.bulk;

import static org.assertj.core.api.Assertions.assertThat;

import net.jqwik.api.ForAll;
import net.jqwik.api.Label;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.LongRange;

class AlignmentTest {

    @Property
    @Label("A number lies between its multiples, which are less than an alignment apart")
    void upAndDown_anyNumber_encloseItWithinOneAlignment(
            @ForAll @LongRange(min = 0, max = 1L << 48) long number,
            @ForAll @IntRange(min = 0, max = 40) int shift) {
        long alignment = 1L << shift;
        long down = Alignment.down(number, alignment);
        long up = Alignment.up(number, alignment);
        assertThat(down).isLessThanOrEqualTo(number).isGreaterThan(number - alignment);
        assertThat(up).isGreaterThanOrEqualTo(number).isLessThan(number + alignment);
        assertThat(down % alignment).isZero();
        assertThat(up % alignment).isZero();
    }

    @Property
    @Label("The multiples of an alignment are aligned, and no other number is")
    void isAligned_anyNumber_agreesWithTheRemainder(
            @ForAll @LongRange(min = 0, max = 1L << 48) long number,
            @ForAll @IntRange(min = 0, max = 40) int shift) {
        long alignment = 1L << shift;
        assertThat(Alignment.isAligned(number, alignment)).isEqualTo(number % alignment == 0);
        assertThat(Alignment.isAligned(Alignment.up(number, alignment), alignment)).isTrue();
    }

    @Property
    @Label("Powers of two have one bit, and are positive")
    void isPowerOfTwo_anyNumber_countsItsBits(@ForAll long number) {
        assertThat(Alignment.isPowerOfTwo(number))
                .isEqualTo(number > 0 && Long.bitCount(number) == 1);
        long power = Long.highestOneBit(number);
        assertThat(Alignment.isPowerOfTwo(power)).isEqualTo(power > 0);
    }
}
