package dev.kernelalloc.cli;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.util.function.LongToDoubleFunction;

class QuickLookTest {

    private static final double SECOND = 1e9;

    /** A loop that costs what a function of the time says, on a clock of its own. */
    private static final class Loop {

        private final LongToDoubleFunction nanosEach;
        private double now;

        Loop(LongToDoubleFunction nanosEach) {
            this.nanosEach = nanosEach;
        }

        long repeat(int times) {
            now += times * nanosEach.applyAsDouble((long) now);
            return (long) times * (times - 1) / 2;
        }

        QuickLook look() {
            return new QuickLook(this::repeat, () -> (long) now);
        }

        /** What others do between two rounds. */
        void pass(double nanos) {
            now += nanos;
        }
    }

    private static int settle(Loop loop, QuickLook look) {
        for (int round = 1; round <= 50; round++) {
            loop.pass(SECOND / 10);
            look.look();
            if (look.isSettled()) {
                return round;
            }
        }
        return -1;
    }

    @DisplayName("A loop of one speed is settled after the least number of rounds")
    @Test
    void look_atASteadyLoop_settlesAtOnce() {
        Loop loop = new Loop(_ -> 15);
        QuickLook look = loop.look();
        look.warmUp();
        assertThat(settle(loop, look)).isEqualTo(QuickLook.AGREEING);
        assertThat(look.nanos()).isBetween(14.9, 15.1);
    }

    @DisplayName(
            "Code that is given up when measuring begins, and made again, is measured afterwards")
    @Test
    void look_atALoopDeoptimisedAtFirst_settlesOnItsLaterSpeed() {
        Loop loop = new Loop(time -> time > 0.2 * SECOND && time < 0.6 * SECOND ? 163 : 15);
        QuickLook look = loop.look();
        look.warmUp();
        assertThat(settle(loop, look)).isGreaterThan(QuickLook.AGREEING);
        assertThat(look.nanos()).isBetween(14.9, 15.1);
    }

    @DisplayName("A loop that gets slower for good is not reported at its earlier speed")
    @Test
    void look_atALoopThatGetsSlower_settlesOnItsLaterSpeed() {
        Loop loop = new Loop(time -> time < 0.45 * SECOND ? 15 : 40);
        QuickLook look = loop.look();
        look.warmUp();
        settle(loop, look);
        assertThat(look.nanos()).isBetween(39.0, 41.0);
    }

    @DisplayName("A loop of no steady speed is not settled, and its spread is known")
    @Test
    void look_atALoopThatChangesForEver_doesNotSettle() {
        int[] round = {0};
        Loop loop = new Loop(_ -> 10 + 5 * (round[0] % 3));
        QuickLook look = loop.look();
        for (; round[0] < 12; round[0]++) {
            look.look();
            assertThat(look.isSettled()).isFalse();
        }
        assertThat(look.spread()).isBetween(0.9, 1.1);
    }
}
