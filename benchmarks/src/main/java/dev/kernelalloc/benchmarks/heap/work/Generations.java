package dev.kernelalloc.benchmarks.heap.work;

import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

/**
 * One thread after another: each ends after its share of the work, and its successor takes over
 * what it has left. So blocks are freed by threads that have not allocated them.
 *
 * @param share what one thread does
 */
record Generations(Crew.Worker share) implements Crew.Worker {

    @Override
    public long work(Crew.Signal stop) throws InterruptedException {
        long operations = 0;
        while (!stop.isSet()) {
            FutureTask<Long> task = new FutureTask<>(() -> share.work(stop));
            Thread.ofPlatform().start(task);
            try {
                operations += task.get();
            } catch (ExecutionException e) {
                throw new IllegalStateException(e.getCause());
            }
        }
        return operations;
    }
}
