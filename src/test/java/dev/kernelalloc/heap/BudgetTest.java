package dev.kernelalloc.heap;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kernelalloc.heap.CountedChunks.Failure;
import dev.kernelalloc.os.FakeOperatingSystem;
import dev.kernelalloc.os.Refusal;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

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
        child.release(40);
        parent.release(50);
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
        child.release(20);
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
        BudgetedChunks chunks = new BudgetedChunks(source, budget);

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
        chunks.giveBack(smaller);
        assertThat(budget.used()).isZero();
        assertThat(source.bytesOut()).isZero();
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
