package dev.kernelalloc.heap;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kernelalloc.heap.CountedChunks.Failure;
import dev.kernelalloc.heap.Counters.Tally;
import dev.kernelalloc.os.FakeOperatingSystem;
import dev.kernelalloc.os.Refusal;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

import java.time.Duration;
import java.util.List;

/** What a budget counts, when it refuses, and that a refusal or a failure costs nothing. */
class BudgetTest {

    private final Budget parent = Budget.of("parent", 100, null);
    private final Budget child = parent.child("child", 60);

    @Test
    void aChargeCountsHereAndAboveUntilItIsReleased() throws Refusal {
        child.charge(40);
        parent.charge(50);
        assertThat(child.used()).isEqualTo(40);
        assertThat(parent.used()).isEqualTo(90);
        child.uncharge(40);
        parent.uncharge(50);
        assertThat(parent.used()).isZero();
        assertThat(parent.peak()).isEqualTo(90);
        assertThat(child.peak()).isEqualTo(40);
    }

    @Test
    void allThatIsLeftCanBeTakenAndNotAByteMore() throws Refusal {
        child.charge(60);
        assertRefused(child, 1, "child", 60, 60);
        parent.charge(40);
        assertRefused(parent, 1, "parent", 100, 100);
        child.charge(0);
    }

    @Test
    void whatAParentRefusesIsNotTakenFromTheChild() throws Refusal {
        parent.charge(70);
        assertRefused(child, 31, "parent", 100, 70);
        assertThat(child.used()).isZero();
        assertThat(child.peak()).isZero();
        child.charge(30);
    }

    @Test
    void theRefusalTellsTheNumbersOfTheWholeChain() throws Refusal {
        Budget.of("other", 5, null).charge(5);
        child.charge(20);
        parent.charge(70);
        assertThatExceptionOfType(Refusal.OverBudget.class)
                .isThrownBy(() -> child.charge(11))
                .withMessage(
                        "budget 'parent' refuses 11 bytes, as 90 of its 100 are taken ('child': 20"
                                + " of 60, in 'parent': 90 of 100): free blocks or close allocators"
                                + " within it, or raise its limit");
    }

    @Test
    void aLimitBelowWhatIsTakenRefusesMoreUntilEnoughIsReleased() throws Refusal {
        child.charge(50);
        child.limit(30);
        assertRefused(child, 1, "child", 30, 50);
        child.uncharge(20);
        assertRefused(child, 1, "child", 30, 30);
        child.limit(31);
        child.charge(1);
        assertThat(child.used()).isEqualTo(31);
    }

    @Test
    void withoutALimitEverythingIsLeftAndStillCounted() throws Refusal {
        Budget unlimited = Budget.unlimited("unlimited");
        unlimited.charge(1L << 40);
        assertThat(unlimited.left()).isEqualTo(Budget.UNLIMITED);
        assertThat(unlimited.used()).isEqualTo(1L << 40);
        unlimited.limit(1);
        assertThat(unlimited.left()).isZero();
        unlimited.limit(Budget.UNLIMITED);
        assertThat(unlimited.left()).isEqualTo(Budget.UNLIMITED);
        unlimited.charge(1);
    }

    @Test
    void aBudgetIsClosedAfterItsChildren() {
        assertThatIllegalStateException()
                .isThrownBy(parent::close)
                .withMessage(
                        "allocator 'parent' has children that are not closed: 'child'. Close them"
                                + " first");
        parent.child("second", 1).close();
        child.close();
        parent.close();
        assertThatIllegalStateException()
                .isThrownBy(() -> parent.child("late", 1))
                .withMessage("allocator 'parent' is closed");
    }

    @ParameterizedTest
    @EnumSource(Failure.class)
    void whateverEndsAnObtainOrResizeNothingStaysCharged(Failure failure) throws Refusal {
        CountedChunks source = new CountedChunks(new SystemChunks(new FakeOperatingSystem()));
        Budget budget = Budget.of("tested", 1 << 20, null);
        BudgetedChunks chunks = new BudgetedChunks(source, budget, _ -> {});

        source.failOnNth(1, failure);
        assertThatThrownBy(() -> chunks.obtain(1000, 8)).isNotNull();
        assertThat(budget.used()).isZero();

        Chunk chunk = chunks.obtain(1000, 16);
        source.failOnNth(1, failure);
        assertThatThrownBy(() -> chunks.resize(chunk, 5000)).isNotNull();
        assertThat(budget.used()).isEqualTo(1000);
        source.failOnNth(1, failure);
        assertThatThrownBy(() -> chunks.resize(chunk, 10)).isNotNull();
        assertThat(budget.used()).isEqualTo(1000);

        Chunk larger = chunks.resize(chunk, 5000);
        assertThat(budget.used()).isEqualTo(5000);
        Chunk smaller = chunks.resize(larger, 10);
        assertThat(budget.used()).isEqualTo(10);
        chunks.release(smaller);
        assertThat(budget.used()).isZero();
        assertThat(source.bytesOut()).isZero();
    }

    // ---- what is done before a refusal ---------------------------------------------------------

    /** Counts what it is asked for. */
    private static final class CountingHolder implements Budget.Holder {

        private final Counters counters;
        private int givenUp;
        private int estimates;
        private Runnable whenEstimated = () -> {};

        CountingHolder(long liveBytes) {
            Tally live = new Tally(1, liveBytes);
            this.counters =
                    new Counters(List.of(), new Counters.Large(live, Tally.NONE, Tally.NONE), live);
        }

