package dev.kernelalloc.benchmarks.heap;

import dev.kernelalloc.benchmarks.Bar;
import dev.kernelalloc.benchmarks.Case;
import dev.kernelalloc.benchmarks.Figure;
import dev.kernelalloc.benchmarks.JmhCase;
import dev.kernelalloc.benchmarks.Reference;
import dev.kernelalloc.benchmarks.Row;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The rows of limits and of children within them, compared with Arrow's allocators. */
final class LimitRows {

    /** The flags that Arrow needs to reach memory. */
    private static final List<String> OPENED =
            List.of("--add-opens=java.base/java.nio=ALL-UNNAMED");

    private LimitRows() {}

    static List<Row> all() {
        List<Row> rows = new ArrayList<>();
        for (long bytes : new long[] {8 << 20, 1_000}) {
            for (int busyThreads : new int[] {0, 8}) {
                rows.add(refusal(bytes, busyThreads));
            }
        }
        Case arrow = child("Arrow", "arrow");
        Case library = child("child", "library");
        Case unlimited = child("child without a limit", "libraryUnlimited");
        String work = "child, opened, 20 blocks, closed";
        for (Case one : List.of(library, unlimited)) {
            rows.add(Row.time(work, one, Reference.to(arrow), Bar.REPORTED));
            rows.add(Row.figure(work, one, Figure.NANOS, Bar.atMost(100_000)));
            rows.add(Row.figure(work + ", Java heap", one, Figure.HEAP_BYTES, Bar.atMost(16_384)));
        }
        return rows;
    }

    private static Row refusal(long bytes, int busyThreads) {
        boolean fits = bytes <= 1 << 20;
        String work =
                "refusal by a limit of 1 MiB that is %s%s"
                        .formatted(
                                fits ? "full" : "too small",
                                busyThreads == 0 ? "" : ", " + busyThreads + " busy threads");
        Map<String, String> parameters =
                Map.of("bytes", Long.toString(bytes), "busyThreads", "" + busyThreads);
        return Row.time(
                work,
                new JmhCase("pool", RefusalBenchmark.class, "library", parameters, List.of()),
                Reference.to(
                        new JmhCase("Arrow", RefusalBenchmark.class, "arrow", parameters, OPENED)),
                Bar.REPORTED);
    }

    private static Case child(String label, String method) {
        return new JmhCase(label, ChildBenchmark.class, method, Map.of(), OPENED);
    }
}
