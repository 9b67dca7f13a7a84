package dev.kernelalloc.benchmarks.heap.work;

import java.util.ArrayDeque;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/** A queue with a lock, as the C program has one. It is asked once in a thousand operations. */
final class Handover<T> {

    private static final long LOOK_AGAIN_MILLIS = 5;

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition notEmpty = lock.newCondition();
    private final ArrayDeque<T> items;

    Handover(int capacity) {
        items = new ArrayDeque<>(capacity);
    }

    void put(T item) {
        lock.lock();
        try {
            items.add(item);
            notEmpty.signal();
        } finally {
            lock.unlock();
        }
    }

    /** Waits for one; returns {@code null} if the end was requested. */
    T take(Crew.Signal stop) throws InterruptedException {
        lock.lock();
        try {
            while (!stop.isSet()) {
                T item = items.poll();
                if (item != null) {
                    return item;
                }
                boolean _ = notEmpty.await(LOOK_AGAIN_MILLIS, TimeUnit.MILLISECONDS);
            }
            return null;
        } finally {
            lock.unlock();
        }
    }
}
