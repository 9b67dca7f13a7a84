package dev.kernelalloc.heap;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.testing.Await;
import dev.kernelalloc.testing.ChildJvm;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/** The one kind of thread that the library has: when it runs, and what it survives. */
class BackgroundThreadTest {

    /** Rounds that the test allows one by one. */
    private static class Steps implements BackgroundThread.Work {

        final AtomicBoolean pending = new AtomicBoolean(true);
        final Semaphore allowed = new Semaphore(0);
        final AtomicInteger rounds = new AtomicInteger();
        final AtomicBoolean interruptedBeforeWait = new AtomicBoolean();

        @Override
        public boolean isPending() {
            return pending.get();
        }

        @Override
        public void await() throws InterruptedException {
            if (Thread.currentThread().isInterrupted()) {
                interruptedBeforeWait.set(true);
            }
            allowed.acquire();
        }

        @Override
        public void round() {
            rounds.incrementAndGet();
        }

        void step() {
            int before = rounds.get();
            allowed.release();
            Await.until("a round", () -> rounds.get() == before + 1);
        }
    }

    private Steps steps = new Steps();
    private BackgroundThread thread = new BackgroundThread("kernel-alloc-tested", steps);

    private void use(Steps other) {
        steps = other;
        thread = new BackgroundThread("kernel-alloc-tested", steps);
    }

    @AfterEach
    void end() {
        steps.pending.set(false);
        steps.allowed.release(100);
        Await.until("the end of the thread", () -> !thread.isRunning());
    }

    @Test
    @DisplayName("A thread ends when nothing is pending, and starts again when something is")
    void thread_withoutPendingWork_endsAndStartsAgain() {
        assertThat(thread.isRunning()).isFalse();
        thread.ensureRunning();
        steps.step();
        steps.pending.set(false);
        steps.step();
        Await.until("the end of the thread", () -> !thread.isRunning());
        steps.pending.set(true);
        thread.ensureRunning();
        thread.ensureRunning();
        steps.step();
        assertThat(steps.rounds).hasValue(3);
    }

    @Test
    @DisplayName("Work added in the moment of the end is not left behind")
    void workAddedAtTheEnd_isDone() {
        AtomicInteger asked = new AtomicInteger();
        use(
                new Steps() {
                    @Override
                    public boolean isPending() {
                        // Nothing at first; what comes then has seen the thread still running.
                        return asked.getAndIncrement() > 0 && super.isPending();
                    }
                });
        thread.ensureRunning();
        steps.step();
    }

    @Test
    @DisplayName("An interrupt ends one wait at most: the next one waits again")
    void interrupt_restoredByEveryRound_isClearedBeforeEachWait() {
        use(
                new Steps() {
                    @Override
                    public void round() {
                        Thread.currentThread().interrupt();
                        super.round();
                    }
                });
        thread.ensureRunning();
        for (int i = 0; i < 10; i++) {
            steps.step();
        }
        assertThat(steps.interruptedBeforeWait).isFalse();
        assertThat(steps.rounds).hasValue(10);
    }

    @Test
    @DisplayName("Whatever a round throws, the next round follows")
    void failingRound_isFollowedByTheNext() {
        use(
                new Steps() {
                    @Override
                    public void round() {
                        super.round();
                        if (rounds.get() == 1) {
                            throw new AssertionError("thrown by a round, to be logged");
                        }
                    }
                });
        thread.ensureRunning();
        steps.step();
        steps.step();
        assertThat(thread.isRunning()).isTrue();
    }

    @Test
    @DisplayName("A failure is logged, with the name of the thread")
    void failingRound_isLogged() throws Exception {
        String output = ChildJvm.onModulePath().outputOf(Failing.class);
        assertThat(output)
                .contains("thread kernel-alloc-failing failed: failures=1; it goes on")
                .contains("java.lang.NoClassDefFoundError: gone/WithItsLoader");
    }

    static final class Failing {
        private Failing() {}

        static void main() {
            Steps steps =
                    new Steps() {
                        @Override
                        public void round() {
                            super.round();
                            if (rounds.get() == 1) {
                                throw new NoClassDefFoundError("gone/WithItsLoader");
                            }
                        }
                    };
            new BackgroundThread("kernel-alloc-failing", steps).ensureRunning();
            steps.step();
            steps.step(); // after the failure was logged
        }
    }
}
