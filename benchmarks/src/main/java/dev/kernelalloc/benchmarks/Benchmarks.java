package dev.kernelalloc.benchmarks;

import dev.kernelalloc.benchmarks.container.ContainerRows;
import dev.kernelalloc.benchmarks.heap.HeapRows;
import dev.kernelalloc.benchmarks.physical.PhysicalRows;
import dev.kernelalloc.benchmarks.soak.Soak;
import dev.kernelalloc.benchmarks.start.StartRows;
import dev.kernelalloc.benchmarks.struct.StructRows;

import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Runs the benchmarks and prints one table.
 *
 * <p>The machine may be shared and drift, so nothing is compared across minutes: a round runs every
 * case once, in a process of its own, and a ratio is taken inside a round. The table shows medians
 * over the rounds, and beside each the least and the most.
 */
@Command(
        name = "benchmarks/run",
        mixinStandardHelpOptions = true,
        description = "Measures the library beside what it is compared with.")
public final class Benchmarks implements Callable<Integer> {

    /** A system property: the directory of this project. */
    private static final String PROJECT = "benchmarks.project";

    @Option(names = "--rounds", description = "Rounds of one fork a case; default 5, of --quick 2.")
    private Integer rounds;

    @Option(names = "--quick", description = "The headlines, short: under three minutes.")
    private boolean quick;

    @Option(names = "--smoke", description = "Two rows, as short as can be: does it run at all?")
    private boolean smoke;

    @Option(
            names = "--only",
            description = "Only rows whose work and subject contain this regular expression.")
    private Pattern only = Pattern.compile("");

    @Option(
            names = "--list",
            description = "Print the names of the rows instead of measuring them.")
    private boolean list;

    @Option(
            names = "--soak",
            description = "No benchmark: use everything from several threads and check every byte.")
    private boolean soak;

    @Option(
            names = "--operations",
            description = "Of the soak; default ${DEFAULT-VALUE}.",
            defaultValue = "200000000")
    private long operations;

    @Option(
            names = "--disturbed",
            description = "In the soak, threads end and are replaced, and trim more often.")
    private boolean disturbed;

    private Benchmarks() {}

    /**
     * The directory of this project.
     *
     * @return an absolute path
     */
    public static Path project() {
        return Path.of(System.getProperty(PROJECT)).toAbsolutePath();
    }

    static void main(String... arguments) {
        System.exit(new CommandLine(new Benchmarks()).execute(arguments));
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
        return soak ? soak() : measure();
    }

    private int measure() throws IOException, InterruptedException {
        PrintStream output = System.out;
        System.setOut(System.err); // the table alone goes to the output, not what the peers print
        Optional<CBuild> build = CBuild.compile(project());
        List<CAllocator> allocators =
                build.isPresent() ? CAllocator.installed(build.get()) : List.of();
        Optional<Dpdk> dpdk =
                build.isPresent() && !smoke ? Dpdk.compile(project()) : Optional.empty();
        List<Row> rows =
                rows(allocators, dpdk).stream()
                        .filter(row -> only.matcher(row.name()).find())
                        .toList();
        if (rows.isEmpty()) {
            throw new CommandLine.ParameterException(
                    new CommandLine(this), "no row's name contains " + only);
        }
        if (list) {
            rows.stream().map(Row::name).distinct().forEach(output::println);
            return 0;
        }
        Map<Case, List<Measured>> measured = new Rounds(effort(), build).run(Row.cases(rows));
        if (smoke) {
            return smoke(output, measured);
        }
        output.println(machine(allocators, dpdk));
        output.println();
        output.println(new Table(rows, measured));
        return 0;
    }

    private static int smoke(PrintStream output, Map<Case, List<Measured>> measured) {
        boolean failed =
                measured.values().stream().anyMatch(forks -> forks.contains(Measured.FAILED));
        output.println(
                failed
                        ? "The benchmarks do not run."
                        : "The benchmarks run. For figures: benchmarks/run");
        return failed ? 1 : 0;
    }

    private List<Row> rows(List<CAllocator> allocators, Optional<Dpdk> dpdk) {
        if (smoke) {
            return HeapRows.smoke(allocators);
        }
        List<Row> rows = new ArrayList<>();
        rows.addAll(quick ? HeapRows.quick(allocators) : HeapRows.all(allocators));
        rows.addAll(quick ? StructRows.quick() : StructRows.all());
        rows.addAll(quick ? StartRows.quick() : StartRows.all());
        if (!quick) {
            rows.addAll(ContainerRows.all(allocators));
            rows.addAll(PhysicalRows.all(allocators, dpdk));
        }
        return rows;
    }

    private Effort effort() {
        Effort effort = smoke ? Effort.SMOKE : quick ? Effort.QUICK : Effort.FULL;
        return rounds == null ? effort : effort.withRounds(rounds);
    }

    private String machine(List<CAllocator> allocators, Optional<Dpdk> dpdk) {
        return "%d processors, %s, Java %s; %d rounds. C: %s."
                .formatted(
                        Runtime.getRuntime().availableProcessors(),
                        System.getProperty("os.name") + " " + System.getProperty("os.version"),
                        Runtime.version(),
                        effort().rounds(),
                        allocators.isEmpty()
                                ? "no compiler found, so nothing is compared with it"
                                : allocators.stream()
                                                .map(one -> one.name() + " " + one.version())
                                                .collect(Collectors.joining(", "))
                                        + dpdk.map(one -> "; " + one.version()).orElse(""));
    }

    /** In a JVM of its own, whose output is ours. */
    private int soak() throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(Jvm.command());
        command.add(Soak.class.getName());
        command.add(Long.toString(operations));
        if (disturbed) {
            command.add("disturbed");
        }
        Process process = new ProcessBuilder(command).inheritIO().start();
        try {
            return process.waitFor();
        } finally {
            process.destroyForcibly();
        }
    }
}