        @Override
        public void releaseIdle() {
            givenUp++;
        }

        @Override
        public Counters estimate() {
            if (estimates++ == 0) {
                whenEstimated.run();
            }
            return counters;
        }
    }

    private static Refusal refused(Budget budget, long bytes) {
        try {
            budget.charge(bytes);
        } catch (Refusal e) {
            return e;
        }
        throw new AssertionError("not refused");
    }

    /** How many times a request is tried again. */
    private static int retries(Budget budget, long bytes) {
        Budget.Relief relief = budget.relief();
        int retries = 0;
        while (relief.apply(refused(budget, bytes))) {
            retries++;
        }
        return retries;
    }

    @Test
    @DisplayName("What exceeds a limit by itself is refused at once: nobody gives up anything")
    void refusal_ofMoreThanALimit_isFinal() {
        CountingHolder holder = new CountingHolder(0);
        parent.setHolder(holder);
        child.setHolder(holder);
        assertThat(child.relief().isFinal(refused(child, 61))).isTrue();
        assertThat(child.relief().isFinal(refused(child, 101))).isTrue();
        assertThat(retries(child, 61)).isZero();
        assertThat(retries(child, 101)).isZero();
        assertThat(holder.givenUp).isZero();
        assertThat(holder.estimates).isZero();
    }

    @Test
    @DisplayName("A listener is asked even then, since it may raise the limit")
    void refusal_ofMoreThanALimit_isToldToTheListener() throws Refusal {
        Budget[] raised = new Budget[1];
        Budget listened = Budget.of("listened", 10, (_, asked) -> raised[0].limit(asked));
        raised[0] = listened;
        Refusal refusal = refused(listened, 11);
        assertThat(listened.relief().isFinal(refusal)).isFalse();
        assertThat(listened.relief().apply(refusal)).isTrue();
        listened.charge(11);

        int[] told = {0};
        Budget stubborn = Budget.of("stubborn", 10, (_, _) -> told[0]++);
        assertThat(retries(stubborn, 11)).isOne();
        assertThat(told[0]).isOne();
    }

    @Test
    @DisplayName("Where no thread holds anything in passing, one more look is all there is")
    void refusal_whileNobodyIsInside_isTriedOnceMore() throws Refusal {
        CountingHolder full = new CountingHolder(60);
        child.setHolder(full);
        child.charge(60);
        assertThat(retries(child, 1)).isOne();
        assertThat(full.givenUp).isOne();
    }

    @Test
    @DisplayName("A thread that has left without a change is no reason to look again")
    void refusal_afterFruitlessLooksOfOthers_isTriedOnceMore() throws Refusal {
        child.charge(60);
        Budget.Relief relief = child.relief();
        assertThat(relief.apply(refused(child, 1))).isTrue();
        parent.leave(parent.enter(), false);
        assertThat(relief.apply(refused(child, 1))).isFalse();
    }

    @Test
    @DisplayName("A thread that may have changed something is a reason to look again")
    void refusal_afterADeparture_isTriedAgain() throws Refusal {
        child.charge(60);
        Budget.Relief relief = child.relief();
        assertThat(relief.apply(refused(child, 1))).isTrue();
        parent.leave(parent.enter(), true);
        assertThat(relief.apply(refused(child, 1))).isTrue();
        assertThat(relief.apply(refused(child, 1))).isFalse();
    }

    @ParameterizedTest
    @DisplayName("A thread inside is waited for long where a refusal would be wrong, else not")
    @CsvSource({"0, true", "29, true", "30, false", "60, false"})
    void refusal_whileAThreadStaysInside_waitsByWhatIsLive(long live, boolean again)
            throws Refusal {
        CountingHolder holder = new CountingHolder(live);
        child.setHolder(holder);
        child.charge(60);
        boolean entered = child.enter();
        holder.whenEstimated =
                () -> {
                    spinFor(Duration.ofMillis(1)); // longer than a refusal may wait by the clock
                    child.leave(entered, true);
                };
        Budget.Relief relief = child.relief();
        assertThat(relief.apply(refused(child, 1))).isTrue();
        assertThat(relief.apply(refused(child, 1))).isEqualTo(again);
        assertThat(holder.estimates).isPositive();
    }

    private static void spinFor(Duration duration) {
        long start = System.nanoTime();
        while (System.nanoTime() - start < duration.toNanos()) {
            Thread.onSpinWait();
        }
    }

    @Test
    @DisplayName("A thread that stays inside a full allocator for ever is given up")
    void refusal_whileAThreadNeverLeaves_ends() throws Refusal {
        child.setHolder(new CountingHolder(60));
        child.charge(60);
        assertThat(child.enter()).isTrue();
        assertThat(retries(child, 1)).isOne();
    }

    @Test
    @DisplayName("Without a limit nothing is counted")
    void entering_withoutALimit_countsNothing() {
        Budget unlimited = Budget.unlimited("unlimited");
        assertThat(unlimited.enter()).isFalse();
        assertThat(unlimited.child("limited", 1).enter()).isTrue();
    }

    private static void assertRefused(Budget from, long bytes, String who, long limit, long used) {
        assertThatExceptionOfType(Refusal.OverBudget.class)
                .isThrownBy(() -> from.charge(bytes))
                .satisfies(
                        refusal -> {
                            assertThat(refusal.budget()).isEqualTo(who);
                            assertThat(refusal.limitBytes()).isEqualTo(limit);
                            assertThat(refusal.usedBytes()).isEqualTo(used);
                            assertThat(refusal.askedBytes()).isEqualTo(bytes);
                        });
    }
}
