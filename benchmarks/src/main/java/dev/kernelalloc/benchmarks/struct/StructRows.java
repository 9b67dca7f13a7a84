package dev.kernelalloc.benchmarks.struct;

import dev.kernelalloc.benchmarks.Case;
import dev.kernelalloc.benchmarks.Row;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** What is asked of structs. */
public final class StructRows {

    private StructRows() {}

    public static List<Row> all() {
        List<Row> rows = new ArrayList<>();
        for (Profile profile : Profile.values()) {
            rows.addAll(of(profile));
        }
        Case budget = definition("fifteenMilliseconds");
        rows.add(
                new Row(
                        "define a type of 20 fields, after the first type",
                        definition("twentyFieldsAfterTheFirst"),
                        budget,
                        1.0));
        rows.add(
                new Row(
                        "define the first type of a JVM",
                        definition("firstType"),
                        budget,
                        Row.REPORTED));
        return rows;
    }

    private static List<Row> of(Profile profile) {
        String after = profile == Profile.POLLUTED ? ", after other types" : "";
        Case constant = field(profile, "constantVarHandle");
        Case raw = field(profile, "loopRaw");
        Case rawSum = sum(profile, "raw");
        return List.of(
                new Row(
                        "field of a box in a constant" + after,
                        field(profile, "constantBox"),
                        constant,
                        1.15),
                new Row(
                        "field of a box in a field" + after,
                        field(profile, "fieldBox"),
                        field(profile, "fieldWrapper"),
                        1.05),
                new Row(
                        "field of one box in a loop" + after,
                        field(profile, "loopView"),
                        raw,
                        1.05),
                new Row(
                        "get and set of a record of four, box in a constant" + after,
                        field(profile, "fourRecordOfConstant"),
                        field(profile, "fourRawOfConstant"),
                        1.10),
                new Row(
                        "get and set of a record of four, box in a field" + after,
                        field(profile, "fourRecord"),
                        field(profile, "fourRaw"),
                        1.10),
                new Row(
                        "sum over 10,000 views" + after,
                        sum(profile, "views"),
                        rawSum,
                        1.10),
                new Row(
                        "sum over 10,000 records" + after,
                        sum(profile, "records"),
                        rawSum,
                        1.10),
                peer("field, jextract style" + after, field(profile, "jextractStyle"), raw),
                peer("field, LWJGL struct" + after, field(profile, "lwjglStruct"), raw),
                peer("field, Javolution struct" + after, field(profile, "javolutionStruct"), raw),
                peer("sum, jextract style" + after, sum(profile, "jextractStyle"), rawSum),
                peer("sum, LWJGL struct" + after, sum(profile, "lwjglStruct"), rawSum),
                peer("sum, Javolution struct" + after, sum(profile, "javolutionStruct"), rawSum));
    }

    private static Row peer(String name, Case subject, Case reference) {
        return new Row(name, subject, reference, Row.REPORTED);
    }

    private static Case field(Profile profile, String method) {
        return new Case(FieldBenchmark.class, method, Map.of("profile", profile.name()));
    }

    private static Case sum(Profile profile, String method) {
        return new Case(SumBenchmark.class, method, Map.of("profile", profile.name()));
    }

    private static Case definition(String method) {
        return new Case(DefinitionBenchmark.class, method, Map.of());
    }
}
