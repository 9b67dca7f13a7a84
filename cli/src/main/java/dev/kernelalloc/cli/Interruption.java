package dev.kernelalloc.cli;

import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * Lets a command print its summary when the program is interrupted, as by Ctrl-C: the JVM ends once
 * this is closed. The exit code remains that of the signal.
 */
final class Interruption implements AutoCloseable {

    private static final long SECONDS_TO_PRINT = 10;

    private final CountDownLatch requested = new CountDownLatch(1);
    private final CountDownLatch closed = new CountDownLatch(1);
    private final Thread hook = new Thread(this::awaitSummary, "interruption");

    Interruption() {
        Runtime.getRuntime().addShutdownHook(hook);
    }

    private void awaitSummary() {
        requested.countDown();
        try {
            closed.await(SECONDS_TO_PRINT, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Waits for a time; returns whether it passed without an interruption. */
    boolean sleep(Duration time) throws InterruptedException {
        return !requested.await(time.toMillis(), TimeUnit.MILLISECONDS);
    }

    boolean isRequested() {
        return requested.getCount() == 0;
    }

    @Override
    public void close() {
        closed.countDown();
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException ending) {
            // The hook runs.
        }
    }
}
