package dev.kernelalloc.heap;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kernelalloc.os.Refusal;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.util.ArrayList;
import java.util.List;

/** The order of the steps after a refusal. */
class RetryTest {

    private final List<String> steps = new ArrayList<>();
    private final Refusal refusal = new Refusal.OutOfMemory("none");

    /** Remedies that have so many steps. */
    private final class Steps implements Retry.Remedy {

        private final String name;
        private final boolean isFinal;
        private int left;

        Steps(String name, int count, boolean isFinal) {
            this.name = name;
            this.left = count;
            this.isFinal = isFinal;
        }

        @Override
        public boolean apply(Refusal given) {
            assertThat(given).isSameAs(refusal);
            if (left == 0) {
                return false;
            }
            left--;
            steps.add(name);
            return true;
        }

        @Override
        public boolean isFinal(Refusal given) {
            return isFinal;
        }
    }

    private void exhaust(Retry retry) {
        assertThatThrownBy(
                        () -> {
                            while (true) {
                                retry.after(refusal);
                            }
                        })
                .isSameAs(refusal);
    }

    @Test
    @DisplayName("The allocator's own idle memory is reclaimed before the limit's others are asked")
    void after_refusals_ownStepsComeFirst() {
        exhaust(new Retry(new Steps("own", 2, false), new Steps("limit", 3, false), 5));
        assertThat(steps).containsExactly("own", "own", "limit", "limit", "limit");
    }

    @Test
    @DisplayName("No more steps of a limit are executed than the request allows")
    void after_moreStepsThanAllowed_throws() {
        exhaust(new Retry(Retry.Remedy.NONE, new Steps("limit", 3, false), 2));
        assertThat(steps).containsExactly("limit", "limit");
    }

    @Test
    @DisplayName("A final refusal is thrown at once: nothing is reclaimed for it")
    void after_finalRefusal_throwsAtOnce() {
        exhaust(new Retry(new Steps("own", 2, false), new Steps("limit", 3, true), 5));
        assertThat(steps).isEmpty();
    }

    @Test
    @DisplayName("Without a step the first refusal is thrown")
    void after_withoutRemedies_throws() {
        exhaust(new Retry(Retry.Remedy.NONE, Retry.Remedy.NONE, 5));
        assertThat(steps).isEmpty();
    }
}
