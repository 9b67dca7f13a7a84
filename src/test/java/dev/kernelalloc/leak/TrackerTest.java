package dev.kernelalloc.leak;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.Tracking;

import org.junit.jupiter.api.Test;

import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;

/** How many owners are tracked, by a clock that the test sets. */
class TrackerTest {

    private static final int OWNERS = 200_000;

    private long nanos;

    /** Some 195 are picked: half or twice as many never. */
    @Test
    void aSampleIsOneIn1024WhereOwnersAreMadeSlowly() {
        Tracker tracker = tracker(Tracking.SAMPLED);
        assertThat(picked(tracker, TimeUnit.MILLISECONDS.toNanos(1))).isBetween(98L, 390L);
    }

    @Test
    void aSampleIsOneInAMillisecondWhereTheyAreMadeFast() {
        Tracker tracker = tracker(Tracking.SAMPLED);
        assertThat(picked(tracker, 1)).as("of 0.2 ms").isEqualTo(1);
        nanos += TimeUnit.MILLISECONDS.toNanos(1);
        assertThat(picked(tracker, 1)).as("of the next").isEqualTo(1);
    }

    @Test
    void allAreAllHoweverFast() {
        assertThat(picked(tracker(Tracking.ALL), 0)).isEqualTo(OWNERS);
    }

    @Test
    void noneAreNone() {
        assertThat(picked(tracker(Tracking.OFF), TimeUnit.SECONDS.toNanos(1))).isZero();
    }

    private Tracker tracker(Tracking level) {
        return new Tracker("timed", level, List.of(), () -> nanos);
    }

    private long picked(Tracker tracker, long nanosEach) {
        return IntStream.range(0, OWNERS)
                .filter(
                        _ -> {
                            nanos += nanosEach;
                            return tracker.samples();
                        })
                .count();
    }
}
