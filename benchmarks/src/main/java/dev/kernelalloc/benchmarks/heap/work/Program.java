package dev.kernelalloc.benchmarks.heap.work;

import dev.kernelalloc.benchmarks.heap.Memory;
import dev.kernelalloc.benchmarks.physical.Tail;
import dev.kernelalloc.benchmarks.start.Start;

import java.util.Arrays;

/** A JVM of its own for one piece of work over one peer; prints its figures. */
public final class Program {

    private Program() {}

    static void main(String... line) throws Exception {
        Arguments arguments = Arguments.of(Arrays.asList(line).subList(1, line.length));
        switch (line[0]) {
            case "larson" -> classic(arguments, new Larson(memory(arguments), threads(arguments)));
            case "xmalloc" ->
                    classic(arguments, new Xmalloc(memory(arguments), threads(arguments)));
            case "cache-scratch" ->
                    classic(arguments, new CacheScratch(memory(arguments), threads(arguments)));
            case "mstress" ->
                    classic(arguments, new Mstress(memory(arguments), threads(arguments)));
            case "scaling" -> Scaling.run(memory(arguments), warmUp(arguments), millis(arguments));
            case "each-thread" ->
                    EachThread.run(
                            memory(arguments),
                            EachThread.Kind.valueOf(arguments.text("kind")),
                            EachThread.Way.valueOf(arguments.text("way")),
                            warmUp(arguments),
                            millis(arguments));
            case "retained" ->
                    Retained.run(
                            memory(arguments),
                            Retained.Freeing.valueOf(arguments.text("freeing")),
                            arguments.number("settle"));
            case "churn" ->
                    Churn.run(memory(arguments), EachThread.Kind.valueOf(arguments.text("kind")));
            case "after-threads" ->
                    Churn.timeAfter(
                            memory(arguments),
                            arguments.number("lived"),
                            warmUp(arguments),
                            millis(arguments));
            case "idle" -> Idle.run(memory(arguments));
            case "mixes" -> Mixes.run(memory(arguments));
            case "waste" -> Waste.run();
            case "grow" ->
                    Growing.run(
                            Growing.Way.valueOf(arguments.text("way")),
                            warmUp(arguments),
                            millis(arguments));
            case "safepoint" ->
                    Safepoint.run(
                            Safepoint.Way.valueOf(arguments.text("way")),
                            warmUp(arguments),
                            millis(arguments));
            case "tail" ->
                    Tail.run(
                            Boolean.parseBoolean(arguments.text("reserved")),
                            warmUp(arguments),
                            millis(arguments));
            case "start" ->
                    Start.run(
                            arguments.text("program"),
                            Start.Archive.valueOf(arguments.text("archive")),
                            millis(arguments));
            default -> throw new IllegalArgumentException(line[0]);
        }
        System.exit(0); // whatever threads a peer has left
    }

    private static void classic(Arguments arguments, Classic classic) throws Exception {
        Crew.run(classic.begin(), warmUp(arguments));
        Crew.run(classic.begin(), millis(arguments)).print();
    }

    private static int warmUp(Arguments arguments) {
        return arguments.number("warmup");
    }

    private static int millis(Arguments arguments) {
        return arguments.number("millis");
    }

    private static Memory memory(Arguments arguments) {
        return arguments.peer().memory();
    }

    private static int threads(Arguments arguments) {
        return arguments.number("threads");
    }
}
