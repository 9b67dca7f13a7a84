package dev.kernelalloc.benchmarks.start;

import dev.kernelalloc.benchmarks.Bar;
import dev.kernelalloc.benchmarks.Case;
import dev.kernelalloc.benchmarks.Figure;
import dev.kernelalloc.benchmarks.JavaProgram;
import dev.kernelalloc.benchmarks.Reference;
import dev.kernelalloc.benchmarks.Row;

import java.util.ArrayList;
import java.util.List;

/** The rows of processes that have just begun: each is measured whole, the JVM included. */
public final class StartRows {

    private StartRows() {}

    public static List<Row> all() {
        List<Row> rows = new ArrayList<>();
        for (Start.Archive archive : Start.Archive.values()) {
            rows.addAll(of(archive));
        }
        return rows;
    }

    /** The headlines. */
    public static List<Row> quick() {
        return of(Start.Archive.NONE);
    }

    private static List<Row> of(Start.Archive archive) {
        Case nothing = program("no memory", "nothing", archive);
        Case pair = program("FFM malloc and free", "ffm-pair", archive);
        Case struct = program("FFM struct in an arena", "ffm-struct", archive);
        Case block = program("raw", "first-block", archive);
        Case box = program("box", "first-box", archive);
        Case netty = program("Netty pooled", "netty-buffer", archive);
        String name =
                switch (archive) {
                    case NONE -> "start";
                    case CDS -> "start, CDS archive";
                    case AOT -> "start, AOT cache";
                };
        return List.of(
                row(name + ", first block", block, pair, Bar.atMost(1.5)),
                row(name + ", first block", netty, pair, Bar.REPORTED),
                row(name + ", first box", box, struct, Bar.atMost(1.3)),
                row(name + ", first box", box, pair, Bar.REPORTED),
                Row.figure(name + ", the JVM alone", nothing, Figure.START, Bar.REPORTED));
    }

    private static Row row(String work, Case subject, Case reference, Bar bar) {
        return new Row(work, subject, Figure.START, Reference.to(reference), bar);
    }

    private static Case program(String label, String program, Start.Archive archive) {
        return new JavaProgram(
                label, List.of(), List.of("start", "program=" + program, "archive=" + archive));
    }
}
