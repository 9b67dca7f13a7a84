package dev.kernelalloc;

import dev.kernelalloc.AllocatorStats.Amount;
import dev.kernelalloc.AllocatorStats.Chunks;
import dev.kernelalloc.AllocatorStats.SizeClass;
import dev.kernelalloc.physical.Guarantee;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/** Statistics as a person reads them: where blocks are, of which sizes, and in what memory. */
record StatsTable(AllocatorStats stats) {

    /** One array per row; the first cell is aligned to the left, numbers to the right. */
    private record Row(List<String> cells) {
        static Row of(Object... cells) {
            List<String> texts = new ArrayList<>();
            for (Object cell : cells) {
                texts.add(
                        cell instanceof Long number
                                ? String.format(Locale.ROOT, "%,d", number)
                                : cell.toString());
            }
            return new Row(texts);
        }
    }

    @Override
    public String toString() {
        StringBuilder text = new StringBuilder("'").append(stats.tag()).append("'");
        if (stats.allocators() > 1) {
            text.append(", ").append(stats.allocators()).append(" allocators");
        }
        text.append('\n');
        append(text, places());
        append(text, sizes());
        append(text, memory());
        append(text, refusals());
        return text.toString();
    }

    private List<Row> places() {
        return List.of(
                Row.of("", "blocks", "bytes"),
                row("live", stats.live()),
                row("cached", stats.cached()),
                row("remote", stats.remote()),
                row("free", stats.free()),
                row("quarantined", stats.quarantined()),
                row("capacity", stats.capacity()),
                Row.of("at most", "", stats.peakBytes()));
    }

    private static Row row(String place, Amount amount) {
        return Row.of(place, amount.blocks(), amount.bytes());
    }

    private List<Row> sizes() {
        List<Row> rows = new ArrayList<>();
        rows.add(Row.of("size", "slabs", "live", "cached", "remote", "free", "quarantined"));
        for (SizeClass one : stats.sizeClasses()) {
            rows.add(
                    Row.of(
                            String.format(Locale.ROOT, "%,d", one.blockBytes()),
                            one.slabs(),
                            one.live(),
                            one.cached(),
                            one.remote(),
                            one.free(),
                            one.quarantined()));
        }
        AllocatorStats.Large large = stats.large();
        if (!large.equals(AllocatorStats.Large.NONE)) {
            rows.add(
                    Row.of(
                            "larger",
                            "",
                            large.live().blocks(),
                            "",
                            "",
                            large.free().blocks(),
                            large.quarantined().blocks()));
        }
        return rows;
    }

    private List<Row> memory() {
        List<Row> rows = new ArrayList<>();
        rows.add(Row.of("memory of", "pieces", "bytes", "promised"));
        for (Chunks one : stats.chunks()) {
            rows.add(Row.of(one.kind(), one.count(), one.bytes(), promised(one)));
        }
        return rows;
    }

    private static String promised(Chunks chunks) {
        return chunks.guarantees().isEmpty()
                ? "nothing"
                : chunks.guarantees().stream()
                        .sorted()
                        .map(Guarantee::name)
                        .map(name -> name.toLowerCase(Locale.ROOT))
                        .collect(Collectors.joining("+"));
    }

    private List<Row> refusals() {
        List<Row> rows = new ArrayList<>();
        rows.add(Row.of("refused", "requests"));
        for (Map.Entry<AllocationException.Reason, Long> one :
                new TreeMap<>(stats.refusals()).entrySet()) {
            rows.add(Row.of(one.getKey(), one.getValue()));
        }
        return rows;
    }

    /** A table without rows is left out. */
    private static void append(StringBuilder text, List<Row> rows) {
        if (rows.size() == 1) {
            return;
        }
        int columns = rows.getFirst().cells.size();
        int[] widths = new int[columns];
        for (Row row : rows) {
            for (int i = 0; i < columns; i++) {
                widths[i] = Math.max(widths[i], row.cells.get(i).length());
            }
        }
        text.append('\n');
        for (Row row : rows) {
            StringBuilder line = new StringBuilder();
            for (int i = 0; i < columns; i++) {
                String padding = " ".repeat(widths[i] - row.cells.get(i).length());
                String cell = row.cells.get(i);
                line.append(i == 0 ? cell + padding : "  " + padding + cell);
            }
            text.append(line.toString().stripTrailing()).append('\n');
        }
    }
}
