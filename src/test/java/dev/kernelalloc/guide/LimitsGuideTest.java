package dev.kernelalloc.guide;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.testing.ChildJvm;

import org.junit.jupiter.api.Test;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What docs/limits.md shows is a program that is compiled, and what it prints. */
class LimitsGuideTest {

    private static final Path ROOT = Path.of(System.getProperty("project.basedir", "."));

    @Test
    void whatTheProgramPrintsIsWhatTheGuideShows() throws Exception {
        String output = ChildJvm.onClassPath().withNativeAccess().outputOf(Plugins.class);
        assertThat(guide()).contains(output.strip());
    }

    @Test
    void theExamplesAreOfTheProgram() throws IOException {
        String program =
                Files.readString(ROOT.resolve("src/test/java/dev/kernelalloc/guide/Plugins.java"));
        Matcher examples =
                Pattern.compile("(?ms)^ *// guide: \\w+\\n(.*?)^ *// end$").matcher(program);
        int count = 0;
        while (examples.find()) {
            count++;
            assertThat(guide()).contains(examples.group(1).stripTrailing().stripIndent());
        }
        assertThat(count).isEqualTo(2);
    }

    private static String guide() throws IOException {
        return Files.readString(ROOT.resolve("docs/limits.md"));
    }
}
