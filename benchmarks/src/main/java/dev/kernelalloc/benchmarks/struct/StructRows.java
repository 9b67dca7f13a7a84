package dev.kernelalloc.benchmarks.struct;

import dev.kernelalloc.benchmarks.Bar;
import dev.kernelalloc.benchmarks.Case;
import dev.kernelalloc.benchmarks.JmhCase;
import dev.kernelalloc.benchmarks.Reference;
import dev.kernelalloc.benchmarks.Row;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The rows of structs. */
public final class StructRows {

    private static final Set<String> QUICK =
            Set.of("field of a box in a field", "sum over 10,000 views");

    private StructRows() {}

    public static List<Row> all() {
        List<Row> rows = new ArrayList<>();
        for (Profile profile : Profile.values()) {
            rows.addAll(of(profile));
            rows.addAll(mapped(profile));
        }
        rows.addAll(calls());
        Case budget = definition("fifteenMilliseconds");
        rows.add(
                row(
                        "define a type of 20 fields, after the first type",
                        definition("twentyFieldsAfterTheFirst"),
                        budget,
                        Bar.atMost(1.0)));
        rows.add(
                row(
                        "define the first type of a JVM",
                        definition("firstType"),
                        budget,
                        Bar.REPORTED));
        return rows;
    }

    /** A few of those that a user meets first. */
    public static List<Row> quick() {
        return of(Profile.CLEAN).stream().filter(row -> QUICK.contains(row.work())).toList();
    }

    private static List<Row> of(Profile profile) {
        String after = profile == Profile.POLLUTED ? ", after other types" : "";
        Case constant = field(profile, "constantVarHandle");
        Case raw = field(profile, "loopRaw");
        Case rawSum = sum(profile, "raw");
        return List.of(
                row(
                        "field of a box in a constant" + after,
                        field(profile, "constantBox"),
                        constant,
                        Bar.atMost(1.15)),
                row(
                        "field of a box in a field" + after,
                        field(profile, "fieldBox"),
                        field(profile, "fieldWrapper"),
                        Bar.atMost(1.05)),
                row(
                        "field of one box in a loop" + after,
                        field(profile, "loopView"),
                        raw,
                        Bar.atMost(1.05)),
                row(
                        "get and set of a record of four, box in a constant" + after,
                        field(profile, "fourRecordOfConstant"),
                        field(profile, "fourRawOfConstant"),
                        Bar.atMost(1.10)),
                row(
                        "get and set of a record of four, box in a field" + after,
                        field(profile, "fourRecord"),
                        field(profile, "fourRaw"),
                        Bar.atMost(1.10)),
                row(
                        "sum over 10,000 views" + after,
                        sum(profile, "views"),
                        rawSum,
                        Bar.atMost(1.10)),
                row(
                        "sum over 10,000 records" + after,
                        sum(profile, "records"),
                        rawSum,
                        Bar.atMost(1.10)),
                peer("field, jextract style" + after, field(profile, "jextractStyle"), raw),
                peer("field, LWJGL struct" + after, field(profile, "lwjglStruct"), raw),
                peer("field, Javolution struct" + after, field(profile, "javolutionStruct"), raw),
                peer("sum, jextract style" + after, sum(profile, "jextractStyle"), rawSum),
                peer("sum, LWJGL struct" + after, sum(profile, "lwjglStruct"), rawSum),
                peer("sum, Javolution struct" + after, sum(profile, "javolutionStruct"), rawSum));
    }

    private static List<Row> mapped(Profile profile) {
        String after = profile == Profile.POLLUTED ? ", after other types" : "";
        Case reading = mapped(profile, "rawReading");
        return List.of(
                row(
                        "views in a mapped file" + after,
                        mapped(profile, "views"),
                        reading,
                        Bar.atMost(1.05)),
                row(
                        "records in a mapped file" + after,
                        mapped(profile, "records"),
                        reading,
                        Bar.atMost(1.05)),
                row(
                        "views in a mapped file written" + after,
                        mapped(profile, "writingViews"),
                        mapped(profile, "rawWriting"),
                        Bar.atMost(1.05)));
    }

    private static List<Row> calls() {
        return List.of(
                row(
                        "C call, int by an out-parameter",
                        call("out"),
                        call("outOfSegment"),
                        Bar.atMost(1.05)),
                row(
                        "C call, struct by a pointer",
                        call("pointer"),
                        call("pointerOfSegment"),
                        Bar.atMost(1.05)),
                row(
                        "C call, text by a pointer in a struct",
                        call("text"),
                        call("textOfSegment"),
                        Bar.atMost(1.05)));
    }

    private static Row row(String name, Case subject, Case reference, Bar bar) {
        return Row.time(name, subject, Reference.to(reference), bar);
    }

    private static Row peer(String name, Case subject, Case reference) {
        return row(name, subject, reference, Bar.REPORTED);
    }

    private static Case field(Profile profile, String method) {
        return JmhCase.of(FieldBenchmark.class, method, Map.of("profile", profile.name()));
    }

    private static Case sum(Profile profile, String method) {
        return JmhCase.of(SumBenchmark.class, method, Map.of("profile", profile.name()));
    }

    private static Case mapped(Profile profile, String method) {
        return JmhCase.of(MappedBenchmark.class, method, Map.of("profile", profile.name()));
    }

    private static Case call(String method) {
        return JmhCase.of(CallBenchmark.class, method, Map.of());
    }

    private static Case definition(String method) {
        return JmhCase.of(DefinitionBenchmark.class, method, Map.of());
    }
}
