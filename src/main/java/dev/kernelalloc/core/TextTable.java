package dev.kernelalloc.core;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Rows of cells, as a person reads them: the first column is aligned to the left, others right. */
public final class TextTable {

    private final List<List<String>> rows = new ArrayList<>();

    /** Creates a table with the names of its columns. */
    public TextTable(String... columns) {
        rows.add(List.of(columns));
    }

    /** Adds a row of as many cells as there are columns; numbers get separators. */
    public void add(Object... cells) {
        List<String> texts = new ArrayList<>();
        for (Object cell : cells) {
            texts.add(
                    cell instanceof Long number
                            ? String.format(Locale.ROOT, "%,d", number)
                            : cell.toString());
        }
        rows.add(texts);
    }

    /** Returns an empty line and the table, or nothing if no row was added. */
    @Override
    public String toString() {
        if (rows.size() == 1) {
            return "";
        }
        int columns = rows.getFirst().size();
        int[] widths = new int[columns];
        for (List<String> row : rows) {
            for (int i = 0; i < columns; i++) {
                widths[i] = Math.max(widths[i], row.get(i).length());
            }
        }
        StringBuilder text = new StringBuilder("\n");
        for (List<String> row : rows) {
            StringBuilder line = new StringBuilder();
            for (int i = 0; i < columns; i++) {
                String cell = row.get(i);
                String padding = " ".repeat(widths[i] - cell.length());
                line.append(i == 0 ? cell + padding : "  " + padding + cell);
            }
            text.append(line.toString().stripTrailing()).append('\n');
        }
        return text.toString();
    }
}
