package dev.kernelalloc.site;

import org.jfree.svg.SVGGraphics2D;
import org.knowm.xchart.HorizontalBarChart;
import org.knowm.xchart.HorizontalBarChartBuilder;
import org.knowm.xchart.style.HorizontalBarStyler;
import org.knowm.xchart.style.Styler;

import java.awt.Color;
import java.awt.Font;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * The charts of the benchmarks, one per group of rows: ours, the best allocator that is called from
 * Java, the best in C, and glibc.
 */
final class Charts {

    private static final int WIDTH = 860;
    private static final int HEIGHT_OF_A_ROW = 82;
    private static final int HEIGHT_OF_THE_REST = 110;

    /** Below each other in a chart, and in its legend. */
    private enum Bar {
        OURS("Kernel-Alloc", "", new Color(0x0072B2)),
        JAVA("best peer from Java", "best Java peer", new Color(0xE69F00)),
        BEST_C("best in C", "best C", new Color(0x009E73)),
        GLIBC("C, glibc", "C glibc", new Color(0x999999));

        final String label;
        final String peer;
        final Color colour;

        Bar(String label, String peer, Color colour) {
            this.label = label;
            this.peer = peer;
            this.colour = colour;
        }

        Optional<Double> nanos(Results results, Work work) {
            return this == OURS
                    ? results.find(work.name, work.by, "").map(Results.Row::nanos)
                    : results.find(work.name, work.by, peer).map(Results.Row::peerNanos);
        }
    }

    private record Work(String name, String by) {}

    /** A file name, a title, and the rows from the top to the bottom. */
    private record Group(String file, String title, List<Work> works) {

        static Group of(String file, String title, String by, String... names) {
            List<Work> works = new ArrayList<>();
            for (String name : names) {
                works.add(new Work(name, by));
            }
            return new Group(file, title, works);
        }
    }

    private static final List<Group> GROUPS =
            List.of(
                    Group.of(
                            "blocks",
                            "allocate, touch, free",
                            "raw",
                            "one block of 64 B",
                            "one block of 64 B, zeroed",
                            "one block of 64 B @ 64",
                            "one block of 4 KiB @ 4096"),
                    Group.of(
                            "live",
                            "replace one of many live blocks",
                            "raw",
                            "1,000 live of mixed sizes, one replaced",
                            "100,000 live of mixed sizes, one replaced",
                            "4 KiB, 64 live",
                            "64 KiB, 64 live"),
                    Group.of(
                            "threads",
                            "threads that share and hand over blocks",
                            "raw",
                            "larson",
                            "xmalloc",
                            "cache-scratch",
                            "mstress"));

    private final Results results;

    private Charts(Results results) {
        this.results = results;
    }

    /** Draws all charts from the results, the first argument, into the directory, the second. */
    public static void main(String[] arguments) throws IOException {
        write(Path.of(arguments[0]), Path.of(arguments[1]));
    }

    private static void write(Path results, Path directory) throws IOException {
        Charts charts = new Charts(Results.read(results));
        Files.createDirectories(directory);
        for (Group group : GROUPS) {
            Path file = directory.resolve(group.file() + ".svg");
            Files.writeString(file, svg(charts.draw(group), group.file()) + "\n");
        }
    }

    /** Text is drawn as outlines, so that the picture looks the same where a font is missing. */
    private static String svg(HorizontalBarChart chart, String prefix) {
        SVGGraphics2D graphics = new SVGGraphics2D(chart.getWidth(), chart.getHeight());
        graphics.setGeomDoubleConverter(Charts::rounded);
        graphics.setDefsKeyPrefix(prefix);
        chart.paint(graphics, chart.getWidth(), chart.getHeight());
        return graphics.getSVGElement(null, true, null, null, null);
    }

    private static String rounded(double value) {
        return String.format(Locale.ROOT, "%.1f", value);
    }

    private HorizontalBarChart draw(Group group) {
        HorizontalBarChart chart =
                new HorizontalBarChartBuilder()
                        .width(WIDTH)
                        .height(HEIGHT_OF_THE_REST + HEIGHT_OF_A_ROW * group.works().size())
                        .title(group.title() + ": nanoseconds, less is better")
                        .build();
        List<String> names = group.works().stream().map(Work::name).toList();
        for (Bar bar : Bar.values()) {
            List<Double> nanos = group.works().stream().map(work -> nanos(bar, work)).toList();
            chart.addSeries(bar.label, nanos, names).setFillColor(bar.colour);
        }
        style(chart.getStyler());
        return chart;
    }

    private double nanos(Bar bar, Work work) {
        return bar.nanos(results, work)
                .orElseThrow(
                        () ->
                                new IllegalStateException(
                                        String.format(
                                                Locale.ROOT,
                                                "no row: work=%s by=%s compared with=%s; measure"
                                                        + " it, or change the groups in Charts",
                                                work.name,
                                                work.by,
                                                bar.peer)));
    }

    private static void style(HorizontalBarStyler styler) {
        Font font = new Font(Font.SANS_SERIF, Font.PLAIN, 13);
        styler.setLabelsVisible(true);
        styler.setLabelsFont(font);
        styler.setLabelsPosition(0.5);
        styler.setAvailableSpaceFill(0.85);
        styler.setDecimalPattern("#,##0.#");
        styler.setLocale(Locale.ROOT);
        styler.setAxisTickLabelsFont(font);
        styler.setLegendFont(font);
        styler.setLegendPosition(Styler.LegendPosition.OutsideS);
        styler.setLegendLayout(Styler.LegendLayout.Horizontal);
        styler.setLegendBorderColor(Color.WHITE);
        styler.setChartBackgroundColor(Color.WHITE);
        styler.setPlotBorderVisible(false);
    }
}
