package dev.kernelalloc.cli;

import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.physical.PagePolicy;
import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.physical.PhysicalRequest;
import dev.kernelalloc.physical.Provenance;

import org.jspecify.annotations.Nullable;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.Callable;

@Command(
        name = "map",
        description = {
            "Allocates memory as requested, and shows its physical layout.",
            "Sizes are written as 4096, 64KiB, 2M or 1GiB; units are powers of 1,024."
        },
        mixinStandardHelpOptions = true,
        versionProvider = Tool.Version.class,
        sortOptions = false,
        exitCodeListHeading = "%nExit codes:%n",
        exitCodeList = {
            "0:had, and no page was found elsewhere",
            "1:the allocation failed, or the picture cannot be written",
            "2:wrong usage",
            "3:a page was found elsewhere"
        })
final class MapCommand implements Callable<Integer> {

    @Option(
            names = "--size",
            paramLabel = "SIZE",
            defaultValue = "2MiB",
            description = "Size of each block (default: ${DEFAULT-VALUE}).")
    private ByteCount size;

    @Option(
            names = "--blocks",
            paramLabel = "N",
            defaultValue = "1",
            description = "Number of blocks (default: ${DEFAULT-VALUE}).")
    private int count;

    @Option(
            names = "--pages",
            paramLabel = "POLICY",
            defaultValue = "auto",
            completionCandidates = Names.OfPages.class,
            description = "Which pages: ${COMPLETION-CANDIDATES}.")
    private PagePolicy pages;

    @Option(
            names = "--guarantee",
            paramLabel = "SET",
            split = ",",
            defaultValue = "locked",
            completionCandidates = Names.OfGuarantees.class,
            description =
                    "Required guarantees, separated by commas: ${COMPLETION-CANDIDATES} (default:"
                            + " ${DEFAULT-VALUE}).")
    private Set<Guarantee> guarantees = EnumSet.noneOf(Guarantee.class);

    @Option(names = "--contiguous", description = "Each block in one physical piece.")
    private boolean contiguous;

    @Option(
            names = "--aligned",
            paramLabel = "SIZE",
            defaultValue = "1",
            description = "Of the address; of the physical one with --contiguous.")
    private ByteCount alignment;

    @Option(
            names = "--boundary",
            paramLabel = "SIZE",
            defaultValue = "0",
            description = "Boundary that no block crosses; with --contiguous.")
    private ByteCount boundary;

    @Option(
            names = "--below",
            paramLabel = "ADDRESS",
            description = "All physical addresses are lower, for example 4G; with --contiguous.")
    private @Nullable ByteCount below;

    @Option(names = "--node", paramLabel = "N", description = "The NUMA node, and no other.")
    private @Nullable Integer node;

    @Option(
            names = "--runs",
            paramLabel = "N",
            defaultValue = "16",
            description = "Maximum lines of the table, 0 for all (default: ${DEFAULT-VALUE}).")
    private int lines;

    @Option(
            names = "--picture",
            paramLabel = "FILE",
            description = "Draws it: a name that ends in .svg or .png.")
    private @Nullable Path picture;

    @Option(
            names = "--colour",
            paramLabel = "BY",
            defaultValue = "length",
            description = "Property that colours the runs: ${COMPLETION-CANDIDATES}.")
    private Colouring colouring;

    @Option(
            names = "--watch",
            arity = "0..1",
            paramLabel = "TIME",
            fallbackValue = "1s",
            description =
                    "Checks again at this interval (default: ${FALLBACK-VALUE}), and reports pages"
                            + " that have moved.")
    private @Nullable Duration interval;

    @Option(
            names = "--times",
            paramLabel = "N",
            defaultValue = "10",
            description = "Number of checks of --watch, 0 for ever (default: ${DEFAULT-VALUE}).")
    private int times;

    @Option(names = "--json", description = "For machines: one JSON object; not with --watch.")
    private boolean json;

    @Spec private CommandSpec spec;

    /** The object printed by {@code --json}; what is unknown is left out. */
    private record Report(
            String version,
            List<Block> blocks,
            List<String> declined,
            List<Piece> runs,
            @Nullable String scope,
            @Nullable String hidden,
            @Nullable String picture) {}

