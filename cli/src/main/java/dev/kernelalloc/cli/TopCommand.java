package dev.kernelalloc.cli;

import dev.kernelalloc.observe.AllocatorMXBean;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

import java.io.IOException;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;

@Command(
        name = "top",
        description = {
            "Shows the allocators of a running JVM, and the sites that hold the most memory.",
            "The JVM registers an allocator by AllocatorBean.register."
        },
        mixinStandardHelpOptions = true,
        versionProvider = Tool.Version.class,
        sortOptions = false,
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {
            "0:shown",
            "1:the process cannot be reached, or has no registered allocator",
            "2:wrong usage"
        })
final class TopCommand implements Callable<Integer> {

    @Parameters(paramLabel = "PID", description = "The process id of the JVM.")
    private Pid pid;

    @Option(
            names = "--sites",
            paramLabel = "N",
            defaultValue = "10",
            description = "The number of allocation sites (default: ${DEFAULT-VALUE}).")
    private int sites;

    @Option(
            names = "--times",
            paramLabel = "N",
            defaultValue = "1",
            description = "How often to look; 0 for ever (default: ${DEFAULT-VALUE}).")
    private int times;

    @Option(
            names = "--interval",
            paramLabel = "TIME",
            defaultValue = "2s",
            description = "The time between two looks (default: ${DEFAULT-VALUE}).")
    private Duration interval;

    @Spec private CommandSpec spec;

    @Override
    public Integer call() throws InterruptedException {
        if (sites < 0 || times < 0) {
            throw new ParameterException(
                    spec.commandLine(), "--sites and --times must be at least 0");
        }
        PrintWriter out = spec.commandLine().getOut();
        try (RunningJvm jvm = RunningJvm.attach(pid.text())) {
            for (int look = 0; times == 0 || look < times; look++) {
                if (look > 0) {
                    Thread.sleep(interval);
                    out.println();
                }
                show(jvm, out);
                if (out.checkError()) {
                    break; // the reader is gone
                }
            }
            return Tool.DONE;
        } catch (IOException e) {
            spec.commandLine().getErr().println("kernel-alloc: " + e.getMessage());
            return Tool.NOT_HAD;
        }
    }

    /** What is shown of one allocator. */
    private record Row(AllocatorMXBean.Statistics statistics, String tracking, String liveStacks) {

        static Row of(AllocatorMXBean allocator) {
            return new Row(
                    allocator.getStatistics(),
                    String.valueOf(allocator.getTracking()),
                    allocator.liveStacks());
        }
    }

    private void show(RunningJvm jvm, PrintWriter out) throws IOException {
        Map<String, Row> rows = new TreeMap<>();
        for (Map.Entry<String, AllocatorMXBean> one : jvm.allocators(List.of()).entrySet()) {
            jvm.read(one.getValue(), Row::of).ifPresent(row -> rows.put(one.getKey(), row));
        }
        out.println(
                String.format(
                        Locale.ROOT,
                        "%-24s %10s %12s %12s %12s  %s",
                        "allocator",
                        "blocks",
                        "live",
                        "capacity",
                        "peak",
                        "tracking"));
        Map<String, Long> bySite = new HashMap<>();
        rows.forEach(
                (name, row) -> {
                    AllocatorMXBean.Statistics stats = row.statistics();
                    out.println(
                            String.format(
                                    Locale.ROOT,
                                    "%-24s %,10d %12s %12s %12s  %s",
                                    name,
                                    stats.getLive().blocks(),
                                    ByteCount.text(stats.getLive().bytes()),
                                    ByteCount.text(stats.getCapacity().bytes()),
                                    ByteCount.text(stats.getPeakBytes()),
                                    row.tracking()));
                    row.liveStacks().lines().forEach(line -> add(bySite, line));
                });
        if (!bySite.isEmpty() && sites > 0) {
            out.println(String.format(Locale.ROOT, "%n%12s  %s", "live", "tracked site"));
            bySite.entrySet().stream()
                    .sorted(
                            Map.Entry.<String, Long>comparingByValue(Comparator.reverseOrder())
                                    .thenComparing(Map.Entry.comparingByKey()))
                    .limit(sites)
                    .forEach(
                            site ->
                                    out.println(
                                            String.format(
                                                    Locale.ROOT,
                                                    "%12s  %s",
                                                    ByteCount.text(site.getValue()),
                                                    site.getKey())));
        }
    }

    /** A line is {@code outermost;…;nearest;[kind] bytes}: the nearest frame is the site. */
    private static void add(Map<String, Long> bySite, String line) {
        int space = line.lastIndexOf(' ');
        String[] frames = line.substring(0, space).split(";");
        String kind = frames[frames.length - 1];
        String nearest = frames.length < 2 ? "?" : frames[frames.length - 2];
        bySite.merge(nearest + " " + kind, Long.parseLong(line.substring(space + 1)), Long::sum);
    }
}
