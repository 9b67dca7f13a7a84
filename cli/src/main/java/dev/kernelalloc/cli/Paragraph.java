package dev.kernelalloc.cli;

import java.util.ArrayList;
import java.util.List;

/** Breaks a text into lines at its spaces. */
final class Paragraph {

    private Paragraph() {}

    /**
     * Returns the lines of a text, each of at most that many columns; a word that is longer has a
     * line of its own. Joined by spaces they are the text.
     */
    static List<String> lines(String text, int columns) {
        List<String> lines = new ArrayList<>();
        int start = 0;
        while (text.length() - start > columns) {
            int end = text.lastIndexOf(' ', start + columns);
            if (end <= start) {
                end = text.indexOf(' ', start + columns);
            }
            if (end < 0) {
                break;
            }
            lines.add(text.substring(start, end));
            start = end + 1;
        }
        lines.add(text.substring(start));
        return lines;
    }
}