    private record Block(
            int block, long bytes, String virtualAddress, String guarantee, String from) {}

    private record Piece(
            int block,
            String virtualAddress,
            @Nullable String physicalAddress,
            long bytes,
            @Nullable Integer node) {}

    @Override
    public Integer call() throws InterruptedException {
        PhysicalRequest request = request();
        if (picture != null) {
            checkPicture(picture);
        }
        PrintWriter out = spec.commandLine().getOut();
        try (PhysicalAllocator physical = PhysicalAllocator.create()) {
            List<MemorySegment> blocks = new ArrayList<>();
            try {
                for (int block = 0; block < count; block++) {
                    blocks.add(physical.allocate(request));
                }
                return show(physical, blocks, out);
            } finally {
                blocks.forEach(physical::free);
            }
        }
    }

    private PhysicalRequest request() {
        if (count < 1 || lines < 0 || times < 0 || size.bytes() == 0) {
            throw wrong("--size and --blocks must be at least 1, --runs and --times at least 0");
        }
        if (below != null && below.bytes() == 0) {
            throw wrong("--below must be at least 1");
        }
        if (json && interval != null) {
            throw wrong("--json and --watch exclude each other");
        }
        if (picture != null && PictureFormat.of(picture).isEmpty()) {
            throw wrong(
                    String.format(
                            Locale.ROOT,
                            "--picture=%s: the name must end in .svg or .png",
                            picture));
        }
        try {
            PhysicalRequest.Builder request =
                    PhysicalRequest.ofBytes(size.bytes())
                            .pages(pages)
                            .atLeast(guarantees)
                            .aligned(alignment.bytes())
                            .boundary(boundary.bytes());
            if (contiguous) {
                request.contiguous();
            }
            if (below != null) {
                request.within(0, below.bytes() - 1);
            }
            if (node != null) {
                request.requireNode(node);
            }
            return request.build();
        } catch (IllegalArgumentException e) {
            throw wrong(String.valueOf(e.getMessage()));
        }
    }

    /** Before anything is allocated: memory in great amounts takes its time. */
    private static void checkPicture(Path file) {
        Path directory = file.toAbsolutePath().getParent();
        Path written = Files.exists(file) ? file : directory;
        if (!Files.isDirectory(directory)
                || Files.isDirectory(file)
                || !Files.isWritable(written)) {
            throw new UncheckedIOException(
                    new IOException(
                            String.format(
                                    Locale.ROOT,
                                    "cannot write the picture: file=%s; name a file in a directory"
                                            + " that exists and may be written",
                                    file)));
        }
        if (ModuleLayer.boot().findModule("java.desktop").isEmpty()) {
            throw cannotDraw("java.desktop is not in this runtime", null);
        }
    }

    private static UncheckedIOException cannotDraw(Object why, @Nullable Throwable cause) {
        return new UncheckedIOException(
                new IOException(
                        String.format(
                                        Locale.ROOT,
                                        "this Java cannot draw (%s): it needs the module"
                                                + " java.desktop, and fonts",
                                        why)
                                + " (apt-get install fontconfig fonts-dejavu-core)",
                        cause));
    }

    private ParameterException wrong(String message) {
        return new ParameterException(spec.commandLine(), message);
    }

    private int show(PhysicalAllocator physical, List<MemorySegment> blocks, PrintWriter out)
            throws InterruptedException {
        if (json) {
            List<Run> runs = Run.of(physical, blocks);
            if (picture != null) {
                draw(picture, runs);
            }
            out.println(Json.of(report(physical, blocks, runs)));
            return Tool.DONE;
        }
        printBlocks(physical, blocks, out);
        List<Run> runs = Run.of(physical, blocks);
        out.println();
        printRuns(runs, out);
        hidden(physical, blocks.getFirst(), out);
        if (picture != null) {
            draw(picture, runs);
            out.println("\npicture: " + picture);
        }
        out.flush();
        return interval == null
                ? Tool.DONE
                : new Watch(physical::verify, interval, times, out).run();
    }

