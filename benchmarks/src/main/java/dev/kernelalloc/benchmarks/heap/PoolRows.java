package dev.kernelalloc.benchmarks.heap;

import dev.kernelalloc.benchmarks.Bar;
import dev.kernelalloc.benchmarks.Case;
import dev.kernelalloc.benchmarks.JmhCase;
import dev.kernelalloc.benchmarks.Reference;
import dev.kernelalloc.benchmarks.Row;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** The rows of what a pool can do beside allocating and freeing. */
final class PoolRows {

    private PoolRows() {}

    static List<Row> all() {
        List<Row> rows = new ArrayList<>();
        for (int blocks : new int[] {1000, 1_000_000}) {
            rows.addAll(storedAddress(blocks));
        }
        rows.add(
                time(
                        "auto arena of 64 B, until it is cleaned",
                        of(AutoArenaBenchmark.class, "autoArena"),
                        of(AutoArenaBenchmark.class, "jdkAuto"),
                        Bar.atMost(1.05)));
        rows.add(
                time(
                        "live groups of a million blocks",
                        of(LiveGroupsBenchmark.class, "liveGroups"),
                        of(LiveGroupsBenchmark.class, "stats"),
                        Bar.REPORTED));
        return rows;
    }

    private static List<Row> storedAddress(int blocks) {
        String work = String.format(Locale.ROOT, "block at a stored address, of %,d", blocks);
        Case blockAt = stored(blocks, "blockAt");
        return List.of(
                time(work, blockAt, stored(blocks, "mapOfSegments"), Bar.atMost(1.05)),
                time(work, blockAt, stored(blocks, "reinterpretUnchecked"), Bar.REPORTED));
    }

    private static Case stored(int blocks, String method) {
        return JmhCase.of(
                StoredAddressBenchmark.class, method, Map.of("blocks", Integer.toString(blocks)));
    }

    private static Row time(String work, Case subject, Case reference, Bar bar) {
        return Row.time(work, subject, Reference.to(reference), bar);
    }

    private static Case of(Class<?> type, String method) {
        return JmhCase.of(type, method, Map.of());
    }
}
