package dev.kernelalloc.junit;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;

import javax.tools.ToolProvider;

class ReadmeTest {

    private static final Path PROJECT = Path.of(System.getProperty("project.basedir"));
    private static final Path EXAMPLE = PROJECT.resolve("examples/FrameTest.java");

    @Test
    @DisplayName("The README shows the example, which runs with the newest JUnit")
    void readme_example_runsWithTheNewestJUnit(@TempDir Path classes) throws Exception {
        String readme = Files.readString(PROJECT.resolve("README.md"));
        String shown = readme.substring(readme.indexOf("```java\n") + 8);
        shown = shown.substring(0, shown.indexOf("```"));
        assertThat(Files.readString(EXAMPLE)).contains(shown);

        String junit =
                PROJECT.resolve("target/newest/junit-platform-console-standalone.jar").toString();
        String classPath = junit + File.pathSeparator + withoutJUnit();
        int compiled =
                ToolProvider.getSystemJavaCompiler()
                        .run(
                                null,
                                null,
                                null,
                                "-cp",
                                classPath,
                                "-proc:none",
                                "-d",
                                classes.toString(),
                                EXAMPLE.toString());
        assertThat(compiled).isZero();
        String output =
                java(
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        classPath + File.pathSeparator + classes,
                        "org.junit.platform.console.ConsoleLauncher",
                        "execute",
                        "--disable-banner",
                        "--select-class=FrameTest");
        assertThat(output)
                .contains("1 tests successful")
                .contains("1 tests failed")
                .contains("memory leaked by leaks(PoolAllocator)")
                .containsPattern("FrameTest\\.leaks\\(FrameTest\\.java:\\d+\\)");
    }

    private static String withoutJUnit() {
        return Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
                .filter(path -> !path.contains("junit-jupiter") && !path.contains("junit-platform"))
                .filter(path -> !path.contains("opentest4j"))
                .collect(Collectors.joining(File.pathSeparator));
    }

    private static String java(String... arguments) throws IOException, InterruptedException {
        List<String> command =
                new ArrayList<>(
                        List.of(
                                Path.of(System.getProperty("java.home"), "bin", "java")
                                        .toString()));
        command.addAll(List.of(arguments));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes());
        process.waitFor();
        return output;
    }
}
