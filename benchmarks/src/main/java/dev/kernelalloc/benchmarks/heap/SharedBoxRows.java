package dev.kernelalloc.benchmarks.heap;

import dev.kernelalloc.benchmarks.Bar;
import dev.kernelalloc.benchmarks.Case;
import dev.kernelalloc.benchmarks.Figure;
import dev.kernelalloc.benchmarks.JmhCase;
import dev.kernelalloc.benchmarks.Reference;
import dev.kernelalloc.benchmarks.Row;

import java.util.List;
import java.util.Map;

/** The rows of boxes used by more than one thread. */
final class SharedBoxRows {

    private SharedBoxRows() {}

    static List<Row> all() {
        Case lease = of("lease");
        Case box = of("confinedBox");
        return List.of(
                time("lease with two accesses", lease, box, Bar.atMost(2)),
                Row.figure("lease: heap bytes", lease, Figure.HEAP_BYTES, Bar.atMost(0.5)),
                time("lease with two accesses", lease, of("jdkSharedArena"), Bar.atMost(0.001)),
                time("array lease with two accesses", of("arrayLease"), box, Bar.REPORTED),
                time("lease, one box, two threads", of("leaseContended"), lease, Bar.REPORTED),
                time("shared box with one lease", of("sharedBox"), box, Bar.REPORTED),
                time("box, detached and attached", of("handOff"), box, Bar.REPORTED));
    }

    private static Row time(String work, Case subject, Case reference, Bar bar) {
        return Row.time(work, subject, Reference.to(reference), bar);
    }

    private static Case of(String method) {
        return JmhCase.of(SharedBoxBenchmark.class, method, Map.of());
    }
}
