package dev.kernelalloc.benchmarks;

import java.util.LinkedHashSet;
import java.util.List;
import java.util.SequencedSet;

/**
 * A row of the table.
 *
 * @param work the work
 * @param subject the case that does it
 * @param figure the figure reported
 * @param reference the reference to compare with
 * @param bar the bar for the ratio, or for the figure itself without a reference
 */
public record Row(String work, Case subject, Figure figure, Reference reference, Bar bar) {

    /** Time beside other time. */
    public static Row time(String work, Case subject, Reference reference, Bar bar) {
        return new Row(work, subject, Figure.NANOS, reference, bar);
    }

    /** A figure that has a bar of its own. */
    public static Row figure(String work, Case subject, Figure figure, Bar bar) {
        return new Row(work, subject, figure, Reference.NOTHING, bar);
    }

    /** Every case of some rows once, each beside those it is compared with. */
    static SequencedSet<Case> cases(List<Row> rows) {
        SequencedSet<Case> cases = new LinkedHashSet<>();
        for (Row row : rows) {
            switch (row.reference) {
                case Reference.Nothing _ -> {}
                case Reference.Best best -> cases.addAll(best.cases());
            }
            cases.add(row.subject);
        }
        return cases;
    }

    /** Returns the text that {@code --only} matches. */
    String name() {
        return work + ", " + subject.label();
    }
}
