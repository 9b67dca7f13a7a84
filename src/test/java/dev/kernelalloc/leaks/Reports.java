package dev.kernelalloc.leaks;

import dev.kernelalloc.LeakReport;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.Tracking;
import dev.kernelalloc.struct.StructType;
import dev.kernelalloc.testing.Await;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;

/** What a listener was told. */
final class Reports implements Consumer<LeakReport> {

    private final List<LeakReport> all = new CopyOnWriteArrayList<>();

    @Override
    public void accept(LeakReport report) {
        all.add(report);
    }

    List<LeakReport> all() {
        return List.copyOf(all);
    }

    /**
     * All that the collector finds now: when it has found what was dropped after all else, and is
     * told of in that order or later by as much as one more collection, there is no more to come.
     */
    List<LeakReport> settled() {
        awaitMarker();
        awaitMarker();
        return all();
    }

    /** The only one. */
    LeakReport one() {
        Await.until("a report", () -> collected() && !all.isEmpty());
        List<LeakReport> settled = settled();
        if (settled.size() != 1) {
            throw new AssertionError("one was expected of " + settled);
        }
        return settled.getFirst();
    }

    private static void awaitMarker() {
        Reports marker = new Reports();
        dropMarker(marker);
        Await.until("the marker", () -> collected() && !marker.all.isEmpty());
    }

    private static void dropMarker(Reports reports) {
        PoolAllocator pool =
                PoolAllocator.builder()
                        .tag("marker")
                        .tracking(Tracking.ALL)
                        .onLeak(reports)
                        .build();
        StructType<MemorySegment> type = StructType.of(ValueLayout.JAVA_LONG);
        NativeBox.zeroed(pool, type);
    }

    private static boolean collected() {
        System.gc();
        return true;
    }
}
