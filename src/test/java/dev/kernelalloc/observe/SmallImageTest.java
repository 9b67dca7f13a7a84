package dev.kernelalloc.observe;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.image.SmallProgram;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * An image of java.base and the library alone, as jlink makes it, runs a program that allocates.
 */
class SmallImageTest {

    private static final Path BUILD = Path.of(System.getProperty("project.basedir"), "target");

    @TempDir private Path directory;

    @Test
    void theLibraryNeedsNeitherManagementNorTheFlightRecorder() throws Exception {
        Path image = link();
        Path java = image.resolve("bin/java");
        assertThat(run(java, "--list-modules").lines().map(line -> line.replaceFirst("@.*", "")))
                .containsExactlyInAnyOrder("java.base", "dev.kernelalloc");

        String output =
                run(
                        java,
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

    private Path link() throws Exception {
        Path jlink = Path.of(System.getProperty("java.home"), "bin", "jlink");
        assumeTrue(Files.isExecutable(jlink), "skipped: this Java has no jlink");
        Path image = directory.resolve("image");
        run(
                jlink,
                "--module-path",
                BUILD.resolve("classes").toString(),
                "--add-modules",
                "dev.kernelalloc",
                "--output",
                image.toString());
        return image;
    }

    /** The classes that the image does not have. */
    private Path program() throws IOException {
        Path copy = directory.resolve("program");
        String itsPackage = SmallProgram.class.getPackageName().replace('.', '/');
        Path target = Files.createDirectories(copy.resolve(itsPackage));
        try (Stream<Path> files = Files.list(BUILD.resolve("test-classes").resolve(itsPackage))) {
            for (Path file : files.toList()) {
                Files.copy(file, target.resolve(file.getFileName()));
            }
        }
        return copy;
    }

    private String run(Path program, String... arguments) throws Exception {
        List<String> command = new ArrayList<>(List.of(arguments));
        command.addFirst(program.toString());
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
