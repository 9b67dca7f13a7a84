package dev.kernelalloc.cli;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.KernelAllocator;

import org.HdrHistogram.Histogram;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;

/**
 * Threads that replace blocks of random sizes at random places for a while. Some blocks go through
 * places that all threads share, so that another thread frees them. Each block is marked at both
 * ends, and looked at before it is freed.
 */
final class Workload {

    private static final String RANDOM = "L64X128MixRandom";
    private static final long HIGHEST_NANOS = 60_000_000_000L;
    private static final int DIGITS = 3;
    private static final int SHARED_PLACES = 1024;

    /** One operation of so many is timed: looking at the clock costs as much as an operation. */
    private static final int TIMED_ONE_OF = 16;

    /** Between two looks at whether the time is over. */
    private static final int BURST = 256;

    private final KernelAllocator allocator;
    private final long smallest;
    private final long largest;
    private final int livePerThread;
    private final int sharedPercent;

    private final AtomicReferenceArray<MemorySegment> shared =
            new AtomicReferenceArray<>(SHARED_PLACES);
    private final AtomicLong operations = new AtomicLong();
    private final AtomicLong refusals = new AtomicLong();
    private final AtomicReference<String> firstRefusal = new AtomicReference<>();
    private final AtomicReference<Throwable> failure = new AtomicReference<>();
    private final AtomicLong damaged = new AtomicLong();
    private final Histogram allocateNanos = new Histogram(HIGHEST_NANOS, DIGITS);
    private final Histogram freeNanos = new Histogram(HIGHEST_NANOS, DIGITS);

    private final List<Thread> started = new ArrayList<>();
    private volatile boolean over;

    /**
     * A workload to be run.
     *
     * @param smallest size in bytes, at least 1
     * @param largest size in bytes
     * @param livePerThread blocks that each thread keeps
     * @param sharedPercent of the operations go through shared places
     */
    Workload(
            KernelAllocator allocator,
            long smallest,
            long largest,
            int livePerThread,
            int sharedPercent) {
        this.allocator = allocator;
        this.smallest = smallest;
        this.largest = largest;
        this.livePerThread = livePerThread;
        this.sharedPercent = sharedPercent;
    }

    void start(int threads) {
        for (int number = 0; number < threads; number++) {
            long seed = number + 1;
            started.add(Thread.ofPlatform().name("stress-" + number).start(() -> work(seed)));
        }
    }

    /** Waits for all threads, after the end was requested. */
    void join() throws InterruptedException {
        for (Thread thread : started) {
            thread.join();
        }
    }

    /** Whatever it is, it ends all: it must not look as if the others had gone on. */
    void fail(Throwable why) {
        over = true;
        failure.compareAndSet(null, why); // no text is made here: the Java heap may be exhausted
    }

    void end() {
        over = true;
    }

    /** Returns whether the end was requested. */
    boolean isOver() {
        return over;
    }

    /** Returns the exception that ended a thread, and with it all of them, before the end. */
    Optional<Throwable> failure() {
        return Optional.ofNullable(failure.get());
    }

    /** Allocations and frees so far, to within a burst of each thread. */
    long operations() {
        return operations.get();
    }

    long refusals() {
        return refusals.get();
    }

    Optional<String> firstRefusal() {
        return Optional.ofNullable(firstRefusal.get());
    }

    /** Blocks that were not as they were left. */
    long damaged() {
        return damaged.get();
    }

    /** After the end. */
    Histogram allocateNanos() {
        return allocateNanos;
    }

    /** After the end. */
    Histogram freeNanos() {
        return freeNanos;
    }

    /** After the end of all threads. */
    void freeShared() {
        for (int place = 0; place < SHARED_PLACES; place++) {
            MemorySegment block = shared.getAndSet(place, null);
            if (block != null) {
                free(block);
            }
        }
    }

    private void work(long seed) {
        try {
            replaceUntilTheEnd(seed);
        } catch (Throwable e) {
            fail(e);
        }
    }

    private void replaceUntilTheEnd(long seed) {
        RandomGenerator random = RandomGeneratorFactory.of(RANDOM).create(seed);
        MemorySegment[] own = new MemorySegment[livePerThread];
        Histogram allocations = new Histogram(HIGHEST_NANOS, DIGITS);
        Histogram frees = new Histogram(HIGHEST_NANOS, DIGITS);
        try {
            do { // once at least: on a busy machine a thread may begin when the time is over
                long done = 0;
                for (int i = 0; i < BURST; i++) {
                    done += replaceOne(own, random, i % TIMED_ONE_OF == 0, allocations, frees);
                }
                operations.addAndGet(done);
            } while (!over);
        } finally {
            for (MemorySegment block : own) {
                if (block != null) {
                    free(block);
                }
            }
        }
        synchronized (this) {
            allocateNanos.add(allocations);
            freeNanos.add(frees);
        }
    }

    /** Returns how many operations that took. */
    private int replaceOne(
            MemorySegment[] own,
            RandomGenerator random,
            boolean timed,
            Histogram allocations,
            Histogram frees) {
        int place = random.nextInt(own.length);
        MemorySegment old = own[place];
        if (random.nextInt(100) < sharedPercent) {
            old = shared.getAndSet(random.nextInt(SHARED_PLACES), old);
        }
        own[place] = null;
        int done = 0;
        if (old != null) {
            long start = timed ? System.nanoTime() : 0;
            free(old);
            if (timed) {
                frees.recordValue(Math.min(HIGHEST_NANOS, System.nanoTime() - start));
            }
            done++;
        }
        long size = size(random);
        long start = timed ? System.nanoTime() : 0;
        try {
            MemorySegment block = allocator.allocate(size, Math.min(16, Long.highestOneBit(size)));
            if (timed) {
                allocations.recordValue(Math.min(HIGHEST_NANOS, System.nanoTime() - start));
            }
            mark(block);
            own[place] = block;
            done++;
        } catch (AllocationException e) {
            refusals.incrementAndGet();
            firstRefusal.compareAndSet(null, e.getMessage());
        }
        return done;
    }

    /** As many between 16 and 32 bytes as between 16 and 32 KiB. */
    private long size(RandomGenerator random) {
        double octaves = Math.log((double) largest / smallest) * random.nextDouble();
        return Math.clamp((long) (smallest * Math.exp(octaves)), smallest, largest);
    }

    private void free(MemorySegment block) {
        byte mark = mark(block.address());
        if (block.get(ValueLayout.JAVA_BYTE, 0) != mark
                || block.get(ValueLayout.JAVA_BYTE, block.byteSize() - 1) != mark) {
            damaged.incrementAndGet();
        }
        allocator.free(block);
    }

    private static void mark(MemorySegment block) {
        byte mark = mark(block.address());
        block.set(ValueLayout.JAVA_BYTE, 0, mark);
        block.set(ValueLayout.JAVA_BYTE, block.byteSize() - 1, mark);
    }

    private static byte mark(long address) {
        return (byte) (address >>> 3 ^ address >>> 11 ^ 0x5A);
    }
}
