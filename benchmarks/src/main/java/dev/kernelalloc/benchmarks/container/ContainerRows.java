package dev.kernelalloc.benchmarks.container;

import dev.kernelalloc.benchmarks.Bar;
import dev.kernelalloc.benchmarks.CAllocator;
import dev.kernelalloc.benchmarks.CProgram;
import dev.kernelalloc.benchmarks.Case;
import dev.kernelalloc.benchmarks.Figure;
import dev.kernelalloc.benchmarks.JavaProgram;
import dev.kernelalloc.benchmarks.JmhCase;
import dev.kernelalloc.benchmarks.Reference;
import dev.kernelalloc.benchmarks.Row;
import dev.kernelalloc.benchmarks.struct.Profile;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** The rows of arrays, vecs and maps. */
public final class ContainerRows {

    /** A list needs more memory than the other programs; it has the JVM's default heap. */
    private static final List<String> HEAP = List.of("-Xms16m", "-Xmx2g");

    private ContainerRows() {}

    public static List<Row> all(List<CAllocator> allocators) {
        List<Row> rows = new ArrayList<>();
        for (Profile profile : Profile.values()) {
            rows.addAll(access(profile));
            rows.addAll(numbers(profile));
        }
        for (int entries : new int[] {1000, 1_000_000}) {
            rows.addAll(maps(entries));
        }
        rows.addAll(growing(allocators));
        rows.addAll(safepoint("COPY", "copy of 512 MiB", Bar.atMost(1.1)));
        rows.addAll(safepoint("FILL", "fill of 512 MiB", Bar.REPORTED));
        return rows;
    }

    private static List<Row> access(Profile profile) {
        String after = profile == Profile.POLLUTED ? ", after other types" : "";
        Case reading = of(profile, "rawReading");
        Case records = of(profile, "arrayOfRecords");
        return List.of(
                time("elements by index" + after, records, reading, Bar.atMost(1.10)),
                Row.figure(
                        "elements by index, heap bytes" + after,
                        records,
                        Figure.HEAP_BYTES,
                        Bar.atMost(0.5)),
                time(
                        "elements by index" + after,
                        of(profile, "arrayOfViews"),
                        reading,
                        Bar.atMost(1.10)),
                time(
                        "elements by index" + after,
                        of(profile, "vecOfRecords"),
                        reading,
                        Bar.REPORTED),
                time(
                        "elements by index, with a lease" + after,
                        of(profile, "leaseOfRecords"),
                        reading,
                        Bar.atMost(1.10)),
                time("elements of a stream" + after, of(profile, "stream"), reading, Bar.REPORTED),
                time(
                        "elements of a parallel stream" + after,
                        of(profile, "parallelStream"),
                        of(profile, "stream"),
                        Bar.REPORTED),
                time("elements in turn" + after, of(profile, "enhancedFor"), reading, Bar.REPORTED),
                time(
                        "elements written" + after,
                        of(profile, "writingRecords"),
                        of(profile, "rawWriting"),
                        Bar.atMost(1.10)));
    }

    private static List<Row> numbers(Profile profile) {
        String after = profile == Profile.POLLUTED ? ", after other types" : "";
        Case summing = numbers(profile, "rawSum");
        Case sum = numbers(profile, "sum");
        return List.of(
                time("numbers summed by index" + after, sum, summing, Bar.atMost(1.05)),
                Row.figure(
                        "numbers summed by index, heap bytes" + after,
                        sum,
                        Figure.HEAP_BYTES,
                        Bar.atMost(0.5)),
                time(
                        "numbers summed by index, with a lease" + after,
                        numbers(profile, "sumOfALease"),
                        summing,
                        Bar.atMost(1.10)),
                time(
                        "numbers summed by a stream" + after,
                        numbers(profile, "sumOfAStream"),
                        summing,
                        Bar.REPORTED),
                time(
                        "numbers added to others" + after,
                        numbers(profile, "adding"),
                        numbers(profile, "rawAdding"),
                        Bar.atMost(1.05)),
                time(
                        "numbers sorted" + after,
                        numbers(profile, "sort"),
                        numbers(profile, "sortInJava"),
                        Bar.REPORTED));
    }

    private static Case numbers(Profile profile, String method) {
        return JmhCase.of(NumberBenchmark.class, method, Map.of("profile", profile.name()));
    }

    private static List<Row> maps(int entries) {
        String work = String.format(Locale.ROOT, "map of %,d, ", entries);
        Case hit = map(entries, "hashMapHit");
        return List.of(
                time(work + "hit", map(entries, "recordHit"), hit, Bar.atMost(1.5)),
                time(work + "hit", map(entries, "viewHit"), hit, Bar.atMost(1.5)),
                time(
                        work + "miss",
                        map(entries, "miss"),
                        map(entries, "hashMapMiss"),
                        Bar.atMost(1.5)),
                time(
                        work + "a key removed, another added",
                        map(entries, "exchange"),
                        map(entries, "hashMapExchange"),
                        Bar.REPORTED),
                Row.figure(
                        work + "hit, heap bytes",
                        map(entries, "recordHit"),
                        Figure.HEAP_BYTES,
                        Bar.atMost(0.5)));
    }

    private static Case map(int entries, String method) {
        return JmhCase.of(MapBenchmark.class, method, Map.of("entries", Integer.toString(entries)));
    }

    private static List<Row> growing(List<CAllocator> allocators) {
        Case vec = program("NativeVec", "VEC");
        Case list = program("ArrayList of records", "LIST");
        List<Case> inC =
                allocators.stream()
                        .filter(CAllocator::isSystem)
                        .map(allocator -> (Case) new CProgram(allocator, List.of("grow")))
                        .toList();
        String work = "10 million adds of 16 B";
        return List.of(
                Row.time(
                        work,
                        vec,
                        new Reference.Best("C " + CAllocator.SYSTEM, inC),
                        Bar.atMost(1.2)),
                time(work, list, vec, Bar.REPORTED),
                new Row(
                        work + ", resident",
                        list,
                        Figure.RESIDENT,
                        Reference.to(vec),
                        Bar.atLeast(3)));
    }

    /** The longest wait of another thread for a safepoint, and the time of the whole. */
    private static List<Row> safepoint(String way, String work, Bar time) {
        Case ours = bulk("library", way + "_BY_THE_LIBRARY");
        Case theirs = bulk("JDK", way + "_BY_THE_JDK");
        return List.of(
                new Row(
                        "safepoint, " + work,
                        ours,
                        Figure.SAFEPOINT,
                        Reference.to(theirs),
                        Bar.atMost(0.2)),
                time("safepoint, " + work + ": time", ours, theirs, time));
    }

    private static Case bulk(String label, String way) {
        return new JavaProgram(label, HEAP, List.of("safepoint", "way=" + way));
    }

    private static Row time(String work, Case subject, Case reference, Bar bar) {
        return Row.time(work, subject, Reference.to(reference), bar);
    }

    private static Case of(Profile profile, String method) {
        return JmhCase.of(ArrayBenchmark.class, method, Map.of("profile", profile.name()));
    }

    private static Case program(String label, String way) {
        return new JavaProgram(label, HEAP, List.of("grow", "way=" + way));
    }
}
