package dev.kernelalloc.benchmarks.heap.work;

import com.sun.management.ThreadMXBean;

import dev.kernelalloc.benchmarks.Figure;

import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;

/** Platform threads that work side by side for some time. */
final class Crew {

    /** Tells them to stop. Looked at once an operation or a few. */
    static final class Signal {
        private volatile boolean set;

        boolean isSet() {
            return set;
        }

        void set() {
            set = true;
        }
    }

    /** The work of one thread. */
    interface Worker {

        /**
         * Works until the end is requested.
         *
         * @return the number of operations
         */
        long work(Signal stop) throws InterruptedException;
    }

    /**
     * The totals of all threads.
     *
     * @param operations the operations of all threads
     * @param nanos the wall-clock time
     * @param heapBytes the bytes of the Java heap allocated in that time
     */
    record Result(long operations, long nanos, long heapBytes) {

        double nanosPerOperation() {
            return (double) nanos / operations;
        }

        void print() {
            Report.print(Figure.NANOS, nanosPerOperation());
            Report.print(Figure.HEAP_BYTES, (double) heapBytes / operations);
        }
    }

    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    private Crew() {}

    static Result run(List<Worker> workers, long millis) throws Exception {
        Signal stop = new Signal();
        CountDownLatch ready = new CountDownLatch(workers.size());
        CountDownLatch start = new CountDownLatch(1);
        List<FutureTask<Long>> tasks = new ArrayList<>();
        for (Worker worker : workers) {
            FutureTask<Long> task =
                    new FutureTask<>(
                            () -> {
                                ready.countDown();
                                start.await();
                                return worker.work(stop);
                            });
            tasks.add(task);
            Thread.ofPlatform().daemon().start(task);
        }
        ready.await();
        long bytesBefore = THREADS.getTotalThreadAllocatedBytes();
        long before = System.nanoTime();
        start.countDown();
        Thread.sleep(millis);
        stop.set();
        long operations = 0;
        for (FutureTask<Long> task : tasks) {
            operations += task.get();
        }
        return new Result(
                operations,
                System.nanoTime() - before,
                THREADS.getTotalThreadAllocatedBytes() - bytesBefore);
    }
}
