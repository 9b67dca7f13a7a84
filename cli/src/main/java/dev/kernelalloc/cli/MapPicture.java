package dev.kernelalloc.cli;

import org.knowm.xchart.ChartEncoder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.Styler;
import org.knowm.xchart.style.markers.SeriesMarkers;

import java.awt.BasicStroke;
import java.awt.Color;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/** Runs as strokes in a plane of what was allocated, to the right, and physical memory, upward. */
final class MapPicture {

    /** Beyond that strokes cover each other, and a viewer takes long. */
    static final int MOST_STROKES = 4000;

    private static final int WIDTH = 1000;
    private static final int HEIGHT = 560;

    /** A run of one page is a dot of that size. */
    private static final float STROKE_WIDTH = 5;

    /** Colours of Okabe and Ito, distinguishable for everyone. */
    private static final List<Color> COLOURS =
            List.of(
                    new Color(0x0072B2),
                    new Color(0xE69F00),
                    new Color(0x009E73),
                    new Color(0xD55E00),
                    new Color(0xCC79A7),
                    new Color(0x56B4E9));

    private static final long MIB = 1L << 20;
    private static final long GIB = 1L << 30;

    private final Path file;
    private final PictureFormat format;
    private final Colouring colouring;

    MapPicture(Path file, PictureFormat format, Colouring colouring) {
        this.file = file;
        this.format = format;
        this.colouring = colouring;
    }

    /**
     * Writes it; an existing file is replaced.
     *
     * @throws UncheckedIOException when it cannot be written
     */
    void write(List<Run> runs) {
        XYChart chart = chart(runs);
        try (OutputStream out = Files.newOutputStream(file)) {
            ChartEncoder.saveChart(chart, out, format.toString());
        } catch (IOException e) {
            throw new UncheckedIOException(
                    new IOException("cannot write the picture: " + e.getMessage(), e));
        }
    }

    private XYChart chart(List<Run> runs) {
        List<Run> drawn =
                runs.size() <= MOST_STROKES
                        ? runs
                        : runs.stream()
                                .sorted(Comparator.comparingLong(Run::bytes).reversed())
                                .limit(MOST_STROKES)
                                .toList();
        boolean placed = runs.stream().allMatch(run -> run.physical().isPresent());
        long bytes = runs.stream().mapToLong(Run::bytes).sum();
        long right = bytes >= 4 * GIB ? GIB : MIB;
        long up = span(runs) >= 4 * GIB ? GIB : MIB;
        XYChart chart =
                new XYChartBuilder()
                        .width(WIDTH)
                        .height(HEIGHT)
                        .title(title(runs.size(), drawn.size(), bytes))
                        .xAxisTitle("virtual: byte of the allocated memory, in " + unit(right))
                        .yAxisTitle(placed ? "physical: address, in " + unit(up) : "NUMA node")
                        .build();
        style(chart);
        List<String> classes = new ArrayList<>();
        for (Run run : drawn) {
            String name = colouring.of(run);
            boolean first = !classes.contains(name);
            if (first) {
                classes.add(name);
            }
            double from = (double) run.offset() / right;
            double to = (double) (run.offset() + run.bytes()) / right;
            double low =
                    placed
                            ? (double) run.physical().orElseThrow().start().value() / up
                            : run.node().orElse(0);
            double high = placed ? (double) run.physical().orElseThrow().end() / up : low;
            XYSeries series =
                    chart.addSeries(
                            String.format(Locale.ROOT, "%d at %d", run.block(), run.offset()),
                            new double[] {from, to},
                            new double[] {low, high});
            series.setLabel(name);
            series.setShowInLegend(first);
            series.setMarker(SeriesMarkers.NONE);
            series.setLineColor(COLOURS.get(classes.indexOf(name) % COLOURS.size()));
            series.setLineStyle(
                    new BasicStroke(STROKE_WIDTH, BasicStroke.CAP_ROUND, BasicStroke.JOIN_ROUND));
        }
        return chart;
    }

    private static void style(XYChart chart) {
        chart.getStyler().setChartBackgroundColor(Color.WHITE);
        chart.getStyler().setLegendPosition(Styler.LegendPosition.OutsideS);
        chart.getStyler().setLegendLayout(Styler.LegendLayout.Horizontal);
        chart.getStyler().setLegendBorderColor(Color.WHITE);
        chart.getStyler().setLocale(Locale.ROOT);
        chart.getStyler().setYAxisDecimalPattern("#,##0.##");
        chart.getStyler().setXAxisDecimalPattern("#,##0.###");
    }

    private static long span(List<Run> runs) {
        long lowest = Long.MAX_VALUE;
        long highest = 0;
        for (Run run : runs) {
            if (run.physical().isPresent()) {
                lowest = Math.min(lowest, run.physical().get().start().value());
                highest = Math.max(highest, run.physical().get().end());
            }
        }
        return Math.max(0, highest - lowest);
    }

    private static String unit(long bytes) {
        return bytes == GIB ? "GiB" : "MiB";
    }

    private String title(int runs, int drawn, long bytes) {
        String all =
                String.format(
                        Locale.ROOT,
                        "%s in %d run%s",
                        ByteCount.text(bytes),
                        runs,
                        runs == 1 ? "" : "s");
        return String.format(
                Locale.ROOT,
                "%s%s, coloured by %s",
                all,
                drawn < runs ? " (the " + drawn + " longest)" : "",
                colouring);
    }
}
