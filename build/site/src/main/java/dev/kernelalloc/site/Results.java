package dev.kernelalloc.site;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The rows of the tables in {@code benchmarks/RESULTS.md}, in their order: a row that was published
 * again stands further up.
 *
 * @param rows the rows that compare a time in nanoseconds
 */
record Results(List<Row> rows) {

    private static final Pattern NANOS = Pattern.compile("([0-9.,]+) (?:\\(.*\\) )?ns");

    /** Columns: work, by, median, Java heap, compared with, its median. */
    private static final int COLUMNS = 6;

    /**
     * A comparison.
     *
     * @param work the work that is measured
     * @param by who does it
     * @param nanos the median
     * @param peer who it is compared with
     * @param peerNanos the median of that
     */
    record Row(String work, String by, double nanos, String peer, double peerNanos) {}

    static Results read(Path file) throws IOException {
        List<Row> rows = new ArrayList<>();
        for (String line : Files.readAllLines(file)) {
            String[] cells = line.split("\\s*\\|\\s*", -1);
            // The line begins with a bar, so that the first cell is empty.
            if (cells.length > COLUMNS) {
                Optional<Double> nanos = nanos(cells[3]);
                Optional<Double> peer = nanos(cells[6]);
                if (nanos.isPresent() && peer.isPresent()) {
                    rows.add(new Row(cells[1], cells[2], nanos.get(), cells[5], peer.get()));
                }
            }
        }
        return new Results(List.copyOf(rows));
    }

    private static Optional<Double> nanos(String cell) {
        Matcher matcher = NANOS.matcher(cell);
        return matcher.matches()
                ? Optional.of(Double.parseDouble(matcher.group(1).replace(",", "")))
                : Optional.empty();
    }

    /** Returns the newest row, if the work has one with a peer whose name begins like that. */
    Optional<Row> find(String work, String by, String peer) {
        return rows.stream()
                .filter(row -> row.work().equals(work) && row.by().equals(by))
                .filter(row -> row.peer().startsWith(peer))
                .findFirst();
    }
}
