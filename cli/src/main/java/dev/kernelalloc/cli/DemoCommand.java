package dev.kernelalloc.cli;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.physical.PhysicalRequest;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

import java.io.PrintWriter;
import java.lang.foreign.MemorySegment;
import java.lang.management.CompilationMXBean;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;

@Command(
        name = "demo",
        description = {
            "Allocates one of each kind of native memory, and prints its address and its cost.",
            "Costs are measured here for some seconds, to give an idea; they are no benchmark."
        },
        mixinStandardHelpOptions = true,
        versionProvider = Tool.Version.class)
final class DemoCommand implements Callable<Integer> {

    private static final PhysicalRequest TWO_MEBIBYTES = PhysicalRequest.ofBytes(2 << 20).build();

    /** So many at least, and more until all measurements have settled. */
    private static final int ROUNDS = 4;

    private static final int MOST_ROUNDS = 20;

    @Option(names = "--json", description = "For machines: one JSON object.")
    private boolean json;

    @Spec private CommandSpec spec;

    /** Why something could not be shown; each reason once. */
    private final Set<String> notes = new LinkedHashSet<>();

    private boolean refused;

    /** The object printed by {@code --json}. */
    private record Report(String version, List<Line> memory, Set<String> notes) {}

    /** A line of the table; the ratio is that to the first. */
    private record Line(
            String kind,
            long bytes,
            String virtualAddress,
            String physicalAddress,
            String guarantee,
            double nanos,
            double ratio) {

        Object[] cells() {
            return new Object[] {
                kind,
                bytes,
                virtualAddress,
                physicalAddress,
                guarantee,
                String.format(Locale.ROOT, nanos < 1000 ? "%.1f" : "%,.0f", nanos),
                String.format(Locale.ROOT, ratio < 100 ? "%.2f" : "%,.0f", ratio)
            };
        }
    }

    /** An address, as printed. */
    private record Place(long bytes, long virtual, String physical, String guarantee) {}

    @Override
    public Integer call() {
        PrintWriter out = spec.commandLine().getOut();
        List<Line> lines;
        try (PhysicalAllocator physical = PhysicalAllocator.create()) {
            List<MemoryWay> ways =
                    List.of(
                            new MemoryWay.Confined(),
                            new MemoryWay.ArenaOf(PoolAllocator.shared(), "the pool"),
                            new MemoryWay.BlockOf(PoolAllocator.shared(), "the pool"),
                            new MemoryWay.BoxIn(PoolAllocator.shared(), "the pool"),
                            new MemoryWay.BlockOf(physical, "locked memory"),
                            new MemoryWay.BoxIn(physical, "locked memory"),
                            new MemoryWay.Requested(physical, TWO_MEBIBYTES));
            lines = measure(ways, physical);
        }
        if (json) {
            out.println(Json.of(new Report(Tool.Version.number(), lines, notes)));
        } else {
            print(lines, out);
        }
        out.flush();
        return refused ? Tool.NOT_HAD : Tool.DONE;
    }

    private void print(List<Line> lines, PrintWriter out) {
        Table table =
                new Table("memory", ">bytes", "virtual", "physical", "guarantee", ">ns", ">ratio");
        lines.forEach(line -> table.add(line.cells()));
        table.print(out);
        out.println();
        notes.forEach(out::println);
        out.println(
                "ns: the time to have one, write to it and give it back, on one thread, at best;"
                        + " ratio: to the first line.");
        out.println(
                String.format(
                        Locale.ROOT,
                        "Measured here until %d rounds agreed within %.0f %%, to give an idea: no"
                                + " benchmark, those are in benchmarks/.",
                        QuickLook.AGREEING,
                        100 * QuickLook.MOST_SPREAD));
    }

