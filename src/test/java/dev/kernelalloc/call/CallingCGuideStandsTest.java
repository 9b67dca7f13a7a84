package dev.kernelalloc.call;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;

class CallingCGuideStandsTest {

    private static final Path ROOT = Path.of(System.getProperty("project.basedir", "."));

    @Test
    @DisplayName("Every Java block of docs/calling-c.md is one that CallingCGuideTest runs")
    void guide_javaBlocks_areThoseOfTheTest() throws IOException {
        String test = "src/test/java/dev/kernelalloc/call/CallingCGuideTest.java";
        assertThat(find("docs/calling-c.md", "(?ms)^```java\\n(.*?)^```$"))
                .containsExactlyInAnyOrderElementsOf(
                        find(test, "(?ms)^ *// guide: \\S+\\n(.*?)^ *// end$"))
                .hasSizeGreaterThan(9);
    }

    private static List<String> find(String file, String pattern) throws IOException {
        return Pattern.compile(pattern)
                .matcher(Files.readString(ROOT.resolve(file)))
                .results()
                .map(found -> found.group(1).stripTrailing().stripIndent())
                .toList();
    }
}
