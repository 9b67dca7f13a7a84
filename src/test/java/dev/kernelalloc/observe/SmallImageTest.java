package dev.kernelalloc.observe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.image.SmallProgram;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.spi.ToolProvider;

/**
 * An image of java.base and the library alone, as jlink makes it, runs a program that allocates.
 */
class SmallImageTest {

    private static final Path BUILD = Path.of(System.getProperty("project.basedir"), "target");

    @TempDir private Path directory;

    @Test
    void theLibraryNeedsNeitherManagementNorTheFlightRecorder() throws Exception {
        Path image = link();
        assertThat(run(image, "--list-modules").lines().map(line -> line.replaceFirst("@.*", "")))
                .containsExactlyInAnyOrder("java.base", "dev.kernelalloc");

        String output =
                run(
                        image,
                        "--enable-native-access=dev.kernelalloc",
                        "--illegal-native-access=deny",
                        "--add-modules=dev.kernelalloc",
                        "--class-path",
                        program().toString(),
                        SmallProgram.class.getName());
        assertThat(output.lines())
                .contains("3 blocks, 2 allocators", "a value: 42", "left: 0", "done")
                .anyMatch(
                        line ->
                                line.startsWith("no bean: ")
                                        && line.contains("--add-modules java.management"));
    }

    private Path link() {
        ToolProvider jlink =
                ToolProvider.findFirst("jlink")
                        .orElseGet(
                                () -> {
                                    assumeTrue(false, "skipped: this Java has no jlink");
                                    throw new AssertionError();
                                });
        Path image = directory.resolve("image");
        StringWriter said = new StringWriter();
        PrintWriter to = new PrintWriter(said);
        int code =
                jlink.run(
                        to,
                        to,
                        "--module-path",
                        BUILD.resolve("classes").toString(),
                        "--add-modules",
                        "dev.kernelalloc",
                        "--output",
                        image.toString());
        assertThat(code).as(said.toString()).isZero();
        return image;
    }

    /** The one class that the image does not have. */
    private Path program() throws IOException {
        String file = SmallProgram.class.getName().replace('.', '/') + ".class";
        Path copy = directory.resolve("program").resolve(file);
        Files.createDirectories(copy.getParent());
        Files.copy(BUILD.resolve("test-classes").resolve(file), copy);
        return directory.resolve("program");
    }

    private String run(Path image, String... arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of(arguments));
        command.addFirst(image.resolve("bin/java").toString());
        Path output = directory.resolve("output");
        Process child =
                new ProcessBuilder(command)
                        .redirectErrorStream(true)
                        .redirectOutput(output.toFile())
                        .start();
        int code = child.waitFor();
        String said = Files.readString(output);
        assertThat(code).as(said).isZero();
        return said;
    }
}
