package dev.kernelalloc.netty;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.netty.probe.ChecksOff;
import dev.kernelalloc.netty.probe.Use;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Isolated;

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
@Isolated("its processes need the processors")
class ProcessTest {

    private static final Path PROJECT = Path.of(System.getProperty("project.basedir"));
    private static final String CLASS_PATH = System.getProperty("java.class.path");

    @Test
    @DisplayName("With Netty's checks switched off a buffer still reaches only memory of its own")
    void use_withoutNettysChecks_isOutOfBounds() throws Exception {
        String output =
                java(
                        "--enable-native-access=ALL-UNNAMED",
                        "-Dio.netty.buffer.checkAccessible=false",
                        "-Dio.netty.buffer.checkBounds=false",
                        "-cp",
                        CLASS_PATH,
                        ChecksOff.class.getName());
        assertThat(output)
                .contains(
                        "read beyond: IndexOutOfBoundsException",
                        "write beyond: IndexOutOfBoundsException",
                        "write before: IndexOutOfBoundsException",
                        "copy beyond: IndexOutOfBoundsException",
                        "copy to beyond: IndexOutOfBoundsException",
                        "view beyond: IndexOutOfBoundsException",
                        "zero beyond: IndexOutOfBoundsException",
                        "read: IndexOutOfBoundsException",
                        "write: IndexOutOfBoundsException",
                        "copy: IndexOutOfBoundsException",
                        "view: IndexOutOfBoundsException");
    }

    @Test
    @DisplayName(
            "On the module path it works without a warning, and a refusal is an OutOfMemoryError")
    void use_onTheModulePath_works() throws Exception {
        String output =
                onModulePath(
                        "--enable-native-access=dev.kernelalloc,dev.kernelalloc.netty",
                        "--illegal-native-access=deny");
        assertThat(output)
                .contains("module: dev.kernelalloc.netty", "read: 42, 1")
                .contains("refused: OutOfMemoryError")
                .doesNotContain("WARNING");
    }

    @Test
    @DisplayName("Without native access the exception names the flag")
    void use_withoutNativeAccess_namesTheFlag() throws Exception {
        assertThat(
                        onModulePath(
                                "--enable-native-access=dev.kernelalloc",
                                "--illegal-native-access=deny"))
                .contains("denied:")
                .contains("--enable-native-access=dev.kernelalloc,dev.kernelalloc.netty");
        assertThat(
                        java(
                                "--illegal-native-access=deny",
                                "--enable-native-access=java.base",
                                "-cp",
                                CLASS_PATH,
                                Use.class.getName()))
                .contains("denied:")
                .contains("--enable-native-access=ALL-UNNAMED");
    }

    @Test
    @DisplayName("The program of the README is the example, and it runs")
    void readme_program_runs() throws Exception {
        String readme = Files.readString(PROJECT.resolve("README.md"));
        Path example = PROJECT.resolve("examples/TenLines.java");
        String shown = readme.substring(readme.indexOf("```java\n") + 8);
        shown = shown.substring(0, shown.indexOf("```"));
        assertThat(Files.readString(example)).contains(shown.indent(8));
        assertThat(
                        java(
                                "--enable-native-access=ALL-UNNAMED",
                                "-cp",
                                CLASS_PATH,
                                example.toString()))
                .contains("hello, 1 live block")
                .contains("0 live blocks");
    }

    @Test
    @DisplayName("The example of an HTTP server answers")
    void example_httpServer_answers() throws Exception {
        assertThat(
                        java(
                                "--enable-native-access=ALL-UNNAMED",
                                "-cp",
                                CLASS_PATH,
                                PROJECT.resolve("examples/HttpServer.java").toString(),
                                "--once"))
                .contains("HTTP/1.1 200 OK")
                .contains("0 live blocks");
    }

    /** With the tests' classes on the class path, and all others in modules. */
    private static String onModulePath(String... flags) throws Exception {
        Predicate<String> isProgram = path -> path.contains("test-classes");
        List<String> arguments = new ArrayList<>(List.of(flags));
        arguments.addAll(
                List.of(
                        "--module-path",
                        path(isProgram.negate().and(ProcessTest::isModule)),
                        "--add-modules",
                        "dev.kernelalloc.netty",
                        "-cp",
                        path(isProgram),
                        Use.class.getName()));
        return java(arguments.toArray(String[]::new));
    }

    private static boolean isModule(String path) {
        return Path.of(path).endsWith("target/classes")
                || path.contains("kernel-alloc-")
                || path.matches(".*netty-(buffer|common)(-4[^t]*)?\\.jar");
    }

    private static String path(Predicate<String> which) {
        return Arrays.stream(CLASS_PATH.split(File.pathSeparator))
                .filter(which)
                .collect(Collectors.joining(File.pathSeparator));
    }

    private static String java(String... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.add("-Xmx128m");
        if (Boolean.getBoolean("tests.unsafe")) { // as this process has it
            command.add("--sun-misc-unsafe-memory-access=allow");
        }
        command.add("-Dio.netty.noUnsafe=" + !Boolean.getBoolean("tests.unsafe"));
        command.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        Process process = builder.start();
        String output = new String(process.getInputStream().readAllBytes());
        assertThat(process.waitFor()).as(output).isZero();
        return output;
    }
}
