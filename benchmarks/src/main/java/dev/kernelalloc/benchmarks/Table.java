package dev.kernelalloc.benchmarks;

import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * The measurements as a table in Markdown.
 *
 * @param rows in the order of the table
 * @param measured one a round for every case of the rows
 */
record Table(List<Row> rows, Map<Case, List<Measured>> measured) {

    @Override
    public String toString() {
        StringBuilder table = new StringBuilder();
        table.append(
                """
                | work | by | median (least, most) | heap B | compared with | its median | ratio (least, most) | bar |
                |---|---|---:|---:|---|---:|---:|---|
                """);
        int reached = 0;
        int missed = 0;
        for (Row row : rows) {
            table.append(line(row)).append(System.lineSeparator());
            if (row.bar().isSet()) {
                if (row.bar().isReached(judged(row).median())) {
                    reached++;
                } else {
                    missed++;
                }
            }
        }
        table.append("%nBars: %d reached, %d not.%n".formatted(reached, missed));
        return table.toString();
    }

    private String line(Row row) {
        String subject =
                "| %s | %s | %s %s | %s |"
                        .formatted(
                                row.work(),
                                row.subject().label(),
                                samples(row.subject(), row.figure()),
                                row.figure().unit(),
                                heapBytes(row.subject()));
        String compared =
                switch (row.reference()) {
                    case Reference.Nothing _ -> " | | |";
                    case Reference.Best best -> compared(row, best);
                };
        return subject + compared + " " + verdict(row) + " |";
    }

    private String compared(Row row, Reference.Best best) {
        if (best.cases().isEmpty()) {
            return " %s: not on this machine | | |".formatted(best.name());
        }
        Case winner =
                best.cases().stream()
                        .min(Comparator.comparingDouble(one -> samples(one, row.figure()).median()))
                        .orElseThrow();
        String name = best.cases().size() == 1 ? best.name() : best.name() + ": " + winner.label();
        return " %s | %s %s | %s |"
                .formatted(
                        name,
                        Samples.text(samples(winner, row.figure()).median()),
                        row.figure().unit(),
                        judged(row));
    }

    private String verdict(Row row) {
        if (!row.bar().isSet()) {
            return "";
        }
        double value = judged(row).median();
        String verdict =
                Double.isNaN(value)
                        ? "**not measured**"
                        : row.bar().isReached(value) ? "reached" : "**missed**";
        return row.bar().text() + " " + verdict;
    }

    /**
     * Returns the value that the bar applies to: the figure, or its ratio to the reference inside
     * each round.
     */
    private Samples judged(Row row) {
        Samples subject = samples(row.subject(), row.figure());
        return switch (row.reference()) {
            case Reference.Nothing _ -> subject;
            case Reference.Best best -> subject.over(best(best, row.figure()));
        };
    }

    /** A failed case is not the best, unless all failed. */
    private Samples best(Reference.Best best, Figure figure) {
        return new Samples(
                IntStream.range(0, rounds())
                        .mapToDouble(
                                round ->
                                        best.cases().stream()
                                                .mapToDouble(
                                                        one ->
                                                                measured.get(one)
                                                                        .get(round)
                                                                        .get(figure))
                                                .filter(value -> !Double.isNaN(value))
                                                .min()
                                                .orElse(Double.NaN))
                        .toArray());
    }

    private String heapBytes(Case one) {
        return measured.get(one).getFirst().figures().containsKey(Figure.HEAP_BYTES)
                ? Samples.text(samples(one, Figure.HEAP_BYTES).median())
                : "";
    }

    private Samples samples(Case one, Figure figure) {
        return new Samples(
                measured.get(one).stream().mapToDouble(fork -> fork.get(figure)).toArray());
    }

    private int rounds() {
        return measured.values().iterator().next().size();
    }
}
