package dev.kernelalloc.micrometer;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.nio.file.Files;
import java.nio.file.Path;

class ReadmeTest {

    private static final Path PROJECT = Path.of(System.getProperty("project.basedir"));

    @Test
    @DisplayName("The README shows the example, which runs")
    void readme_example_runs() throws Exception {
        Path example = PROJECT.resolve("examples/Scrape.java");
        String readme = Files.readString(PROJECT.resolve("README.md"));
        String shown = readme.substring(readme.indexOf("```java\n") + 8);
        shown = shown.substring(0, shown.indexOf("```"));
        assertThat(Files.readString(example)).contains(shown.indent(8));

        Process process =
                new ProcessBuilder(
                                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                                "--enable-native-access=ALL-UNNAMED",
                                "-cp",
                                System.getProperty("java.class.path"),
                                example.toString())
                        .redirectErrorStream(true)
                        .start();
        String output = new String(process.getInputStream().readAllBytes());
        assertThat(process.waitFor()).as(output).isZero();
        assertThat(output).contains("kernelalloc_memory_used_bytes{allocator=\"orders\"");
    }
}
