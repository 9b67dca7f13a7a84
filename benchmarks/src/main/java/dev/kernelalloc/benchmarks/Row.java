package dev.kernelalloc.benchmarks;

import java.util.LinkedHashSet;
import java.util.List;
import java.util.SequencedSet;

/**
 * A line of the table.
 *
 * @param work what is done
 * @param subject who does it
 * @param figure what is told of it
 * @param reference what that is held against
 * @param bar what the ratio to it must reach, or the figure itself where it is held against nothing
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

    /** What {@code --only} looks at. */
    String name() {
        return work + ", " + subject.label();
    }
}
