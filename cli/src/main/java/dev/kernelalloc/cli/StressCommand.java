package dev.kernelalloc.cli;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;

import org.HdrHistogram.Histogram;
import org.jspecify.annotations.Nullable;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

import java.io.PrintWriter;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.OptionalLong;
import java.util.concurrent.Callable;
import java.util.stream.LongStream;
import java.util.stream.Stream;

@Command(
        name = "stress",
        description = {
            "Replaces blocks of random sizes from several threads for a while, checks each before"
                    + " it is freed, and reports the rate.",
            "Sizes are written as 16, 4KiB or 1M; units are powers of 1,024."
        },
        mixinStandardHelpOptions = true,
        versionProvider = Tool.Version.class,
        sortOptions = false,
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {
            "0:done",
            "1:memory was refused, a block was not as it was left, or a thread ended early",
            "2:wrong usage"
        })
final class StressCommand implements Callable<Integer> {

    private static final long LOOK_MILLIS = 200;
    private static final int MOST_THREADS = 1024;

    /** The bytes of the Java heap per live block: its segment, and the reference to it. */
    private static final int BLOCK_HEAP_BYTES = 64;

    /** The allocator that is tried. */
    private enum Source {
        /** The pool. */
        POOL,
        /** The pool with all measures against mistakes. */
        HARDENED,
        /** malloc(3), by downcalls. */
        SYSTEM,
        /** Locked memory. */
        PHYSICAL;

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }

        KernelAllocator open() {
            return switch (this) {
                case POOL -> PoolAllocator.builder().tag("stress").build();
                case HARDENED -> PoolAllocator.builder().tag("stress").hardened(true).build();
                case SYSTEM -> PoolAllocator.systemHeap();
                case PHYSICAL -> PhysicalAllocator.builder().tag("stress").build();
            };
        }

