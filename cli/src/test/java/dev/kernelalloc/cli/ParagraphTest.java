package dev.kernelalloc.cli;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.util.List;

class ParagraphTest {

    @Test
    @DisplayName("Lines break at the last space that fits, and a longer word stays whole")
    void lines_ofText_breakAtSpaces() {
        assertThat(Paragraph.lines("one two three", 7)).containsExactly("one two", "three");
        assertThat(Paragraph.lines("one two three", 6)).containsExactly("one", "two", "three");
        assertThat(Paragraph.lines("one two three", 13)).containsExactly("one two three");
        assertThat(Paragraph.lines("/proc/self/status is long", 5))
                .containsExactly("/proc/self/status", "is", "long");
        assertThat(Paragraph.lines("/proc/self/status", 5)).containsExactly("/proc/self/status");
        assertThat(Paragraph.lines("", 5)).containsExactly("");
    }

    @Test
    @DisplayName("At any width the lines are the text, and those of short words fit")
    void lines_atEachWidth_areTheText() {
        String text = "a page may be moved by the kernel unless it is pinned, so ask for a pin";
        for (int columns = "pinned,".length(); columns <= text.length() + 1; columns++) {
            List<String> lines = Paragraph.lines(text, columns);
            assertThat(String.join(" ", lines)).isEqualTo(text);
            int most = columns;
            assertThat(lines).allMatch(line -> line.length() <= most);
        }
    }
}
