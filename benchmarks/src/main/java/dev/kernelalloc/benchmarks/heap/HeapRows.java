package dev.kernelalloc.benchmarks.heap;

import dev.kernelalloc.benchmarks.Bar;
import dev.kernelalloc.benchmarks.CAllocator;
import dev.kernelalloc.benchmarks.Row;

import java.util.ArrayList;
import java.util.List;

/** The rows of native memory. */
public final class HeapRows {

    private HeapRows() {}

    public static List<Row> all(List<CAllocator> allocators) {
        List<Row> rows = new ArrayList<>();
        rows.addAll(BoxRows.of(allocators, false));
        rows.addAll(SharedBoxRows.all());
        rows.addAll(BlockRows.all(allocators));
        rows.addAll(PoolRows.all());
        rows.addAll(ThreadRows.all(allocators));
        rows.addAll(RetainedRows.all(allocators));
        rows.addAll(LimitRows.all());
        return rows;
    }

    /** The headlines. */
    public static List<Row> quick(List<CAllocator> allocators) {
        List<Row> rows = new ArrayList<>();
        rows.addAll(BoxRows.of(allocators, true));
        rows.addAll(BlockRows.quick(allocators));
        rows.addAll(ThreadRows.quick(allocators));
        rows.addAll(RetainedRows.quick(allocators));
        return rows;
    }

    /** One of JMH and one of a program, each with its C. */
    public static List<Row> smoke(List<CAllocator> allocators) {
        Work block = BlockRows.oneBlock(64, 16, false, allocators);
        Work larson = ThreadRows.classic("larson", allocators);
        return List.of(
                block.row(Peer.RAW, block.system(), Bar.REPORTED),
                larson.row(Peer.RAW, larson.system(), Bar.REPORTED));
    }
}
