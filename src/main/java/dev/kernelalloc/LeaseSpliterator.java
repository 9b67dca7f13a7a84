package dev.kernelalloc;

import org.jspecify.annotations.Nullable;

import java.util.Spliterator;
import java.util.function.Consumer;

/** The elements of a lease in their order, in pieces for whichever threads work on them. */
final class LeaseSpliterator<T> implements Spliterator<T> {

    private final ArrayLease<T> lease;
    private long next;
    private final long end;

    LeaseSpliterator(ArrayLease<T> lease) {
        this(lease, 0, lease.length());
    }

    private LeaseSpliterator(ArrayLease<T> lease, long from, long to) {
        this.lease = lease;
        this.next = from;
        this.end = to;
    }

    @Override
    public boolean tryAdvance(Consumer<? super T> action) {
        if (next == end) {
            return false;
        }
        long one = next++;
        lease.forEachAnywhere(one, one + 1, action);
        return true;
    }

    /** Under one lease. */
    @Override
    public void forEachRemaining(Consumer<? super T> action) {
        long first = next;
        next = end;
        if (first < end) {
            lease.forEachAnywhere(first, end, action);
        }
    }

    @Override
    public @Nullable Spliterator<T> trySplit() {
        long first = next;
        long middle = first + end >>> 1;
        if (middle == first) {
            return null;
        }
        next = middle;
        return new LeaseSpliterator<>(lease, first, middle);
    }

    @Override
    public long estimateSize() {
        return end - next;
    }

    @Override
    public int characteristics() {
        return ORDERED | SIZED | SUBSIZED | NONNULL;
    }
}
