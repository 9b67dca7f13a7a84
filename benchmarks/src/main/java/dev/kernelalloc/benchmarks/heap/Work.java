package dev.kernelalloc.benchmarks.heap;

import dev.kernelalloc.benchmarks.Bar;
import dev.kernelalloc.benchmarks.CAllocator;
import dev.kernelalloc.benchmarks.CProgram;
import dev.kernelalloc.benchmarks.Case;
import dev.kernelalloc.benchmarks.Figure;
import dev.kernelalloc.benchmarks.JavaProgram;
import dev.kernelalloc.benchmarks.JmhCase;
import dev.kernelalloc.benchmarks.Reference;
import dev.kernelalloc.benchmarks.Row;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * A piece of work that is done by every allocator alike.
 *
 * @param name in the table
 * @param java how a peer does it
 * @param inC how a C allocator does it
 * @param allocators the C allocators of this machine
 */
record Work(
        String name,
        Function<Peer, Case> java,
        Function<CAllocator, Case> inC,
        List<CAllocator> allocators) {

    /**
     * The bars of the library: ratios to the C library's malloc, to the best C, to the best peer.
     */
    record Bars(Bar system, Bar bestC, Bar bestJava) {
        static final Bars NONE = new Bars(Bar.REPORTED, Bar.REPORTED, Bar.REPORTED);
    }

    static Case jmh(Peer peer, Class<?> type, String method, Map<String, ?> parameters) {
        Map<String, String> all = new HashMap<>();
        parameters.forEach((name, value) -> all.put(name, value.toString()));
        all.put("peer", peer.name());
        return new JmhCase(peer.title(), type, method, Map.copyOf(all), peer.jvmArguments());
    }

    static Case program(Peer peer, List<String> jvmArguments, String... arguments) {
        List<String> allOfJvm = new ArrayList<>(peer.jvmArguments());
        allOfJvm.addAll(jvmArguments);
        List<String> all = new ArrayList<>(List.of(arguments));
        all.add("peer=" + peer.name());
        return new JavaProgram(peer.title(), List.copyOf(allOfJvm), List.copyOf(all));
    }

    static Function<CAllocator, Case> inC(String... arguments) {
        return allocator -> new CProgram(allocator, List.of(arguments));
    }

    Reference system() {
        return new Reference.Best(
                "C " + CAllocator.SYSTEM,
                allocators.stream().filter(CAllocator::isSystem).map(inC).toList());
    }

    Reference bestC() {
        return Reference.best("C", allocators.stream().map(inC).toList());
    }

    Reference bestOf(String name, List<String> names) {
        return Reference.best(
                name,
                allocators.stream().filter(one -> names.contains(one.name())).map(inC).toList());
    }

    Row row(Peer subject, Reference reference, Bar bar) {
        return Row.time(name, java.apply(subject), reference, bar);
    }

    /** The library beside all others, and then each of the others beside the C library. */
    List<Row> contest(Peer subject, Bars bars, List<Peer> others) {
        List<Row> rows = new ArrayList<>();
        Reference bestJava = Reference.best("Java peer", others.stream().map(java).toList());
        rows.add(row(subject, system(), bars.system()));
        rows.add(row(subject, bestC(), bars.bestC()));
        rows.add(row(subject, bestJava, bars.bestJava()));
        for (Peer other : others) {
            rows.add(row(other, system(), Bar.REPORTED));
        }
        rows.addAll(cRows());
        return rows;
    }

    /** The C allocators beside that of the C library. */
    List<Row> cRows() {
        return allocators.stream()
                .filter(one -> !one.isSystem())
                .map(one -> Row.time(name, inC.apply(one), system(), Bar.REPORTED))
                .toList();
    }

    /** A figure that is no time, of everybody. */
    List<Row> figures(Figure figure, List<Peer> peers, List<CAllocator> some) {
        List<Row> rows = new ArrayList<>();
        for (Peer peer : peers) {
            rows.add(Row.figure(name, java.apply(peer), figure, Bar.REPORTED));
        }
        for (CAllocator allocator : some) {
            rows.add(Row.figure(name, inC.apply(allocator), figure, Bar.REPORTED));
        }
        return rows;
    }
}
