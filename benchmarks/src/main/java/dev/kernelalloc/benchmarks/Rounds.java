package dev.kernelalloc.benchmarks;

import dev.kernelalloc.benchmarks.heap.work.Program;

import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedSet;
import java.util.regex.Pattern;

/**
 * Runs every case once a round, each in a process of its own.
 *
 * @param effort how long
 * @param build the C program; nothing when there is no case of C
 */
record Rounds(Effort effort, Optional<CBuild> build) {

    Map<Case, List<Measured>> run(SequencedSet<Case> cases) throws InterruptedException {
        Map<Case, List<Measured>> measured = new LinkedHashMap<>();
        for (int round = 1; round <= effort.rounds(); round++) {
            int number = 0;
            for (Case one : cases) {
                System.err.printf(
                        "round %d of %d, %d of %d: %s%n",
                        round, effort.rounds(), ++number, cases.size(), one);
                measured.computeIfAbsent(one, _ -> new ArrayList<>()).add(measure(one));
            }
        }
        return measured;
    }

    /** A peer that fails is a gap in the table; it does not end a run of most of an hour. */
    private Measured measure(Case one) throws InterruptedException {
        try {
            return switch (one) {
                case JmhCase jmh -> fork(jmh);
                case JavaProgram program ->
                        Measured.of(Subprocess.lines(command(program), Map.of()));
                case CProgram program -> Measured.of(run(program));
                case DpdkProgram program ->
                        Measured.of(
                                Subprocess.lines(
                                        program.command(withEffort(program.arguments())),
                                        Map.of()));
            };
        } catch (RunnerException | IOException e) {
            System.err.println("FAILED: " + one + ": " + e.getMessage());
            return Measured.FAILED;
        }
    }

    private List<String> run(CProgram program) throws IOException, InterruptedException {
        CAllocator allocator = program.allocator();
        return Subprocess.lines(
                allocator.command(build.orElseThrow(), withEffort(program.arguments())),
                allocator.environment());
    }

    private List<String> command(JavaProgram program) {
        List<String> command = new ArrayList<>(Jvm.command());
        command.addAll(program.jvmArguments());
        command.add(Program.class.getName());
        command.addAll(withEffort(program.arguments()));
        return command;
    }

    private List<String> withEffort(List<String> arguments) {
        List<String> all = new ArrayList<>(arguments);
        all.addAll(effort.arguments());
        return all;
    }

    private Measured fork(JmhCase one) throws RunnerException {
        List<String> jvmArguments = new ArrayList<>(Jvm.ARGUMENTS);
        jvmArguments.addAll(one.jvmArguments());
        OptionsBuilder options = new OptionsBuilder();
        options.include("^" + Pattern.quote(one.benchmark()) + "$")
                .forks(1)
                .addProfiler(GCProfiler.class)
                .verbosity(VerboseMode.SILENT)
                .shouldFailOnError(true)
                .jvmArgs(jvmArguments.toArray(String[]::new));
        one.parameters().forEach(options::param);
        if (one.isSingleShot()) {
            options.warmupIterations(0).measurementIterations(1);
        } else {
            options.warmupIterations(effort.iterations())
                    .warmupTime(TimeValue.milliseconds(effort.warmUpMillis() / effort.iterations()))
                    .measurementIterations(effort.iterations())
                    .measurementTime(TimeValue.milliseconds(effort.iterationMillis()));
        }
        System.setProperty("jmh.ignoreLock", "true");
        return Measured.of(new Runner(options.build()).runSingle());
    }
}
