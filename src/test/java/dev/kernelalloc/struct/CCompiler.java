package dev.kernelalloc.struct;

import static org.junit.jupiter.api.Assumptions.abort;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * The C compiler of the machine. A test that needs one is aborted, with the reason, where there is
 * none.
 */
final class CCompiler {

    private static final List<String> CANDIDATES = List.of("gcc", "cc", "clang");

    private CCompiler() {}

    /** Compiles a program, runs it, and returns the lines it prints. */
    static List<String> run(String source, String... options) {
        String compiler = require();
        try {
            Path directory = Files.createTempDirectory("kernelalloc-c");
            try {
                Path program = directory.resolve("program");
                Path file = Files.writeString(directory.resolve("program.c"), source);
                List<String> command =
                        new ArrayList<>(List.of(compiler, "-std=gnu11", "-O0", "-w"));
                command.addAll(List.of(options));
                command.addAll(List.of("-o", program.toString(), file.toString()));
                execute(command);
                return execute(List.of(program.toString()));
            } finally {
                delete(directory);
            }
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    /** Compiles a shared library into a directory. */
    static Path library(String source, Path directory) throws IOException {
        Path library = directory.resolve("library.so");
        Path file = Files.writeString(directory.resolve("library.c"), source);
        execute(
                List.of(
                        require(),
                        "-std=gnu11",
                        "-O1",
                        "-w",
                        "-shared",
                        "-fPIC",
                        "-o",
                        library.toString(),
                        file.toString()));
        return library;
    }

    /** Aborts the test unless the compiler is GCC, whose attributes lay out for other platforms. */
    static void requireGcc() {
        List<String> macros =
                run(
                        "#include <stdio.h>\n"
                                + "int main() {\n"
                                + "#ifdef __clang__\n"
                                + " puts(\"clang\");\n"
                                + "#else\n"
                                + " puts(\"gcc\");\n"
                                + "#endif\n"
                                + "}\n");
        if (!macros.equals(List.of("gcc"))) {
            abort(
                    "skipped: the attributes ms_struct and scalar_storage_order need GCC, this"
                            + " compiler is "
                            + macros);
        }
    }

    private static String require() {
        for (String candidate : CANDIDATES) {
            try {
                if (new ProcessBuilder(candidate, "--version")
                                .redirectErrorStream(true)
                                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                                .start()
                                .waitFor()
                        == 0) {
                    return candidate;
                }
            } catch (IOException e) {
                // not installed: the next one
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        }
        return abort("skipped: no C compiler among " + CANDIDATES);
    }

    /** Runs a command to its end; fails unless it succeeds. */
    static List<String> execute(List<String> command) throws IOException {
        Path output = Files.createTempFile("kernelalloc", ".out");
        try {
            Process process =
                    new ProcessBuilder(command)
                            .redirectErrorStream(true)
                            .redirectOutput(output.toFile())
                            .start();
            if (!process.waitFor(10, TimeUnit.MINUTES)) {
                process.destroyForcibly();
                throw new AssertionError("no end after 10 minutes: " + command);
            }
            List<String> lines = Files.readAllLines(output);
            if (process.exitValue() != 0) {
                throw new AssertionError(
                        "exit code %d of %s:%n%s"
                                .formatted(process.exitValue(), command, String.join("\n", lines)));
            }
            return lines;
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        } finally {
            Files.delete(output);
        }
    }

    static void delete(Path directory) throws IOException {
        try (Stream<Path> files = Files.walk(directory)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }
}
