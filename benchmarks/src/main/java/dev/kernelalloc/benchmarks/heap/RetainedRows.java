package dev.kernelalloc.benchmarks.heap;

import dev.kernelalloc.benchmarks.Bar;
import dev.kernelalloc.benchmarks.CAllocator;
import dev.kernelalloc.benchmarks.Case;
import dev.kernelalloc.benchmarks.Figure;
import dev.kernelalloc.benchmarks.Row;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** The rows of resident memory and waste. */
final class RetainedRows {

    /**
     * A heap of fixed size whose pages are all there before, under the collector that needs least
     * beside.
     */
    private static final List<String> FIXED_HEAP =
            List.of("-Xms1536m", "-Xmx1536m", "-XX:+AlwaysPreTouch", "-XX:+UseSerialGC");

    private static final Bar WITHOUT_TRIM = Bar.atMost(64);
    private static final Bar WITH_TRIM = Bar.atMost(8);

    /** One page that each of the later threads left behind would be ten times this. */
    private static final Bar NO_GROWTH = Bar.atMost(4);

    private static final String IDLE = "each of 200 idle threads";

    private static final List<Peer> POOLS =
            List.of(Peer.NETTY_POOLED, Peer.NETTY_ADAPTIVE, Peer.MIMALLOC);

    private RetainedRows() {}

    static List<Row> all(List<CAllocator> allocators) {
        List<CAllocator> system = allocators.stream().filter(CAllocator::isSystem).toList();
        List<Row> rows = new ArrayList<>();
        for (String freeing : List.of("BUSY", "IDLE", "DEAD")) {
            boolean withOthers = freeing.equals("DEAD");
            rows.addAll(
                    retained(
                            freeing,
                            withOthers ? POOLS : List.of(),
                            withOthers ? allocators : List.of()));
        }
        for (String kind : List.of("PLATFORM", "VIRTUAL")) {
            rows.add(growth(kind, Peer.RAW, NO_GROWTH));
        }
        for (CAllocator allocator : system) {
            rows.add(
                    Row.figure(
                            growthName("PLATFORM"),
                            Work.inC("churn", SizeMix.argument()).apply(allocator),
                            Figure.GROWN,
                            Bar.REPORTED));
        }
        Case idle = Work.program(Peer.RAW, FIXED_HEAP, "idle");
        rows.add(Row.figure(IDLE, idle, Figure.OF_A_THREAD, Bar.atMost(64)));
        rows.add(Row.figure(IDLE + ", Java heap", idle, Figure.HEAP_OF_A_THREAD, Bar.atMost(16)));
        rows.addAll(mixes(allocators));
        rows.addAll(waste(allocators));
        return rows;
    }

    private static List<Row> mixes(List<CAllocator> allocators) {
        Work work =
                new Work(
                        "changing mixes, resident over live",
                        peer -> Work.program(peer, FIXED_HEAP, "mixes"),
                        Work.inC("mixes"),
                        List.of());
        List<Row> rows = new ArrayList<>();
        rows.add(
                Row.figure(work.name(), work.java().apply(Peer.RAW), Figure.SPREAD, Bar.atMost(3)));
        rows.addAll(work.figures(Figure.SPREAD, POOLS, allocators));
        Work after =
                new Work("changing mixes, freed and trimmed", work.java(), work.inC(), List.of());
        rows.add(
                Row.figure(
                        after.name(), after.java().apply(Peer.RAW), Figure.TRIMMED, Bar.REPORTED));
        rows.addAll(after.figures(Figure.TRIMMED, POOLS, allocators));
        return rows;
    }

    static List<Row> quick(List<CAllocator> allocators) {
        List<Row> rows = new ArrayList<>(retained("DEAD", List.of(), List.of()));
        rows.addAll(waste(List.of()));
        return rows;
    }

    private static List<Row> retained(
            String freeing, List<Peer> others, List<CAllocator> allocators) {
        String name = "1 GiB freed, threads " + freeing.toLowerCase(Locale.ROOT);
        Work before = work(name, freeing);
        Work after = work(name + ", trimmed", freeing);
        List<Row> rows = new ArrayList<>();
        rows.add(
                Row.figure(
                        before.name(),
                        before.java().apply(Peer.RAW),
                        Figure.RETAINED,
                        WITHOUT_TRIM));
        rows.add(Row.figure(after.name(), after.java().apply(Peer.RAW), Figure.TRIMMED, WITH_TRIM));
        rows.addAll(before.figures(Figure.RETAINED, others, allocators));
        rows.addAll(after.figures(Figure.TRIMMED, others, allocators));
        return rows;
    }

    private static Work work(String name, String freeing) {
        return new Work(
                name,
                peer -> Work.program(peer, FIXED_HEAP, "retained", "freeing=" + freeing),
                Work.inC("retained", "freeing=" + freeing, SizeMix.argument()),
                List.of());
    }

    private static Row growth(String kind, Peer peer, Bar bar) {
        return Row.figure(
                growthName(kind),
                Work.program(peer, FIXED_HEAP, "churn", "kind=" + kind),
                Figure.GROWN,
                bar);
    }

    private static String growthName(String kind) {
        return kind.equals("PLATFORM")
                ? "from 1,000 threads that lived to 11,000"
                : "from 10,000 virtual threads that lived to 110,000";
    }

    private static List<Row> waste(List<CAllocator> allocators) {
        List<Row> rows = new ArrayList<>();
        Case raw = Work.program(Peer.RAW, List.of(), "waste");
        rows.add(Row.figure("waste, worst size", raw, Figure.WASTE, Bar.atMost(25)));
        rows.add(
                Row.figure(
                        "waste, worst size above 1 KiB",
                        raw,
                        Figure.WASTE_ABOVE_1K,
                        Bar.atMost(12.5)));
        for (CAllocator allocator : allocators) {
            Case inC = Work.inC("waste").apply(allocator);
            rows.add(Row.figure("waste, worst size", inC, Figure.WASTE, Bar.REPORTED));
            rows.add(
                    Row.figure(
                            "waste, worst size above 1 KiB",
                            inC,
                            Figure.WASTE_ABOVE_1K,
                            Bar.REPORTED));
        }
        return rows;
    }
}
