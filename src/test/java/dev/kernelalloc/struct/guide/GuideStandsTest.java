package dev.kernelalloc.struct.guide;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Every Java block of docs/structs.md stands in {@link GuideTest}, and every marked part of it in
 * the guide.
 */
class GuideStandsTest {

    private static final Path ROOT = Path.of(System.getProperty("project.basedir", "."));

    @Test
    void guideAndExamplesAreTheSame() throws IOException {
        Path examples = ROOT.resolve("src/test/java/dev/kernelalloc/struct/guide/GuideTest.java");
        List<String> parts =
                find(Files.readString(examples), "(?ms)^ *// guide: \\S+\\n(.*?)^ *// end$");
        List<String> blocks =
                find(
                        Files.readString(ROOT.resolve("docs/structs.md")),
                        "(?ms)^```java\\n(.*?)^```$");
        assertThat(blocks).containsExactlyInAnyOrderElementsOf(parts).hasSizeGreaterThan(20);
    }

    private static List<String> find(String text, String pattern) {
        List<String> found = new ArrayList<>();
        Matcher matcher = Pattern.compile(pattern).matcher(text);
        while (matcher.find()) {
            found.add(matcher.group(1).stripTrailing().stripIndent());
        }
        return found;
    }
}
