package dev.kernelalloc.guide;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

class ReadmeTest {

    private static final Path PROJECT = Path.of(System.getProperty("project.basedir"));
    private static final Pattern CODE = Pattern.compile("```java\n(.*?)```", Pattern.DOTALL);

    @Test
    void itsCodeStandsInTheExampleThatTheBuildRuns() throws IOException {
        String example = unindented(Files.readString(PROJECT.resolve("examples/FirstSteps.java")));
        List<String> blocks =
                CODE.matcher(Files.readString(PROJECT.resolve("README.md")))
                        .results()
                        .map(block -> unindented(block.group(1)))
                        .toList();
        assertThat(blocks).isNotEmpty();
        for (String block : blocks) {
            for (String paragraph : block.split("\n\n")) {
                assertThat(example).contains(paragraph);
            }
        }
    }

    private static String unindented(String code) {
        return code.lines().map(String::strip).collect(Collectors.joining("\n"));
    }
}
