package dev.kernelalloc.testing;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;

/** Work of which another thread is in the way. */
public final class Meanwhile {

    private static final int MANY = 1000;

    private Meanwhile() {}

    /** Does both many times, at the same time. */
    public static void repeat(Runnable disturbance, Runnable work) throws Exception {
        AtomicBoolean done = new AtomicBoolean();
        CountDownLatch begun = new CountDownLatch(1);
        try (ExecutorService other = Executors.newSingleThreadExecutor()) {
            Future<?> disturbing =
                    other.submit(
                            () -> {
                                while (!done.get()) {
                                    try {
                                        disturbance.run();
                                    } finally {
                                        begun.countDown();
                                    }
                                }
                            });
            try {
                begun.await();
                for (int i = 0; i < MANY && !disturbing.isDone(); i++) {
                    work.run();
                }
            } finally {
                done.set(true);
            }
            disturbing.get();
        }
    }
}
