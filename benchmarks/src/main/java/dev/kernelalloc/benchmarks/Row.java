package dev.kernelalloc.benchmarks;

import java.util.LinkedHashSet;
import java.util.List;
import java.util.SequencedSet;

/**
 * A line of the table.
 *
 * @param name the work
 * @param subject what is measured
 * @param reference what it is compared with
 * @param bar the ratio to it that must be reached; {@link #REPORTED} where there is no bar
 */
public record Row(String name, Case subject, Case reference, double bar) {

    /** Instead of a bar: the figure is only reported. */
    public static final double REPORTED = Double.NaN;

    /** Every case of some rows once, each beside the one it is compared with. */
    static SequencedSet<Case> cases(List<Row> rows) {
        SequencedSet<Case> cases = new LinkedHashSet<>();
        for (Row row : rows) {
            cases.add(row.reference());
            cases.add(row.subject());
        }
        return cases;
    }
}
