package dev.kernelalloc.benchmarks;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The compiled C program.
 *
 * @param program where it is
 */
record CBuild(Path program) {

    /** Without built-in knowledge of malloc and free, or the compiler may remove both. */
    private static final List<String> FLAGS =
            List.of(
                    "-O2",
                    "-fno-builtin-malloc",
                    "-fno-builtin-calloc",
                    "-fno-builtin-aligned_alloc",
                    "-fno-builtin-free",
                    "-std=gnu11",
                    "-Wall",
                    "-Wextra",
                    "-Werror",
                    "-pthread");

    /** Nothing where there is no C compiler: the table is made without C then. */
    static Optional<CBuild> compile(Path project) throws IOException, InterruptedException {
        Path program = project.resolve("target/heap");
        List<String> command = new ArrayList<>();
        command.add("cc");
        command.addAll(FLAGS);
        command.addAll(List.of("-o", program.toString()));
        try (Stream<Path> files = Files.list(project.resolve("src/main/c"))) {
            files.map(Path::toString)
                    .filter(name -> name.endsWith(".c"))
                    .sorted()
                    .forEach(command::add);
        }
        command.add("-ldl");
        try {
            Subprocess.lines(command, Map.of());
        } catch (Subprocess.CannotStart absent) {
            return Optional.empty();
        }
        return Optional.of(new CBuild(program));
    }
}
