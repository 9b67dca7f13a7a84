package dev.kernelalloc.benchmarks.heap;

import dev.kernelalloc.benchmarks.Bar;
import dev.kernelalloc.benchmarks.CAllocator;
import dev.kernelalloc.benchmarks.Case;
import dev.kernelalloc.benchmarks.JmhCase;
import dev.kernelalloc.benchmarks.Reference;
import dev.kernelalloc.benchmarks.Row;
import dev.kernelalloc.benchmarks.heap.Work.Bars;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The rows of blocks on one thread: alone, 64 live, many live, and in arenas. */
final class BlockRows {

    private static final Bars AGAINST_ALL =
            new Bars(Bar.REPORTED, Bar.atMost(1.3), Bar.atMost(0.7));

    /** The C allocators that are good at blocks of some pages. */
    private static final List<String> GOOD_AT_PAGES = List.of("mimalloc", "tcmalloc");

    /** The best of each kind, if all would take too long. */
    private static final List<Peer> FAST =
            List.of(Peer.CONFINED, Peer.MALLOC, Peer.NETTY_ADAPTIVE, Peer.RPMALLOC, Peer.MIMALLOC);

    /** Netty's buffers cannot be asked for an alignment. */
    private static final List<Peer> ALIGNING =
            List.of(Peer.CONFINED, Peer.MALLOC, Peer.JEMALLOC, Peer.RPMALLOC, Peer.MIMALLOC);

    private static final List<Peer> ZEROING = List.of(Peer.CONFINED, Peer.MALLOC, Peer.MIMALLOC);

    private static final List<Peer> POOLS =
            List.of(Peer.MALLOC, Peer.NETTY_ADAPTIVE, Peer.MIMALLOC);

    private BlockRows() {}

    static Work oneBlock(long size, long alignment, boolean zeroed, List<CAllocator> allocators) {
        return new Work(
                "one block of " + bytes(size) + at(alignment) + (zeroed ? ", zeroed" : ""),
                peer ->
                        Work.jmh(
                                peer,
                                OneBlockBenchmark.class,
                                zeroed ? "allocateZeroed" : "allocate",
                                Map.of("size", size, "alignment", alignment)),
                Work.inC(
                        "one",
                        "size=" + size,
                        "alignment=" + alignment,
                        "zeroed=" + (zeroed ? 1 : 0)),
                allocators);
    }

    static Work ring(long size, List<CAllocator> allocators) {
        return new Work(
                bytes(size) + ", 64 live",
                peer ->
                        Work.jmh(
                                peer,
                                RingBenchmark.class,
                                "replaceOldest",
                                Map.of("size", size, "alignment", 16)),
                Work.inC("ring", "size=" + size, "alignment=16"),
                allocators);
    }

    static Work burst(long size, List<CAllocator> allocators) {
        return new Work(
                bytes(size) + ", 64 allocated, then freed",
                peer ->
                        Work.jmh(
                                peer,
                                BurstBenchmark.class,
                                "allocateAllFreeAll",
                                Map.of("size", size, "alignment", 16)),
                Work.inC("burst", "size=" + size, "alignment=16"),
                allocators);
    }

    static Work replace(int count, List<CAllocator> allocators) {
        return new Work(
                "%,d live of mixed sizes, one replaced".formatted(count),
                peer ->
                        Work.jmh(
                                peer, ReplaceBenchmark.class, "replaceAny", Map.of("count", count)),
                Work.inC("replace", "count=" + count, SizeMix.argument()),
                allocators);
    }

