package dev.kernelalloc.benchmarks;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/** The measurements as a table in Markdown. */
final class Table {

    private Table() {}

    static String of(List<Row> rows, Map<Case, List<Measured>> measured) {
        StringBuilder table = new StringBuilder();
        table.append(
                """
                | work | ns | B | compared with | its ns | ratio (least, most) | bar |
                |---|---:|---:|---|---:|---:|---:|
                """);
        for (Row row : rows) {
            List<Measured> subject = measured.get(row.subject());
            List<Measured> reference = measured.get(row.reference());
            double[] ratios =
                    IntStream.range(0, subject.size())
                            .mapToDouble(i -> subject.get(i).nanos() / reference.get(i).nanos())
                            .toArray();
            double ratio = median(ratios);
            table.append(
                    "| %s | %s | %.2f | %s | %s | %.2f (%.2f, %.2f) | %s |%n"
                            .formatted(
                                    row.name(),
                                    nanos(subject),
                                    median(subject.stream().mapToDouble(Measured::bytes).toArray()),
                                    row.reference().method(),
                                    nanos(reference),
                                    ratio,
                                    Arrays.stream(ratios).min().orElseThrow(),
                                    Arrays.stream(ratios).max().orElseThrow(),
                                    bar(ratio, row.bar())));
        }
        return table.toString();
    }

    private static String bar(double ratio, double bar) {
        if (Double.isNaN(bar)) {
            return "";
        }
        return "≤ %.2f %s".formatted(bar, ratio <= bar ? "reached" : "**missed**");
    }

    private static String nanos(List<Measured> forks) {
        double nanos = median(forks.stream().mapToDouble(Measured::nanos).toArray());
        return nanos < 100 ? "%.2f".formatted(nanos) : "%,.0f".formatted(nanos);
    }

    private static double median(double[] values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        int middle = sorted.length / 2;
        return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }
}
