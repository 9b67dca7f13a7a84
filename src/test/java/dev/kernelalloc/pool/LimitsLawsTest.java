package dev.kernelalloc.pool;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.NativeString;
import dev.kernelalloc.PackageAccess;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.heap.CountedChunks;
import dev.kernelalloc.heap.CountedChunks.Failure;
import dev.kernelalloc.heap.SystemChunks;
import dev.kernelalloc.os.FakeOperatingSystem;
import dev.kernelalloc.os.FakeOperatingSystem.Operation;
import dev.kernelalloc.os.Platform;
import dev.kernelalloc.physical.PagePolicy;
import dev.kernelalloc.physical.PhysicalRequest;
import dev.kernelalloc.testing.Await;
import dev.kernelalloc.testing.Workers;

import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.Tuple;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.lifecycle.AfterContainer;

import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.LongStream;

/**
 * Laws of limits, for every sequence of calls of a parent and its children by several threads: the
 * source never has more out than the limit; at each quiet moment what is charged is what the source
 * has out; and when all is closed, nothing is.
 */
class LimitsLawsTest {

    private static final long LIMIT = 4 << 20;
    private static final long CHILD_LIMIT = 3 << 20;
    private static final int ALLOCATORS = 3;

    private static final Workers WORKERS = new Workers();

    @AfterContainer
    static void endWorkers() {
        WORKERS.close();
    }

    enum Kind {
        ALLOCATE,
        ALLOCATE_LARGE,
        REALLOCATE,
        FREE,
        FREE_ALL,
        GROW,
        TRIM,
        LOWER_LIMIT,
        RAISE_LIMIT
    }

    /**
     * What a worker does.
     *
     * @param allocator 0 for the parent
     */
    record Step(int worker, int allocator, Kind kind, int bytes) {}

    @Provide
    Arbitrary<List<List<Step>>> rounds() {
        Arbitrary<Integer> sizes =
                Arbitraries.frequencyOf(
                        Tuple.of(4, Arbitraries.integers().between(0, 3_000)),
                        Tuple.of(1, Arbitraries.integers().between(0, 300_000)));
        Arbitrary<Kind> kinds =
                Arbitraries.frequency(
                        Tuple.of(12, Kind.ALLOCATE),
                        Tuple.of(2, Kind.ALLOCATE_LARGE),
                        Tuple.of(3, Kind.REALLOCATE),
                        Tuple.of(4, Kind.FREE),
                        Tuple.of(2, Kind.FREE_ALL),
                        Tuple.of(2, Kind.GROW),
                        Tuple.of(1, Kind.TRIM),
                        Tuple.of(1, Kind.LOWER_LIMIT),
                        Tuple.of(1, Kind.RAISE_LIMIT));
        return Combinators.combine(
                        Arbitraries.integers().between(0, Workers.COUNT - 1),
                        Arbitraries.integers().between(0, ALLOCATORS - 1),
                        kinds,
                        sizes)
                .as(Step::new)
                .list()
                .ofMaxSize(60)
                .list()
                .ofMaxSize(4);
    }

    @Property
    void neverOverTheLimitAndNothingLeftCharged(
            @ForAll("rounds") List<List<Step>> rounds,
            @ForAll boolean hardened,
            @ForAll Failure failure,
            @ForAll @IntRange(max = 12) int nth) {
        CountedChunks source = new CountedChunks(new SystemChunks(Platform.current()));
        AtomicLong pressed = new AtomicLong();
        PoolAllocator parent =
                PackageAccess.build(
                        PoolAllocator.builder()
                                .hardened(hardened)
                                .limit(LIMIT)
                                .onPressure(_ -> pressed.incrementAndGet()),
                        source);
        PoolAllocator child = parent.child("child", CHILD_LIMIT);
        PoolAllocator grandchild = child.child("grandchild", Long.MAX_VALUE);
        List<PoolAllocator> family = List.of(parent, child, grandchild);
        List<List<Deque<MemorySegment>>> blocks = new ArrayList<>();
        for (int i = 0; i < Workers.COUNT; i++) {
            blocks.add(List.of(new ArrayDeque<>(), new ArrayDeque<>(), new ArrayDeque<>()));
        }
        if (nth > 0) {
            source.failOnNth(nth, failure);
        }
        for (List<Step> round : rounds) {
            List<List<Runnable>> work = Workers.nothing();
            for (Step step : round) {
                Deque<MemorySegment> own = blocks.get(step.worker).get(step.allocator);
                work.get(step.worker).add(() -> act(step, family.get(step.allocator), own));
            }
            WORKERS.runTogether(work);
            Await.until( // the trim thread may be giving something back
                    "charged as much as is taken",
                    () ->
                            parent.charged() == source.bytesOut()
                                    && child.charged() <= parent.charged()
                                    && grandchild.charged() <= child.charged());
        }
        for (int i = family.size() - 1; i >= 0; i--) {
            for (List<Deque<MemorySegment>> ofWorker : blocks) {
                ofWorker.get(i).forEach(family.get(i)::free);
            }
            family.get(i).close();
        }
        // What stands in the caches of threads that are alive goes with their next calls.
        for (int worker = 0; worker < Workers.COUNT; worker++) {
            WORKERS.run(worker, () -> family.forEach(LimitsLawsTest::isRefusedAsClosed));
        }
        Await.until("everything given back: " + source.bytesOut(), () -> source.bytesOut() == 0);
        Await.until("nothing charged: " + parent.charged(), () -> parent.charged() == 0);
        assertThat(family).allSatisfy(one -> assertThat(one.charged()).isZero());
        assertThat(source.mostOut()).isLessThanOrEqualTo(LIMIT);
        assertThat(parent.peakCharged()).isBetween(source.mostOut(), LIMIT);
        assertThat(child.peakCharged()).isLessThanOrEqualTo(CHILD_LIMIT);
    }

