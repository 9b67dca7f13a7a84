package dev.kernelalloc.guide;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.testing.ChildJvm;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Pattern;

/** What docs/observability.md shows of statistics and beans is what is printed. */
class StatisticsGuideTest {

    private static final Path ROOT = Path.of(System.getProperty("project.basedir", "."));

    @EnabledOnOs(OS.LINUX) // elsewhere ranges may be smaller
    @ParameterizedTest
    @ValueSource(strings = {"table", "tags", "bean"})
    void theOutputIsTheGuides(String part) throws Exception {
        String output = ChildJvm.onClassPath().withNativeAccess().outputOf(Statistics.class, part);
        assertThat(guide()).contains("```\n" + output + "```");
    }

    @Test
    void theExamplesAreOfTheProgramThatPrintedIt() throws IOException {
        String program =
                Files.readString(
                        ROOT.resolve("src/test/java/dev/kernelalloc/guide/Statistics.java"));
        assertThat(
                        Pattern.compile("(?ms)^ *// guide: \\w+\\n(.*?)^ *// end$")
                                .matcher(program)
                                .results()
                                .map(example -> example.group(1).stripTrailing().stripIndent()))
                .hasSize(2)
                .allSatisfy(example -> assertThat(guide()).contains(example));
    }

    private static String guide() throws IOException {
        return Files.readString(ROOT.resolve("docs/observability.md"));
    }
}