    private Report report(PhysicalAllocator physical, List<MemorySegment> blocks, List<Run> runs) {
        List<Block> places = new ArrayList<>();
        for (MemorySegment block : blocks) {
            places.add(
                    new Block(
                            places.size(),
                            block.byteSize(),
                            hex(block.address()),
                            Guarantees.text(physical.guarantee(block)),
                            physical.provenance(block).backing().toString()));
        }
        List<Piece> pieces = new ArrayList<>();
        for (Run run : runs) {
            pieces.add(
                    new Piece(
                            run.block(),
                            hex(run.virtual()),
                            run.physical().map(extent -> extent.start().toString()).orElse(null),
                            run.bytes(),
                            run.node().isPresent() ? run.node().getAsInt() : null));
        }
        String scope = null;
        String hidden = null;
        try {
            scope = Names.lower(physical.addressOf(blocks.getFirst()).scope());
        } catch (PhysicalAddressException e) {
            hidden = e.getMessage();
        }
        return new Report(
                Tool.Version.number(),
                places,
                physical.provenance(blocks.getFirst()).declined().stream()
                        .map(Provenance.Declined::toString)
                        .toList(),
                pieces,
                scope,
                hidden,
                picture == null ? null : picture.toString());
    }

    /** A Java may come without what draws, or a system without fonts. */
    private void draw(Path file, List<Run> runs) {
        try {
            new MapPicture(file, PictureFormat.of(file).orElseThrow(), colouring).write(runs);
        } catch (LinkageError | InternalError e) {
            throw cannotDraw(e, e);
        }
    }

    private static void printBlocks(
            PhysicalAllocator physical, List<MemorySegment> blocks, PrintWriter out) {
        Table table = new Table("block", ">bytes", "virtual", "guarantee", "from");
        for (int index = 0; index < blocks.size(); index++) {
            MemorySegment block = blocks.get(index);
            table.add(
                    index,
                    block.byteSize(),
                    hex(block.address()),
                    Guarantees.text(physical.guarantee(block)),
                    physical.provenance(block).backing());
        }
        table.print(out);
        List<Provenance.Declined> declined = physical.provenance(blocks.getFirst()).declined();
        for (Provenance.Declined one : declined) {
            out.println("not from " + one);
        }
    }

    private void printRuns(List<Run> runs, PrintWriter out) {
        Table table = new Table("run", "block", "virtual", "physical", ">bytes", "length", "node");
        int shown = lines == 0 ? runs.size() : Math.min(lines, runs.size());
        for (int index = 0; index < shown; index++) {
            Run run = runs.get(index);
            table.add(
                    index,
                    run.block(),
                    hex(run.virtual()),
                    run.physical().map(extent -> extent.start().toString()).orElse("hidden"),
                    run.bytes(),
                    ByteCount.text(run.bytes()),
                    run.node().isPresent() ? run.node().getAsInt() : "-");
        }
        table.print(out);
        if (shown < runs.size()) {
            out.println(
                    String.format(
                            Locale.ROOT,
                            "and %d more: --runs 0 shows all of them",
                            runs.size() - shown));
        }
        long longest = runs.stream().mapToLong(Run::bytes).max().orElse(0);
        out.println(
                String.format(
                        Locale.ROOT,
                        "%d run%s, the longest of %s",
                        runs.size(),
                        runs.size() == 1 ? "" : "s",
                        ByteCount.text(longest)));
    }

    /** Says why there are no addresses, where there are none, and whose they are otherwise. */
    private static void hidden(PhysicalAllocator physical, MemorySegment block, PrintWriter out) {
        try {
            out.println(
                    switch (physical.addressOf(block).scope()) {
                        case HOST -> "Physical addresses are the machine's.";
                        case GUEST ->
                                "Physical addresses are a guest's: this machine is a virtual one.";
                        case UNKNOWN -> "Physical addresses are those that this system sees.";
                    });
        } catch (PhysicalAddressException e) {
            out.println(
                    "No physical addresses, so a run is a piece on one node: " + e.getMessage());
        }
    }

    private static String hex(long address) {
        return String.format(Locale.ROOT, "0x%016x", address);
    }
}
