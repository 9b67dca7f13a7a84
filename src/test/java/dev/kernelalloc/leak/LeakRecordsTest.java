package dev.kernelalloc.leak;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.Handoff;
import dev.kernelalloc.LeakReport;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.Tracking;
import dev.kernelalloc.struct.StructType;

import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;

import org.junit.jupiter.api.Test;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;

/** Records are there as long as what they tell of, and not much longer. */
class LeakRecordsTest {

    private static final StructType<MemorySegment> LONG = StructType.of(ValueLayout.JAVA_LONG);

    /** Of each stripe, and there are two at most for each processor. */
    private static final int MOST_LEFT = 40 * 2 * Runtime.getRuntime().availableProcessors();

    private final Tracker tracker = new Tracker("test", Tracking.ALL, List.of());

    @Test
    void aMillionBoxesThatWereClosedLeaveNothing() {
        int before = LeakRecords.ALL.size();
        try (PoolAllocator pool = PoolAllocator.builder().tracking(Tracking.ALL).build()) {
            for (int i = 0; i < 1_000_000; i++) {
                NativeBox.zeroed(pool, LONG).close();
            }
        }
        assertThat(LeakRecords.ALL.size()).isLessThan(before + MOST_LEFT);
    }

    @Test
    void nothingIsLeftBehindByThreadsThatEndWhatOthersHaveBegun() throws Exception {
        int before = LeakRecords.ALL.size();
        List<Thread> threads = new ArrayList<>();
        try (PoolAllocator pool = PoolAllocator.builder().tracking(Tracking.ALL).build()) {
            for (int i = 0; i < 4; i++) {
                threads.add(Thread.ofPlatform().start(() -> handOn(pool)));
            }
            for (Thread thread : threads) {
                thread.join();
            }
        }
        assertThat(LeakRecords.ALL.size()).isLessThan(before + MOST_LEFT);
    }

    private static void handOn(PoolAllocator pool) {
        List<Handoff<MemorySegment>> kept = new ArrayList<>();
        List<Thread> others = new ArrayList<>();
        for (int i = 0; i < 5_000; i++) {
            kept.add(NativeBox.zeroed(pool, LONG).detach());
            if (kept.size() == 100) {
                List<Handoff<MemorySegment>> all = List.copyOf(kept);
                kept.clear();
                others.add(Thread.startVirtualThread(() -> all.forEach(Handoff::discard)));
            }
        }
        try {
            for (Thread other : others) {
                other.join();
            }
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
        kept.forEach(Handoff::discard);
    }

    /** Whatever ends in whatever order: who walks sees those that are alive, and no others. */
    @Property
    void aWalkSeesWhatIsAlive(
            @ForAll @Size(max = 20) List<@IntRange(min = -300, max = 300) Integer> steps) {
        List<Sentinel> alive = new ArrayList<>();
        try {
            for (int step : steps) {
                for (int i = 0; i < step; i++) {
                    alive.add(tracker.sentinelOfOne(LeakReport.Kind.BOX, 8, 8));
                }
                for (int i = step; i < 0 && !alive.isEmpty(); i++) {
                    alive.remove(Math.floorMod(31 * i, alive.size())).end();
                }
            }
            assertWalkSees(alive);
        } finally {
            alive.forEach(Sentinel::end);
        }
    }

    @Test
    void noneIsUnlinkedThatOthersBeginMeanwhile() throws Exception {
        Queue<Sentinel> alive = new ConcurrentLinkedQueue<>();
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 8; i++) { // several in each stripe
            threads.add(Thread.ofPlatform().start(() -> beginAndEnd(alive)));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertWalkSees(alive);
        assertThat(alive).hasSize(8 * 10);
        alive.forEach(Sentinel::end);
    }

    /** Ends what others have begun as often as not. */
    private void beginAndEnd(Queue<Sentinel> alive) {
        for (int i = 0; i < 10_000; i++) {
            alive.add(tracker.sentinelOfOne(LeakReport.Kind.BOX, 8, 8));
            if (i >= 10) {
                alive.remove().end();
            }
        }
    }

    private void assertWalkSees(Collection<Sentinel> alive) {
        Set<LeakRecord> expected = new HashSet<>();
        alive.forEach(sentinel -> expected.add(sentinel.record()));
        Set<LeakRecord> seen = new HashSet<>();
        LeakRecords.ALL.forEach(
                record -> {
                    if (record.tracker() == tracker) {
                        assertThat(seen.add(record)).isTrue();
                    }
                });
        assertThat(seen).isEqualTo(expected);
    }

    @Test
    void endingTwiceIsOnce() {
        Sentinel sentinel = tracker.sentinelOfOne(LeakReport.Kind.BOX, 8, 8);
        sentinel.end();
        sentinel.end();
        assertThat(sentinel.record().isClosed()).isTrue();
        assertThat(sentinel.record().lose()).isNull();
    }
}
