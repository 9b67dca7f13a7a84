package dev.kernelalloc.benchmarks.heap;

import dev.kernelalloc.benchmarks.Bar;
import dev.kernelalloc.benchmarks.Benchmarks;
import dev.kernelalloc.benchmarks.CAllocator;
import dev.kernelalloc.benchmarks.Case;
import dev.kernelalloc.benchmarks.Figure;
import dev.kernelalloc.benchmarks.JmhCase;
import dev.kernelalloc.benchmarks.Reference;
import dev.kernelalloc.benchmarks.Row;
import dev.kernelalloc.benchmarks.struct.Profile;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The rows of a box of 64 bytes. */
final class BoxRows {

    /** Less than any object: what is left of JMH itself. */
    private static final Bar NO_OBJECT = Bar.atMost(0.5);

    private static final Bar AS_CLEAN = Bar.atMost(1.3);

    private static final Bar AFTER_OTHERS = Bar.atMost(1.15);

    private BoxRows() {}

    static List<Row> of(List<CAllocator> allocators, boolean quick) {
        Work malloc = BlockRows.oneBlock(64, 16, false, allocators);
        Work calloc = BlockRows.oneBlock(64, 16, true, allocators);
        Case box = clean("box");
        Case zeroed = clean("boxZeroed");
        Case unknown = clean("boxOfUnknownSizeZeroed");
        Case escaping = clean("boxZeroedEscaping");
        List<Row> rows = new ArrayList<>();
        rows.add(Row.time("box of 64 B", box, malloc.system(), Bar.atMost(0.5)));
        rows.add(Row.figure("box of 64 B: heap bytes", box, Figure.HEAP_BYTES, NO_OBJECT));
        rows.add(Row.time("box of 64 B", box, malloc.bestC(), Bar.REPORTED));
        rows.add(Row.time("box, zeroed", zeroed, calloc.system(), Bar.atMost(0.5)));
        rows.add(time("box, zeroed", zeroed, clean("jdkArena"), Bar.atMost(0.25)));
        rows.add(
                Row.time(
                        "box, zeroed, size not known to the JIT",
                        unknown,
                        calloc.system(),
                        Bar.atMost(0.65)));
        rows.add(
                time(
                        "box, zeroed, size not known to the JIT",
                        unknown,
                        clean("jdkArenaOfUnknownSize"),
                        Bar.atMost(0.4)));
        rows.add(
                time(
                        "box, zeroed, escaping",
                        escaping,
                        clean("jdkArenaEscaping"),
                        Bar.atMost(0.35)));
        rows.add(
                Row.figure(
                        "box, zeroed, escaping: heap bytes",
                        escaping,
                        Figure.HEAP_BYTES,
                        Bar.atMost(40.5)));
        Case untracked = tracked("off");
        rows.add(time("box, one in 1,024 tracked", tracked("sampled"), untracked, Bar.atMost(1.2)));
        rows.add(time("box, every one tracked", tracked("all"), untracked, Bar.REPORTED));
        rows.addAll(recorded());
        rows.add(time("box, after other types", polluted("box"), box, AFTER_OTHERS));
        rows.add(time("box, under 12 frames", clean("boxUnder12Frames"), box, Bar.REPORTED));
        rows.add(
                time(
                        "box, under 12 frames",
                        clean("boxUnder12Frames"),
                        clean("jdkSegmentUnder12Frames"),
                        Bar.atMost(1.2)));
        if (!quick) {
            rows.add(
                    time(
                            "box of 64 B",
                            allocator("own source", "source"),
                            allocator("own allocator", "own"),
                            Bar.atMost(1.05)));
            rows.add(
                    time(
                            "box, zeroed, after other types",
                            polluted("boxZeroed"),
                            zeroed,
                            AFTER_OTHERS));
            rows.add(
                    time(
                            "box, zeroed, under 12 frames",
                            clean("boxZeroedUnder12Frames"),
                            zeroed,
                            AS_CLEAN));
            rows.add(
                    time(
                            "box, zeroed, size not known, after other types",
                            polluted("boxOfUnknownSizeZeroed"),
                            unknown,
                            AS_CLEAN));
            rows.add(
                    time(
                            "box, zeroed, escaping, after other types",
                            polluted("boxZeroedEscaping"),
                            escaping,
                            Bar.REPORTED));
            rows.add(
                    time(
                            "box, under 12 frames, after other types",
                            polluted("boxUnder12Frames"),
                            box,
                            Bar.REPORTED));
        }
        return rows;
    }

    private static Row time(String work, Case subject, Case reference, Bar bar) {
        return Row.time(work, subject, Reference.to(reference), bar);
    }

    /** With a level of tracking for the JVM; elsewhere it is the default, {@code sampled}. */
    private static Case tracked(String level) {
        return box("tracking=" + level, "-Ddev.kernelalloc.tracking=" + level);
    }

    /** With the flight recorder there and off, and on; beside a JVM that has none. */
    private static List<Row> recorded() {
        Case without = box("no recorder", "--limit-modules=java.se,jdk.unsupported");
        Case on =
                box(
                        "recording",
                        "-XX:StartFlightRecording:settings="
                                + Benchmarks.project()
                                        .resolveSibling("docs")
                                        .resolve("kernel-alloc.jfc"),
                        "-Xlog:jfr+startup=off");
        return List.of(
                time("box, no recording", clean("box"), without, Bar.atMost(1.02)),
                time("box, all events recorded", on, without, Bar.REPORTED));
    }

    /** In an allocator that the program has made. */
    private static Case allocator(String name, String kind) {
        return box(name, "-D" + Library.KIND + "=" + kind);
    }

    /** In a JVM with options. */
    private static Case box(String name, String... options) {
        return new JmhCase(
                name,
                BoxBenchmark.class,
                "box",
                Map.of("profile", Profile.CLEAN.name()),
                List.of(options));
    }

    private static Case clean(String method) {
        return of(method, Profile.CLEAN);
    }

    private static Case polluted(String method) {
        return of(method, Profile.POLLUTED);
    }

    private static Case of(String method, Profile profile) {
        return JmhCase.of(BoxBenchmark.class, method, Map.of("profile", profile.name()));
    }
}
