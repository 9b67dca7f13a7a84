package dev.kernelalloc.arrow;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.arrow.probe.Use;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/** What must hold for a whole process: its flags, its module path. */
class ProcessTest {

    private static final Path PROJECT = Path.of(System.getProperty("project.basedir"));
    private static final String CLASS_PATH = System.getProperty("java.class.path");

    @Test
    @DisplayName("Arrow finds the factory on the module path, too")
    void discovery_onTheModulePath_findsTheFactory() throws Exception {
        Predicate<String> isProgram = path -> path.contains("test-classes");
        Predicate<String> isModule =
                path ->
                        path.endsWith(Path.of("target", "classes").toString())
                                || path.contains("kernel-alloc-")
                                || path.contains("arrow-memory-core")
                                || path.contains("slf4j-api");
        assertThat(
                        java(
                                "--enable-native-access=dev.kernelalloc",
                                "--illegal-native-access=deny",
                                "--add-opens=java.base/java.nio=org.apache.arrow.memory.core",
                                "--sun-misc-unsafe-memory-access=allow",
                                "--module-path",
                                path(isModule),
                                "--add-modules",
                                "dev.kernelalloc.arrow",
                                "-cp",
                                path(isProgram),
                                Use.class.getName()))
                .contains("read: 42, 1")
                .contains("modules: dev.kernelalloc.arrow, org.apache.arrow.memory.core");
    }

    @Test
    @DisplayName("Without native access each buffer is refused with the flag to add")
    void discovery_withoutNativeAccess_namesTheFlagEachTime() throws Exception {
        String output =
                java(
                        "--illegal-native-access=deny",
                        "--enable-native-access=java.base",
                        "--add-opens=java.base/java.nio=ALL-UNNAMED",
                        "--sun-misc-unsafe-memory-access=allow",
                        "-cp",
                        CLASS_PATH,
                        Use.class.getName());
        assertThat(output.split("denied: .*--enable-native-access=ALL-UNNAMED")).hasSize(3);
    }

    @Test
    @DisplayName("The README shows the example, which runs")
    void readme_example_runs() throws Exception {
        Path example = PROJECT.resolve("examples/Vectors.java");
        String readme = Files.readString(PROJECT.resolve("README.md"));
        String shown = readme.substring(readme.indexOf("```java\n") + 8);
        shown = shown.substring(0, shown.indexOf("```"));
        assertThat(Files.readString(example)).contains(shown.indent(8));
        assertThat(
                        java(
                                "--enable-native-access=ALL-UNNAMED",
                                "--add-opens=java.base/java.nio=ALL-UNNAMED",
                                "--sun-misc-unsafe-memory-access=allow",
                                "-cp",
                                CLASS_PATH,
                                example.toString()))
                .contains("999: arrow: 1 live blocks");
    }

    private static String path(Predicate<String> which) {
        return Arrays.stream(CLASS_PATH.split(File.pathSeparator))
                .filter(which)
                .collect(Collectors.joining(File.pathSeparator));
    }

    private static String java(String... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of(arguments));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes());
        assertThat(process.waitFor()).as(output).isZero();
        return output;
    }
}
