package dev.kernelalloc.box;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.Handoff;
import dev.kernelalloc.Lease;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.PackageAccess;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.SharedBox;
import dev.kernelalloc.os.FakeOperatingSystem;
import dev.kernelalloc.struct.StructType;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;

/** Threads that meet in one shared box or hand-off. */
@SuppressWarnings("try") // closing is what is tested
class SharedBoxRaceTest {

    private static final int THREADS = 3;
    private static final int ROUNDS = 2_000;

    record Two(long first, long second) {}

    private static final StructType<Two> TWO = StructType.of(MethodHandles.lookup(), Two.class);

    private final FakeOperatingSystem os = new FakeOperatingSystem();
    private final PoolAllocator pool =
            PackageAccess.build(PoolAllocator.builder().cacheBytes(0, 0), os);

    @AfterEach
    void nothingIsLost() {
        assertThat(pool.stats().liveBlocks()).isZero();
        pool.close();
        pool.trim();
        os.assertNothingLeaked();
    }

    /**
     * The block's next owner fills it with its own pattern at once: a lease that reads or writes
     * after the block has gone back is seen by one of the two.
     */
    @Test
    void noLeaseReachesABlockThatHasAnotherOwner() throws Exception {
        rounds(
                round -> {
                    SharedBox<Two> box = SharedBox.of(pool, TWO, new Two(round, round));
                    return number -> {
                        if (number == 0) {
                            box.close();
                            MemorySegment next = pool.allocate(TWO.byteSize(), 8);
                            next.fill((byte) -1);
                            for (int i = 0; i < 20; i++) {
                                assertThat(next.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(-1);
                                assertThat(next.get(ValueLayout.JAVA_LONG, 8)).isEqualTo(-1);
                            }
                            pool.free(next);
                            return 1;
                        }
                        int leases = 0;
                        try {
                            while (true) {
                                try (Lease<Two> lease = box.lease()) {
                                    assertThat(lease.get().first()).isEqualTo(round);
                                    lease.set(new Two(round, round));
                                    assertThat(lease.get().second()).isEqualTo(round);
                                    leases++;
                                }
                            }
                        } catch (IllegalStateException e) {
                            return leases;
                        }
                    };
                });
    }

    @Test
    void ofClosesAtOnceOneSucceeds() throws Exception {
        rounds(
                _ -> {
                    SharedBox<Two> box = SharedBox.zeroed(pool, TWO);
                    AtomicInteger won = new AtomicInteger();
                    AtomicInteger done = new AtomicInteger();
                    return _ -> {
                        tries(won, box::close);
                        if (done.incrementAndGet() == THREADS) {
                            assertThat(won.get()).isEqualTo(1);
                        }
                        return 0;
                    };
                });
    }

    @Test
    void aBlockIsReleasedOnceWhoeverEndsLast() throws Exception {
        AtomicInteger released = new AtomicInteger();
        rounds(
                _ -> {
                    MemorySegment block = pool.allocate(TWO.byteSize(), 8);
                    SharedBox<Two> box =
                            NativeBox.adopt(
                                            TWO,
                                            block,
                                            segment -> {
                                                released.incrementAndGet();
                                                pool.free(segment);
                                            })
                                    .detach()
                                    .share();
                    return number -> {
                        AtomicInteger got = new AtomicInteger();
                        if (number == 0) {
                            box.close();
                        } else {
                            tries(got, () -> box.lease().close());
                            tries(got, () -> box.lease().close());
                        }
                        return got.get();
                    };
                });
        assertThat(released.get()).isEqualTo(ROUNDS);
    }

    /** Either a lease is out and the detach is refused, or the box is detached and no lease is. */
    @Test
    void aDetachAmidLeasesHandsOverABlockThatNobodyReaches() throws Exception {
        rounds(
                round -> {
                    SharedBox<Two> box = SharedBox.of(pool, TWO, new Two(round, round));
                    return number -> {
                        if (number == 0) {
                            NativeBox<Two> mine = detach(box).attach();
                            mine.set(new Two(-1, -1));
                            for (int i = 0; i < 20; i++) {
                                assertThat(mine.get()).isEqualTo(new Two(-1, -1));
                            }
                            mine.close();
                            return 0;
                        }
                        try {
                            for (int i = 0; i < 10; i++) { // the other one has to find a gap
                                try (Lease<Two> lease = box.lease()) {
                                    assertThat(lease.get()).isEqualTo(new Two(round, round));
                                    lease.set(new Two(round, round));
                                }
                            }
                            return 0;
                        } catch (IllegalStateException e) {
                            return 0;
                        }
                    };
                });
    }

    private static <T> Handoff<T> detach(SharedBox<T> box) {
        while (true) {
            try {
                return box.detach();
            } catch (IllegalStateException e) {
                assertThat(e).hasMessageContaining("leases are out");
            }
        }
    }

    @Test
    void ofDetachAndCloseAtOnceOneSucceeds() throws Exception {
        rounds(
                _ -> {
                    SharedBox<Two> box = SharedBox.zeroed(pool, TWO);
                    AtomicInteger won = new AtomicInteger();
                    AtomicInteger done = new AtomicInteger();
                    return number -> {
                        tries(won, number == 0 ? box::close : () -> box.detach().discard());
                        if (done.incrementAndGet() == THREADS) {
                            assertThat(won.get()).isEqualTo(1);
                        }
                        return 0;
                    };
                });
    }

    @Test
    void ofThreadsThatEndAHandOffOneSucceeds() throws Exception {
        rounds(
                round -> {
                    Handoff<Two> handoff = NativeBox.of(pool, TWO, new Two(round, 0)).detach();
                    AtomicInteger won = new AtomicInteger();
                    AtomicInteger done = new AtomicInteger();
                    return number -> {
                        switch (number) {
                            case 0 -> tries(won, () -> handoff.attach().close());
                            case 1 -> tries(won, () -> handoff.share().close());
                            default -> tries(won, handoff::discard);
                        }
                        if (done.incrementAndGet() == THREADS) {
                            assertThat(won.get()).isEqualTo(1);
                        }
                        return 0;
                    };
                });
    }

    /** What one thread writes under a lease, the next sees under its own. */
    @Test
    void whatWasWrittenUnderALeaseThatHasEndedIsSeenUnderTheNext() throws Exception {
        try (SharedBox<Two> box = SharedBox.zeroed(pool, TWO)) {
            AtomicInteger turn = new AtomicInteger();
            together(
                    number -> {
                        for (int i = 0; i < 500; i++) {
                            int mine = i * THREADS + number;
                            while (turn.getPlain() != mine) {
                                box.lease().close(); // the box alone orders the accesses
                                Thread.yield();
                            }
                            try (Lease<Two> lease = box.lease()) {
                                Two found = lease.get();
                                assertThat(found).isEqualTo(new Two(mine, -mine));
                                lease.set(new Two(mine + 1, -mine - 1));
                            }
                            turn.setOpaque(mine + 1);
                        }
                        return 0;
                    });
        }
    }

    private static void tries(AtomicInteger won, Runnable end) {
        try {
            end.run();
            won.incrementAndGet();
        } catch (IllegalStateException e) {
            // another thread was first
        }
    }

    private interface Round {
        Part start(int round);
    }

    private interface Part {
        int play(int number) throws Exception;
    }

    /** Each round the threads meet anew; between two rounds all blocks have gone back. */
    private void rounds(Round rounds) throws Exception {
        Part[] present = new Part[1];
        AtomicInteger next = new AtomicInteger();
        Runnable between =
                () -> {
                    if (pool.stats().liveBlocks() != 0) {
                        present[0] =
                                _ -> {
                                    throw new AssertionError("blocks left: " + pool);
                                };
                    } else {
                        present[0] = rounds.start(next.getAndIncrement());
                    }
                };
        CyclicBarrier start = new CyclicBarrier(THREADS, between);
        together(
                number -> {
                    try {
                        for (int i = 0; i < ROUNDS; i++) {
                            start.await();
                            present[0].play(number);
                        }
                        return 0;
                    } catch (BrokenBarrierException e) {
                        return 0; // another one has failed, and says why
                    } catch (Throwable e) {
                        start.reset(); // the others shall not wait for this one
                        throw e;
                    }
                });
    }

    private static void together(Part part) throws Exception {
        try (ExecutorService threads = Executors.newFixedThreadPool(THREADS)) {
            List<Future<Integer>> parts = new ArrayList<>();
            for (int i = 0; i < THREADS; i++) {
                int number = i;
                Callable<Integer> task = () -> part.play(number);
                parts.add(threads.submit(task));
            }
            for (Future<Integer> result : parts) {
                result.get();
            }
        }
    }
}