        /** malloc's belongs to the process. */
        boolean isClosable() {
            return this != SYSTEM;
        }
    }

    @Option(
            names = "--allocator",
            paramLabel = "KIND",
            defaultValue = "pool",
            description = "Allocator: ${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}).")
    private Source source;

    @Option(
            names = "--seconds",
            paramLabel = "TIME",
            defaultValue = "5",
            description = "Duration (default: ${DEFAULT-VALUE}).")
    private Duration time;

    @Option(
            names = "--threads",
            paramLabel = "N",
            description = "Number of threads (default: the number of processors).")
    private int threads = Runtime.getRuntime().availableProcessors();

    @Option(
            names = "--sizes",
            paramLabel = "SIZE",
            split = "-",
            defaultValue = "16-4KiB",
            description = "Smallest and largest size (default: ${DEFAULT-VALUE}).")
    private List<ByteCount> sizes;

    @Option(
            names = "--live",
            paramLabel = "N",
            defaultValue = "1000",
            description = "Live blocks of each thread (default: ${DEFAULT-VALUE}).")
    private int live;

    @Option(
            names = "--shared",
            paramLabel = "PERCENT",
            defaultValue = "10",
            description =
                    "Percentage of the operations on blocks that threads share (default:"
                            + " ${DEFAULT-VALUE}).")
    private int shared;

    @Option(names = "--json", description = "For machines: one JSON object.")
    private boolean json;

    @Spec private CommandSpec spec;

    /** The results; the components are the names of {@code --json}. */
    private record Report(
            String version,
            String allocator,
            int threads,
            long smallestBytes,
            long largestBytes,
            double seconds,
            boolean interrupted,
            long operations,
            double operationsPerSecond,
            long peakLiveBytes,
            long peakCapacityBytes,
            long peakResidentBytes,
            long refusedAllocations,
            long damagedBlocks,
            long blocksLeftAlive,
            Latency allocateNanos,
            Latency freeNanos,
            @Nullable String firstRefusal,
            @Nullable String endedEarly) {}

    private record Latency(long timed, long p50, long p90, long p99, long p999, long most) {

        static Latency of(Histogram nanos) {
            return new Latency(
                    nanos.getTotalCount(),
                    nanos.getValueAtPercentile(50),
                    nanos.getValueAtPercentile(90),
                    nanos.getValueAtPercentile(99),
                    nanos.getValueAtPercentile(99.9),
                    nanos.getMaxValue());
        }

        Object[] row(String name) {
            return Stream.concat(
                            Stream.of(name),
                            LongStream.of(timed, p50, p90, p99, p999, most)
                                    .mapToObj(value -> String.format(Locale.ROOT, "%,d", value)))
                    .toArray();
        }
    }

    @Override
    public Integer call() throws InterruptedException {
        check();
        try (Interruption interruption = new Interruption()) {
            return run(interruption);
        }
    }

    private int run(Interruption interruption) throws InterruptedException {
        KernelAllocator allocator = source.open();
        Workload workload =
                new Workload(
                        allocator, sizes.getFirst().bytes(), sizes.getLast().bytes(), live, shared);
        Peaks peaks = new Peaks();
        long start = System.nanoTime();
        try {
            workload.start(threads);
            watch(workload, allocator, peaks, start, interruption);
        } catch (
                Throwable e) { // a full Java heap, most likely: the blocks of the threads are freed
            workload.fail(e);
        }
        workload.end();
        workload.join();
        double seconds = (System.nanoTime() - start) / 1e9;
        workload.freeShared();
        long left = source.isClosable() ? allocator.stats().liveBlocks() : 0;
        if (source.isClosable()) {
            allocator.close();
        }
        Report report = report(workload, peaks, seconds, left, interruption.isRequested());
        PrintWriter out = spec.commandLine().getOut();
        if (json) {
            out.println(Json.of(report));
        } else {
            print(report, out);
        }
        out.flush();
        boolean isGood =
                workload.damaged() == 0
                        && workload.refusals() == 0
                        && workload.failure().isEmpty()
                        && left == 0;
        return isGood ? Tool.DONE : Tool.NOT_HAD;
    }

    private void check() {
        if (sizes.isEmpty()
                || sizes.size() > 2
                || sizes.getFirst().bytes() < 1
                || sizes.getLast().bytes() < sizes.getFirst().bytes()) {
            throw wrong("--sizes: write the smallest and the largest, for example 16-4KiB");
        }
        if (threads < 1 || threads > MOST_THREADS || live < 1 || shared < 0 || shared > 100) {
            throw wrong(
                    String.format(
                            Locale.ROOT,
                            "--threads must be 1 to %d, --live at least 1, --shared 0 to 100",
                            MOST_THREADS));
        }
        long heapBytes = Runtime.getRuntime().maxMemory();
        long mostLive = heapBytes / 2 / BLOCK_HEAP_BYTES / threads;
        if (live > mostLive) {
            throw wrong(
                    String.format(
                            Locale.ROOT,
                            "--live: %,d blocks for each of %,d threads take some %s of the Java"
                                + " heap, which may grow to %s: at most %,d, or more by java -Xmx",
                            live,
                            threads,
                            ByteCount.text((long) live * threads * BLOCK_HEAP_BYTES),
                            ByteCount.text(heapBytes),
                            mostLive));
        }
    }

    private ParameterException wrong(String message) {
        return new ParameterException(spec.commandLine(), message);
    }

    /** The maxima, sampled while the threads run. */
    private static final class Peaks {

        private long liveBytes;
        private long capacityBytes;
        private long residentBytes;

        private void look(KernelAllocator allocator) {
            liveBytes = Math.max(liveBytes, allocator.stats().liveBytes());
            capacityBytes = Math.max(capacityBytes, allocator.stats().capacityBytes());
            OptionalLong resident = Host.ofThisMachine().kilobytes("/proc/self/status", "VmRSS:");
            residentBytes = Math.max(residentBytes, resident.orElse(0));
        }
    }

    /** Until the time is over. */
    private void watch(
            Workload workload,
            KernelAllocator allocator,
            Peaks peaks,
            long start,
            Interruption interruption)
            throws InterruptedException {
        long millis = time.toMillis();
        try (Progress progress = new Progress("stress", millis)) {
            long spent = 0;
            while (spent < millis
                    && !workload.isOver()
                    && interruption.sleep(
                            Duration.ofMillis(Math.min(LOOK_MILLIS, millis - spent)))) {
                peaks.look(allocator);
                spent = (System.nanoTime() - start) / 1_000_000;
                progress.stepTo(
                        Math.min(spent, millis), perSecond(workload.operations() / (spent / 1e3)));
            }
        }
    }

    private static String perSecond(double operations) {
        return String.format(Locale.ROOT, "%.1f M/s", operations / 1e6);
    }

    private Report report(
            Workload workload, Peaks peaks, double seconds, long left, boolean interrupted) {
        return new Report(
                Tool.Version.number(),
                source.toString(),
                threads,
                sizes.getFirst().bytes(),
                sizes.getLast().bytes(),
                seconds,
                interrupted,
                workload.operations(),
                workload.operations() / seconds,
                peaks.liveBytes,
                peaks.capacityBytes,
                peaks.residentBytes,
                workload.refusals(),
                workload.damaged(),
                left,
                Latency.of(workload.allocateNanos()),
                Latency.of(workload.freeNanos()),
                workload.firstRefusal().orElse(null),
                workload.failure().map(Throwable::toString).orElse(null));
    }

    private static void print(Report report, PrintWriter out) {
        Table what = new Table("stress", "");
        what.add("allocator", report.allocator());
        what.add("threads", report.threads());
        what.add(
                "sizes",
                ByteCount.text(report.smallestBytes())
                        + " to "
                        + ByteCount.text(report.largestBytes()));
        what.add(
                "time",
                String.format(Locale.ROOT, "%.1f s", report.seconds())
                        + (report.interrupted() ? ", interrupted" : ""));
        what.add("operations", String.format(Locale.ROOT, "%,d", report.operations()));
        what.add("rate", perSecond(report.operationsPerSecond()));
        what.add("live at most", ByteCount.text(report.peakLiveBytes()));
        what.add("capacity at most", ByteCount.text(report.peakCapacityBytes()));
        what.add("resident at most", ByteCount.text(report.peakResidentBytes()) + ", with the JVM");
        what.add("refused", counted(report.refusedAllocations(), "allocation"));
        what.add("damaged", counted(report.damagedBlocks(), "block"));
        what.add("left alive", counted(report.blocksLeftAlive(), "block"));
        what.print(out);
        out.println();
        Table latencies = new Table("ns", ">timed", ">50 %", ">90 %", ">99 %", ">99.9 %", ">most");
        latencies.add(report.allocateNanos().row("allocate"));
        latencies.add(report.freeNanos().row("free"));
        latencies.print(out);
        out.println("Times include looking at the clock, some 25 ns.");
        if (report.firstRefusal() != null) {
            out.println("first refusal: " + report.firstRefusal());
        }
        if (report.endedEarly() != null) {
            out.println("ended early: " + report.endedEarly());
        }
    }

    private static String counted(long count, String what) {
        return String.format(Locale.ROOT, "%,d %s%s", count, what, count == 1 ? "" : "s");
    }
}
