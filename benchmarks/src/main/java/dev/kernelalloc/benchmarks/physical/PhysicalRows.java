package dev.kernelalloc.benchmarks.physical;

import dev.kernelalloc.benchmarks.Bar;
import dev.kernelalloc.benchmarks.Case;
import dev.kernelalloc.benchmarks.Figure;
import dev.kernelalloc.benchmarks.JmhCase;
import dev.kernelalloc.benchmarks.Reference;
import dev.kernelalloc.benchmarks.Row;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * What is asked of physical memory. They need Linux, a lock limit, and for addresses the right to
 * see frames.
 */
public final class PhysicalRows {

    private static final double TWO_MICROSECONDS = 2000;

    private PhysicalRows() {}

    public static List<Row> all() {
        List<Row> rows = new ArrayList<>();
        for (int size : new int[] {64, 4096}) {
            Case physical = block("physical", size);
            rows.add(
                    Row.time(
                            "one locked block of " + size + " B, beside the heap's",
                            physical,
                            Reference.to(block("pool", size)),
                            Bar.atMost(1.2)));
            rows.add(
                    Row.time(
                            "one locked block of " + size + " B, beside mmap, mlock, pread, munmap",
                            physical,
                            Reference.to(block("systemCalls", size)),
                            Bar.atMost(0.01)));
        }
        rows.add(
                Row.time(
                        "physical address of a byte, beside a table of two loads",
                        address("addressOf"),
                        Reference.to(address("plainTable")),
                        Bar.atMost(3.0)));
        rows.add(
                Row.figure(
                        "Java heap for a physical address",
                        address("addressOf"),
                        Figure.HEAP_BYTES,
                        Bar.atMost(0.01)));
        rows.add(
                Row.figure(
                        "extents of 64 MiB of huge pages",
                        address("extents"),
                        Figure.NANOS,
                        Bar.atMost(TWO_MICROSECONDS)));
        rows.add(
                Row.figure(
                        "verify 64 MiB of huge pages",
                        address("verify"),
                        Figure.NANOS,
                        Bar.REPORTED));
        return rows;
    }

    private static Case block(String method, int size) {
        return JmhCase.of(LockedBlockBenchmark.class, method, Map.of("size", String.valueOf(size)));
    }

    private static Case address(String method) {
        return JmhCase.of(AddressBenchmark.class, method, Map.of());
    }
}
