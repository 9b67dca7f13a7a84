package dev.kernelalloc.guide;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.testing.TestSources;

import org.junit.jupiter.api.Test;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Every Java block of docs/containers.md stands in a guide test of this package, and every marked
 * part of them in the guide; and every test that its tables name exists.
 */
class ContainersGuideStandsTest {

    private static final Path ROOT = Path.of(System.getProperty("project.basedir", "."));
    private static final Path TESTS = ROOT.resolve("src/test/java/dev/kernelalloc");

    @Test
    void guideAndExamplesAreTheSame() throws IOException {
        List<String> parts = new ArrayList<>();
        try (Stream<Path> files = Files.list(TESTS.resolve("guide"))) {
            for (Path file : files.filter(f -> f.toString().endsWith("GuideTest.java")).toList()) {
                parts.addAll(
                        find(Files.readString(file), "(?ms)^ *// guide: \\S+\\n(.*?)^ *// end$"));
            }
        }
        assertThat(find(guide(), "(?ms)^```java\\n(.*?)^```$"))
                .containsExactlyInAnyOrderElementsOf(parts)
                .hasSizeGreaterThan(9);
    }

    @Test
    void everyTestThatATableNamesExists() throws IOException {
        List<MatchResult> named =
                Pattern.compile("\\| `(\\w+Test)\\.(\\w+)` \\|$", Pattern.MULTILINE)
                        .matcher(guide())
                        .results()
                        .toList();
        long rows = find(guide(), "(?m)^(\\| .*Test\\..*)$").size();
        assertThat(named).hasSizeGreaterThan(60).hasSize((int) rows);
        for (MatchResult test : named) {
            assertThat(Files.readString(TestSources.find(test.group(1))))
                    .contains("void " + test.group(2) + "(");
        }
    }

    private static String guide() throws IOException {
        return Files.readString(ROOT.resolve("docs/containers.md"));
    }

    private static List<String> find(String text, String pattern) {
        return Pattern.compile(pattern)
                .matcher(text)
                .results()
                .map(found -> found.group(1).stripTrailing().stripIndent())
                .toList();
    }
}
