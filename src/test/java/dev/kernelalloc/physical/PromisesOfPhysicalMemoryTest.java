package dev.kernelalloc.physical;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;

class PromisesOfPhysicalMemoryTest {

    private static final Path PROJECT = Path.of(System.getProperty("project.basedir"));

    /** {@code `ForkedChildTest.aChildFindsWhatWasAskedFor`}. */
    private static final Pattern TEST = Pattern.compile("`([A-Z]\\w*Test)\\.(\\w+)`");

    private static final Pattern EXAMPLE =
            Pattern.compile("(?ms)^ *// guide: \\w+\\n(.*?)^ *// end$");

    @Test
    @DisplayName("Each test that the table of promises names exists")
    void testsOfTheTable_exist() throws IOException {
        String document = Files.readString(PROJECT.resolve("docs/physical-memory.md"));
        Map<String, Path> sources = sources();
        int tests = 0;
        for (MatchResult test : TEST.matcher(document).results().toList()) {
            assertThat(sources).containsKey(test.group(1));
            assertThat(Files.readString(sources.get(test.group(1))))
                    .as(test.group())
                    .contains(" void " + test.group(2) + "(");
            tests++;
        }
        assertThat(tests).isGreaterThan(20);
    }

    @Test
    @DisplayName("The examples on shared memory are those that its test runs")
    void examplesOfSharedMemory_areThoseOfItsTest() throws IOException {
        String document = Files.readString(PROJECT.resolve("docs/physical-memory.md"));
        String test =
                Files.readString(
                        PROJECT.resolve(
                                "src/test/java/dev/kernelalloc/physical/SharedMemoryTest.java"));
        List<String> parts =
                EXAMPLE.matcher(test)
                        .results()
                        .map(part -> part.group(1).stripTrailing().stripIndent())
                        .toList();
        assertThat(parts).hasSize(2).allMatch(document::contains);
    }

    private static Map<String, Path> sources() throws IOException {
        Map<String, Path> sources = new TreeMap<>();
        try (Stream<Path> files = Files.walk(PROJECT.resolve("src/test/java"))) {
            files.filter(file -> file.toString().endsWith("Test.java"))
                    .forEach(
                            file ->
                                    sources.put(
                                            file.getFileName().toString().replace(".java", ""),
                                            file));
        }
        return sources;
    }
}