    static List<Row> all(List<CAllocator> allocators) {
        List<Row> rows = new ArrayList<>();
        List<Peer> everybody = Peer.others(_ -> true);
        for (long size : new long[] {16, 64, 256, 1 << 10, 4 << 10, 64 << 10, 1 << 20}) {
            Work work = oneBlock(size, 16, false, allocators);
            boolean isSize64 = size == 64;
            rows.addAll(
                    work.contest(
                            Peer.RAW,
                            isSize64
                                    ? new Bars(Bar.atMost(0.8), Bar.REPORTED, Bar.atMost(0.4))
                                    : Bars.NONE,
                            isSize64 ? everybody : FAST));
            if (isSize64) {
                for (Peer library : List.of(Peer.RAW_OWN, Peer.BOX, Peer.ARENA)) {
                    rows.add(work.row(library, work.system(), Bar.REPORTED));
                }
                rows.add(
                        work.row(
                                Peer.RAW_SOURCE,
                                Reference.to(work.java().apply(Peer.RAW_OWN)),
                                Bar.atMost(1.05)));
                for (Peer hardened : Peer.HARDENED) {
                    rows.add(work.row(hardened, work.system(), Bar.REPORTED));
                }
            }
        }
        for (long size : new long[] {64, 4096}) {
            Work work = oneBlock(size, 16, true, allocators);
            rows.addAll(work.contest(Peer.RAW, Bars.NONE, ZEROING));
            rows.add(work.row(Peer.ARENA, work.system(), Bar.REPORTED));
        }
        for (long size : new long[] {64, 4096}) {
            rows.addAll(
                    oneBlock(size, size, false, allocators)
                            .contest(
                                    Peer.RAW,
                                    new Bars(Bar.atMost(0.25), Bar.atMost(1.5), Bar.atMost(0.4)),
                                    ALIGNING));
        }
        for (Work work : List.of(ring(64, allocators), burst(64, allocators))) {
            Bars bars = new Bars(Bar.REPORTED, Bar.atMost(2), Bar.REPORTED);
            rows.addAll(work.contest(Peer.RAW, bars, FAST));
        }
        for (long size : new long[] {4 << 10, 16 << 10, 64 << 10}) {
            rows.addAll(pages(ring(size, allocators), FAST));
            rows.addAll(pages(burst(size, allocators), POOLS));
        }
        for (int count : new int[] {1000, 100_000}) {
            Work work = replace(count, allocators);
            rows.addAll(work.contest(Peer.RAW, AGAINST_ALL, everybody));
            rows.add(work.row(Peer.BOX, work.system(), Bar.REPORTED));
        }
        for (int count : new int[] {1, 10, 100}) {
            rows.addAll(arenas(count, allocators));
        }
        return rows;
    }

    static List<Row> quick(List<CAllocator> allocators) {
        List<Row> rows = new ArrayList<>();
        Work block = oneBlock(64, 16, false, allocators);
        List<Peer> some = List.of(Peer.CONFINED, Peer.MALLOC, Peer.RPMALLOC);
        rows.addAll(
                block.contest(
                        Peer.RAW, new Bars(Bar.atMost(0.8), Bar.REPORTED, Bar.REPORTED), some));
        for (long size : new long[] {64, 4096}) {
            Work aligned = oneBlock(size, size, false, allocators);
            rows.add(aligned.row(Peer.RAW, aligned.system(), Bar.atMost(0.25)));
            rows.add(aligned.row(Peer.RAW, aligned.bestC(), Bar.atMost(1.5)));
        }
        Work ring = ring(16 << 10, allocators);
        rows.add(ring.row(Peer.RAW, ring.bestOf("C at this", GOOD_AT_PAGES), Bar.atMost(1.5)));
        Work replace = replace(1000, allocators);
        rows.add(replace.row(Peer.RAW, replace.bestC(), Bar.atMost(1.3)));
        rows.add(arena(10, Bar.atMost(0.3)));
        return rows;
    }

    private static List<Row> pages(Work work, List<Peer> others) {
        List<Row> rows = new ArrayList<>();
        rows.add(work.row(Peer.RAW, work.bestOf("C at this", GOOD_AT_PAGES), Bar.atMost(1.5)));
        rows.addAll(work.contest(Peer.RAW, Bars.NONE, others));
        return rows;
    }

    private static List<Row> arenas(int count, List<CAllocator> allocators) {
        Reference system =
                new Work(
                                arenaName(count),
                                _ -> arenaCase("arena", count),
                                Work.inC("batch", "count=" + count, "size=100"),
                                allocators)
                        .system();
        List<Row> rows = new ArrayList<>();
        rows.add(arena(count, count == 10 ? Bar.atMost(0.3) : Bar.REPORTED));
        for (String method : List.of("arena", "jdkConfined")) {
            rows.add(Row.time(arenaName(count), arenaCase(method, count), system, Bar.REPORTED));
        }
        if (count == 10) {
            for (String method : List.of("jdkAuto", "jdkShared")) {
                rows.add(
                        Row.time(arenaName(count), arenaCase(method, count), system, Bar.REPORTED));
            }
            rows.add(
                    Row.time(
                            arenaName(count),
                            arenaCase("sharedArena", count),
                            Reference.to(arenaCase("jdkShared", count)),
                            Bar.REPORTED));
        }
        return rows;
    }

    private static Row arena(int count, Bar bar) {
        return Row.time(
                arenaName(count),
                arenaCase("arena", count),
                Reference.to(arenaCase("jdkConfined", count)),
                bar);
    }

    private static String arenaName(int count) {
        return "arena with %d of 100 B".formatted(count);
    }

    private static Case arenaCase(String method, int count) {
        return JmhCase.of(ArenaBenchmark.class, method, Map.of("count", Integer.toString(count)));
    }

    private static String bytes(long size) {
        return size >= 1 << 20
                ? (size >> 20) + " MiB"
                : size >= 1 << 10 ? (size >> 10) + " KiB" : size + " B";
    }

    private static String at(long alignment) {
        return alignment <= CFunctions.NATURAL_ALIGNMENT ? "" : " @ " + alignment;
    }
}
