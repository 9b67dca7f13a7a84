package dev.kernelalloc.cli;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;

/** Columns of the width of their contents. */
final class Table {

    private static final String GAP = "  ";

    private final List<List<String>> rows = new ArrayList<>();
    private final boolean[] right;

    /**
     * Creates a table with one line, its head.
     *
     * @param heads the heads of the columns; one that begins with {@code >} is aligned to the right
     */
    Table(String... heads) {
        right = new boolean[heads.length];
        List<String> first = new ArrayList<>();
        for (int column = 0; column < heads.length; column++) {
            right[column] = heads[column].startsWith(">");
            first.add(right[column] ? heads[column].substring(1) : heads[column]);
        }
        rows.add(first);
    }

    void add(Object... cells) {
        if (cells.length != right.length) {
            throw new IllegalArgumentException(
                    cells.length + " cells in a table of " + right.length + " columns");
        }
        List<String> row = new ArrayList<>();
        for (Object cell : cells) {
            row.add(cell.toString());
        }
        rows.add(row);
    }

    void print(PrintWriter out) {
        int[] widths = new int[right.length];
        for (List<String> row : rows) {
            for (int column = 0; column < widths.length; column++) {
                widths[column] = Math.max(widths[column], row.get(column).length());
            }
        }
        for (List<String> row : rows) {
            StringBuilder line = new StringBuilder();
            for (int column = 0; column < widths.length; column++) {
                String padding = " ".repeat(widths[column] - row.get(column).length());
                line.append(column == 0 ? "" : GAP)
                        .append(right[column] ? padding + row.get(column) : row.get(column))
                        .append(right[column] ? "" : padding);
            }
            out.println(line.toString().stripTrailing());
        }
    }
}
