package dev.kernelalloc.benchmarks;

import dev.kernelalloc.benchmarks.struct.StructRows;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedSet;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Runs the benchmarks and prints one table.
 *
 * <p>The machine may be shared and drift, so nothing is compared across minutes: a round runs every
 * benchmark once, in a JVM of its own, and a ratio is taken inside a round. The table shows medians over
 * the rounds, and beside each the least and the most.
 */
@Command(
        name = "benchmarks/run",
        mixinStandardHelpOptions = true,
        description = "Measures the library beside what it is compared with.")
public final class Benchmarks implements Callable<Integer> {

    @Option(names = "--rounds", description = "Rounds of one fork a benchmark; default ${DEFAULT-VALUE}.")
    private int rounds = 5;

    @Option(names = "--quick", description = "Two short rounds, under three minutes: a first impression.")
    private boolean quick;

    @Option(names = "--smoke", description = "One row, as short as can be: does it run at all?")
    private boolean smoke;

    @Option(names = "--only", description = "Only rows whose name contains this regular expression.")
    private Pattern only = Pattern.compile("");

    private Benchmarks() {}

    static void main(String... arguments) {
        System.exit(new CommandLine(new Benchmarks()).execute(arguments));
    }

    @Override
    public Integer call() throws RunnerException {
        List<Row> rows =
                StructRows.all().stream()
                        .filter(row -> only.matcher(row.name()).find())
                        .limit(smoke ? 1 : Long.MAX_VALUE)
                        .toList();
        if (rows.isEmpty()) {
            throw new CommandLine.ParameterException(
                    new CommandLine(this), "no row's name contains " + only);
        }
        PrintStream output = System.out;
        System.setOut(System.err); // the table alone goes to the output, not what the peers print
        SequencedSet<Case> cases = Row.cases(rows);
        int count = smoke ? 1 : quick ? 2 : rounds;
        Map<Case, List<Measured>> measured = new LinkedHashMap<>();
        for (int round = 1; round <= count; round++) {
            for (Case one : cases) {
                System.err.printf("round %d of %d: %s%n", round, count, one);
                measured.computeIfAbsent(one, _ -> new ArrayList<>()).add(measure(one));
            }
        }
        output.println(
                smoke
                        ? "The benchmarks run. For figures: benchmarks/run"
                        : Table.of(rows, measured));
        return 0;
    }

    private Measured measure(Case one) throws RunnerException {
        int iterations = smoke ? 1 : quick ? 3 : 5;
        TimeValue time = TimeValue.milliseconds(smoke ? 50 : quick ? 100 : 250);
        OptionsBuilder options = new OptionsBuilder();
        options.include("^" + Pattern.quote(one.benchmark()) + "$")
                .forks(1)
                .addProfiler(GCProfiler.class)
                .verbosity(VerboseMode.SILENT)
                .shouldFailOnError(true)
                .jvmArgs(
                        "-Xms512m",
                        "-Xmx512m",
                        "--enable-native-access=ALL-UNNAMED",
                        "--sun-misc-unsafe-memory-access=allow"); // for JMH itself
        one.parameters().forEach(options::param);
        if (one.isSingleShot()) {
            options.warmupIterations(0).measurementIterations(1);
        } else {
            options.warmupIterations(iterations)
                    .warmupTime(time)
                    .measurementIterations(iterations)
                    .measurementTime(time);
        }
        System.setProperty("jmh.ignoreLock", "true");
        return Measured.of(new Runner(options.build()).runSingle());
    }
}