    /**
     * The lines of the table. All is warmed up first: the JIT compiles while others warm up, and
     * what makes it give code up again, such as a class that is loaded, comes before the rounds.
     */
    private List<Line> measure(List<MemoryWay> ways, PhysicalAllocator physical) {
        Map<MemoryWay, QuickLook> looks = new LinkedHashMap<>();
        Map<MemoryWay, Place> places = new LinkedHashMap<>();
        List<Line> lines = new ArrayList<>();
        try (Progress progress = new Progress("measuring", (1L + ROUNDS) * ways.size())) {
            for (MemoryWay way : ways) {
                try {
                    way.show(memory -> places.put(way, place(way, memory, physical)));
                    QuickLook look = new QuickLook(way);
                    look.warmUp();
                    looks.put(way, look);
                } catch (AllocationException e) {
                    refused = true;
                    notes.add("No " + way.name() + ": " + e.getMessage());
                }
                progress.step();
            }
            long compiledMillis = compilationMillis();
            int quiet = 0;
            for (int round = 0; round < MOST_ROUNDS; round++) {
                if (round >= ROUNDS
                        && quiet >= QuickLook.AGREEING
                        && looks.values().stream().allMatch(QuickLook::isSettled)) {
                    break;
                }
                for (QuickLook look : looks.values()) {
                    look.look();
                    if (round < ROUNDS) {
                        progress.step();
                    }
                }
                quiet = compilationMillis() == compiledMillis ? quiet + 1 : 0;
                compiledMillis = compilationMillis();
            }
            if (quiet < QuickLook.AGREEING) {
                notes.add(
                        String.format(
                                Locale.ROOT,
                                "Not settled: after %d rounds the JIT was compiling still. Run it"
                                        + " again when this machine is less busy.",
                                MOST_ROUNDS));
            }
            noteUnsettled(looks);
            double first = 0;
            for (MemoryWay way : looks.keySet()) {
                double nanos = looks.get(way).nanos();
                first = first == 0 ? nanos : first;
                lines.add(line(way, places.get(way), nanos, nanos / first));
            }
        }
        return lines;
    }

    /**
     * Time that the JIT has spent so far: code that is still to come would change what is measured.
     */
    private static long compilationMillis() {
        CompilationMXBean jit = ManagementFactory.getCompilationMXBean();
        return jit != null && jit.isCompilationTimeMonitoringSupported()
                ? jit.getTotalCompilationTime()
                : 0;
    }

    private void noteUnsettled(Map<MemoryWay, QuickLook> looks) {
        String unsettled =
                looks.entrySet().stream()
                        .filter(look -> !look.getValue().isSettled())
                        .map(
                                look ->
                                        String.format(
                                                Locale.ROOT,
                                                "%s (%.0f %%)",
                                                look.getKey().name(),
                                                100 * look.getValue().spread()))
                        .collect(Collectors.joining(", "));
        if (!unsettled.isEmpty()) {
            notes.add(
                    String.format(
                            Locale.ROOT,
                            "Not settled, with the spread of the last %d rounds of %d: %s. Run it"
                                    + " again when this machine is less busy.",
                            QuickLook.AGREEING,
                            MOST_ROUNDS,
                            unsettled));
        }
    }

    private static Line line(MemoryWay way, Place place, double nanos, double ratio) {
        return new Line(
                way.name(),
                place.bytes(),
                String.format(Locale.ROOT, "0x%016x", place.virtual()),
                place.physical(),
                place.guarantee(),
                nanos,
                ratio);
    }

    private Place place(MemoryWay way, MemorySegment memory, PhysicalAllocator physical) {
        boolean ofPool =
                switch (way) {
                    case MemoryWay.Confined _, MemoryWay.ArenaOf _ -> true;
                    case MemoryWay.BlockOf(var allocator, _) -> allocator != physical;
                    case MemoryWay.BoxIn(var allocator, _) -> allocator != physical;
                    case MemoryWay.Requested _ -> false;
                };
        if (ofPool) {
            return new Place(memory.byteSize(), memory.address(), "-", "none");
        }
        return new Place(
                memory.byteSize(),
                memory.address(),
                address(memory, physical),
                Guarantees.text(physical.guarantee(memory)));
    }

    private String address(MemorySegment memory, PhysicalAllocator physical) {
        try {
            return physical.addressOf(memory).toString();
        } catch (PhysicalAddressException e) {
            notes.add("No physical addresses: " + e.getMessage());
            return e.reason().toString().toLowerCase(Locale.ROOT);
        }
    }
}