    private static void act(Step step, PoolAllocator allocator, Deque<MemorySegment> own) {
        try {
            switch (step.kind) {
                case ALLOCATE -> {
                    for (int i = 0; i < 40; i++) {
                        own.add(allocator.allocate(step.bytes, 8));
                    }
                }
                case ALLOCATE_LARGE -> own.add(allocator.allocate(step.bytes, 128 << 10));
                case REALLOCATE -> {
                    if (!own.isEmpty()) {
                        MemorySegment old = own.peek();
                        MemorySegment moved = allocator.reallocate(old, step.bytes, 8);
                        own.remove();
                        own.add(moved);
                    }
                }
                case FREE -> {
                    if (!own.isEmpty()) {
                        allocator.free(own.remove());
                    }
                }
                case FREE_ALL -> {
                    own.forEach(allocator::free);
                    own.clear();
                }
                case GROW -> {
                    try (NativeString.Builder text = NativeString.builder(allocator)) {
                        for (long bytes = 0; bytes < 2L << 20; bytes += 300_000) {
                            text.append("x".repeat(300_000));
                        }
                    }
                }
                case TRIM -> allocator.trim();
                case LOWER_LIMIT -> allocator.limit(step.bytes);
                case RAISE_LIMIT -> allocator.limit(step.allocator == 0 ? LIMIT : CHILD_LIMIT);
            }
        } catch (AllocationException e) {
            assertThat(e.reason())
                    .isIn(
                            AllocationException.Reason.LIMIT,
                            AllocationException.Reason.OUT_OF_MEMORY);
        } catch (IllegalStateException | StackOverflowError e) {
            assertThat(e).hasMessageEndingWith("by the test");
        }
    }

    private static void isRefusedAsClosed(PoolAllocator allocator) {
        try {
            allocator.allocate(8, 8);
            throw new AssertionError("allocated after close");
        } catch (IllegalStateException _) {
            // as it should be
        }
    }

    /** Every call of the system refused once, at every moment of every way to get pages. */
    @Property(tries = 8)
    void ofPhysicalMemoryAsMuchIsChargedAsIsMapped(
            @ForAll @IntRange(min = 1, max = 8) int nth,
            @ForAll @IntRange(max = 4) int limitShift) {
        for (Operation operation : Operation.refusable().toList()) {
            if (operation == Operation.UNPIN) {
                continue; // a pin that does not end stays
            }
            FakeOperatingSystem os = new FakeOperatingSystem();
            os.availableBytes(40 << 20);
            os.poolPages(4);
            os.refuse(operation).onNth(nth);
            usePhysical(os, LIMIT << limitShift);
        }
    }

    private static void usePhysical(FakeOperatingSystem os, long limit) {
        long page = os.pageBytes();
        AtomicLong mapped = new AtomicLong();
        PhysicalAllocator parent =
                PackageAccess.build(
                        PhysicalAllocator.builder()
                                .limit(limit)
                                .onSlabMapped(slab -> mapped.addAndGet(slab.memory().byteSize()))
                                .onSlabUnmapped(
                                        slab -> mapped.addAndGet(-slab.memory().byteSize())),
                        os);
        PhysicalAllocator child = parent.child("child", limit / 2);
        List<MemorySegment> ofChild = new ArrayList<>();
        List<MemorySegment> ofParent = new ArrayList<>();
        LongStream.of(1, 3 * page, 100_000, 3 << 20)
                .forEach(
                        bytes -> {
                            for (PhysicalRequest.Builder request :
                                    List.of(
                                            PhysicalRequest.ofBytes(bytes),
                                            PhysicalRequest.ofBytes(bytes).contiguous(),
                                            PhysicalRequest.ofBytes(bytes)
                                                    .pages(PagePolicy.HUGE_2M),
                                            PhysicalRequest.ofBytes(bytes).guarded(),
                                            PhysicalRequest.ofBytes(bytes)
                                                    .contiguous()
                                                    .pages(PagePolicy.BASE))) {
                                take(child, request.build(), ofChild);
                                take(parent, request.build(), ofParent);
                                Await.until( // the trim thread may be giving something back
                                        "charged as much as is mapped",
                                        () -> parent.charged() == mapped.get());
                                assertThat(child.charged()).isLessThanOrEqualTo(limit / 2);
                            }
                        });
        assertThat(parent.peakCharged()).isLessThanOrEqualTo(limit);
        ofChild.forEach(child::free);
        ofParent.forEach(parent::free);
        child.close();
        parent.close();
        assertThat(mapped.get()).isZero();
        assertThat(parent.charged()).isZero();
        assertThat(child.charged()).isZero();
    }

    private static void take(
            PhysicalAllocator allocator, PhysicalRequest request, List<MemorySegment> blocks) {
        try {
            blocks.add(allocator.allocate(request));
            blocks.add(allocator.allocate(request.size(), 8));
            MemorySegment moved = allocator.reallocate(blocks.getLast(), 2 * request.size(), 8);
            blocks.set(blocks.size() - 1, moved);
        } catch (AllocationException e) {
            assertThat(e).hasMessageContaining("could not provide");
        }
    }
}
