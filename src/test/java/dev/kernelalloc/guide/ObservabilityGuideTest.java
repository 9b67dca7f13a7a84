package dev.kernelalloc.guide;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.testing.ChildJvm;

import org.junit.jupiter.api.Test;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What docs/observability.md shows of leaks is what is printed, but for the addresses. */
class ObservabilityGuideTest {

    private static final Path ROOT = Path.of(System.getProperty("project.basedir", "."));

    @Test
    void theReportsOfLeaksAreThoseOfTheGuide() throws Exception {
        String output =
                ChildJvm.onClassPath()
                        .withNativeAccess()
                        .with("-Djava.util.logging.SimpleFormatter.format=%4$s: %5$s%n")
                        .outputOf(Orders.class);
        assertThat(withoutAddresses(guide())).contains(withoutAddresses(output.strip()));
    }

    @Test
    void theExampleOfLeaksIsOfTheProgramThatPrintedThem() throws IOException {
        String program =
                Files.readString(ROOT.resolve("src/test/java/dev/kernelalloc/guide/Orders.java"));
        Matcher example =
                Pattern.compile("(?ms)^ *// guide: leaks\\n(.*?)^ *// end$").matcher(program);
        assertThat(example.find()).isTrue();
        assertThat(guide()).contains(example.group(1).stripTrailing().stripIndent());
    }

    private static String guide() throws IOException {
        return Files.readString(ROOT.resolve("docs/observability.md"));
    }

    private static String withoutAddresses(String text) {
        return text.replaceAll("0x[0-9a-f]+", "0x…");
    }
}
