package dev.kernelalloc.testing;

import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/** Waits for what happens in its own time, up to a deadline that no healthy machine reaches. */
public final class Await {

    private static final Duration DEADLINE = Duration.ofMinutes(5);
    private static final Duration PERIOD = Duration.ofMillis(5);

    private Await() {}

    /**
     * Returns as soon as something holds.
     *
     * @param what is awaited, for the message
     * @throws AssertionError when it does not hold at the deadline
     */
    public static void until(String what, BooleanSupplier holds) {
        long start = System.nanoTime();
        while (!holds.getAsBoolean()) {
            if (System.nanoTime() - start > DEADLINE.toNanos()) {
                throw new AssertionError("not within " + DEADLINE + ": " + what);
            }
            LockSupport.parkNanos(PERIOD.toNanos());
        }
    }
}
