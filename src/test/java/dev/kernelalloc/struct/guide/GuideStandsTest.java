package dev.kernelalloc.struct.guide;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.testing.TestSources;

import org.junit.jupiter.api.Test;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

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
                TestSources.groups(
                        Files.readString(examples), "(?ms)^ *// guide: \\S+\\n(.*?)^ *// end$");
        List<String> blocks =
                TestSources.groups(
                        Files.readString(ROOT.resolve("docs/structs.md")),
                        "(?ms)^```java\\n(.*?)^```$");
        assertThat(blocks).containsExactlyInAnyOrderElementsOf(parts).hasSizeGreaterThan(20);
    }
}
