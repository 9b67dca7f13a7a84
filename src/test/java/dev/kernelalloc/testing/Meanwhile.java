package dev.kernelalloc.testing;

import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;

/** Work of which another thread is in the way. */
public final class Meanwhile {

    private static final int MANY = 1000;

    /** Turns of the other thread, so that it has run during the work. */
    private static final long TURNS = 100_000;

    private Meanwhile() {}

    /** Does both many times, at the same time. */
    public static void repeat(Runnable disturbance, Runnable work) throws Exception {
        AtomicBoolean done = new AtomicBoolean();
        AtomicLong turns = new AtomicLong();
        try (ExecutorService other = Executors.newSingleThreadExecutor()) {
            Future<?> disturbing =
                    other.submit(
                            () -> {
                                while (!done.get()) {
                                    disturbance.run();
                                    turns.incrementAndGet();
                                }
                            });
            try {
                for (int i = 0; !disturbing.isDone() && (i < MANY || turns.get() < TURNS); i++) {
                    work.run();
                }
            } finally {
                done.set(true);
            }
            disturbing.get();
        }
    }
}
