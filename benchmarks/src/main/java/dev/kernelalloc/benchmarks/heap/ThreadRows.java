package dev.kernelalloc.benchmarks.heap;

import dev.kernelalloc.benchmarks.Bar;
import dev.kernelalloc.benchmarks.CAllocator;
import dev.kernelalloc.benchmarks.Case;
import dev.kernelalloc.benchmarks.Figure;
import dev.kernelalloc.benchmarks.Reference;
import dev.kernelalloc.benchmarks.Row;
import dev.kernelalloc.benchmarks.heap.Work.Bars;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** The rows of several threads, platform and virtual ones. */
final class ThreadRows {

    private static final Map<String, Bars> CLASSICS =
            new TreeMap<>(
                    Map.of(
                            "larson", againstAll(1.3, 0.6),
                            "xmalloc", againstAll(1.0, 1.0),
                            "cache-scratch", againstAll(0.8, 0.9),
                            "mstress", againstAll(1.3, 1.0)));

    private static final int THREADS_THAT_LIVED = 4000;

    private static final Bar AS_PLATFORM = Bar.atMost(1.3);

    private static final Bar PINNED_AS_PLATFORM = Bar.atMost(1.2);

    /**
     * Otherwise HotSpot inlines the loop into the frames that start a virtual thread, in some runs,
     * and nothing further into the loop.
     */
    private static final List<String> LOOP_BY_ITSELF =
            List.of(
                    "-XX:CompileCommand=quiet",
                    "-XX:CompileCommand=dontinline,"
                            + "dev.kernelalloc.benchmarks.heap.work.EachThread::share");

    private ThreadRows() {}

    static List<Row> all(List<CAllocator> allocators) {
        List<Row> rows = new ArrayList<>();
        CLASSICS.forEach(
                (classic, bars) ->
                        rows.addAll(
                                classic(classic, allocators)
                                        .contest(
                                                Peer.RAW,
                                                bars,
                                                Peer.others(Peer::crossesThreads))));
        Work scaling = scaling(allocators);
        rows.addAll(scalingOfLibrary(scaling));
        List<Peer> some = List.of(Peer.MALLOC, Peer.NETTY_ADAPTIVE, Peer.MIMALLOC);
        rows.addAll(scaling.figures(Figure.SCALING, some, allocators));
        rows.addAll(scaling.figures(Figure.MANY_THREADS, some, allocators));
        rows.add(
                Row.time(
                        "a pair after 4,000 threads that lived",
                        afterThreads(THREADS_THAT_LIVED),
                        Reference.to(afterThreads(0)),
                        Bar.atMost(1.1)));
        rows.add(virtual("10,000 virtual threads", "PLAIN", Peer.RAW, AS_PLATFORM));
        rows.add(virtual("10,000 virtual threads, pinned", "UPCALL", Peer.RAW, PINNED_AS_PLATFORM));
        rows.add(virtual("10,000 virtual threads, yielding", "YIELDING", Peer.RAW, Bar.REPORTED));
        rows.add(
                virtual(
                        "10,000 virtual threads, pinned and yielding",
                        "MIXED",
                        Peer.RAW,
                        Bar.REPORTED));
        for (Peer peer : List.of(Peer.MALLOC, Peer.MIMALLOC)) {
            rows.add(virtual("10,000 virtual threads", "PLAIN", peer, Bar.REPORTED));
        }
        for (Peer peer : some) {
            rows.add(virtual("10,000 virtual threads, pinned", "UPCALL", peer, Bar.REPORTED));
        }
        return rows;
    }

    private static Bars againstAll(double bestC, double bestJava) {
        return new Bars(Bar.REPORTED, Bar.atMost(bestC), Bar.atMost(bestJava));
    }

    static List<Row> quick(List<CAllocator> allocators) {
        List<Row> rows = new ArrayList<>();
        rows.addAll(
                classic("xmalloc", allocators)
                        .contest(
                                Peer.RAW,
                                CLASSICS.get("xmalloc"),
                                List.of(Peer.MALLOC, Peer.MIMALLOC)));
        rows.addAll(scalingOfLibrary(scaling(allocators)));
        rows.add(virtual("10,000 virtual threads", "PLAIN", Peer.RAW, AS_PLATFORM));
        rows.add(virtual("10,000 virtual threads, pinned", "UPCALL", Peer.RAW, PINNED_AS_PLATFORM));
        return rows;
    }

    static Work classic(String name, List<CAllocator> allocators) {
        return new Work(
                name,
                peer -> Work.program(peer, List.of(), name, "threads=2"),
                Work.inC(name, "threads=2", SizeMix.argument()),
                allocators);
    }

    private static Work scaling(List<CAllocator> allocators) {
        return new Work(
                "64 B, 64 live a thread: two threads and 64",
                peer -> Work.program(peer, List.of(), "scaling"),
                Work.inC("scaling"),
                allocators);
    }

    private static List<Row> scalingOfLibrary(Work scaling) {
        Case raw = scaling.java().apply(Peer.RAW);
        return List.of(
                Row.figure(
                        "two threads over one, by arithmetic's",
                        raw,
                        Figure.SCALING,
                        Bar.atLeast(0.95)),
                Row.figure("64 threads over two", raw, Figure.MANY_THREADS, Bar.atLeast(0.9)));
    }

    private static Case afterThreads(int lived) {
        return Work.program(Peer.RAW, List.of(), "after-threads", "lived=" + lived);
    }

    private static Row virtual(String name, String way, Peer peer, Bar bar) {
        return Row.time(
                name,
                eachThread(peer, "VIRTUAL", way),
                new Reference.Best("platform threads", List.of(eachThread(peer, "PLATFORM", way))),
                bar);
    }

    private static Case eachThread(Peer peer, String kind, String way) {
        return Work.program(peer, LOOP_BY_ITSELF, "each-thread", "kind=" + kind, "way=" + way);
    }
}
