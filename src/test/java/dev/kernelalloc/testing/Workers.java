package dev.kernelalloc.testing;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;

/**
 * Threads to which a test hands out work, one piece after the other or all at once: platform
 * threads and virtual ones that live as long as this, and one that is another thread each time.
 */
public final class Workers implements AutoCloseable {

    private static final int PLATFORM = 2;
    private static final int VIRTUAL = 2;

    /** How many there are, counted from 0. */
    public static final int COUNT = PLATFORM + VIRTUAL + 1;

    /** The number of the one that is a new thread each time, and dead afterwards. */
    public static final int MORTAL = COUNT - 1;

    private final List<ExecutorService> lasting = new ArrayList<>();

    public Workers() {
        for (int i = 0; i < PLATFORM; i++) {
            lasting.add(Executors.newSingleThreadExecutor());
        }
        for (int i = 0; i < VIRTUAL; i++) {
            lasting.add(Executors.newSingleThreadExecutor(Thread.ofVirtual().factory()));
        }
    }

    /** Runs something on one of them, to its end. */
    public void run(int worker, Runnable work) {
        List<List<Runnable>> each = nothing();
        each.get(worker).add(work);
        runTogether(each);
    }

    /** For each of them no work yet. */
    public static List<List<Runnable>> nothing() {
        List<List<Runnable>> each = new ArrayList<>();
        for (int i = 0; i < COUNT; i++) {
            each.add(new ArrayList<>());
        }
        return each;
    }

    /**
     * Runs for each of them its work, in order; they begin at the same moment, and all have ended
     * when this returns.
     */
    public void runTogether(List<List<Runnable>> each) {
        int busy = (int) each.stream().filter(work -> !work.isEmpty()).count();
        CyclicBarrier start = new CyclicBarrier(Math.max(1, busy));
        List<Future<?>> ends = new ArrayList<>();
        Thread mortal = null;
        for (int i = 0; i < COUNT; i++) {
            List<Runnable> work = each.get(i);
            if (work.isEmpty()) {
                continue;
            }
            FutureTask<Void> task =
                    new FutureTask<>(
                            () -> {
                                await(start);
                                work.forEach(Runnable::run);
                                return null;
                            });
            ends.add(task);
            if (i == MORTAL) {
                mortal = Thread.ofPlatform().start(task);
            } else {
                lasting.get(i).execute(task);
            }
        }
        try {
            for (Future<?> end : ends) {
                end.get();
            }
            if (mortal != null) {
                mortal.join();
            }
        } catch (ExecutionException e) {
            throw new AssertionError(e.getCause());
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private static void await(CyclicBarrier start) throws InterruptedException {
        try {
            start.await();
        } catch (BrokenBarrierException e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public void close() {
        lasting.forEach(ExecutorService::close);
    }
}
