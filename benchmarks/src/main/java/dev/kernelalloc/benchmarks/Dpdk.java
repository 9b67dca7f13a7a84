package dev.kernelalloc.benchmarks;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * DPDK, if its development files are installed.
 *
 * @param program the compiled program of {@code src/main/c/dpdk}
 * @param version the version that it reports
 */
public record Dpdk(Path program, String version) {

    /**
     * Nothing without {@code pkg-config} or DPDK, or where its program does not compile or start:
     * its rows are marked then, and the reason goes to the error output.
     */
    static Optional<Dpdk> compile(Path project) throws IOException, InterruptedException {
        Optional<List<String>> flags = flags();
        if (flags.isEmpty()) {
            return Optional.empty();
        }
        Path program = Files.createDirectories(project.resolve("target")).resolve("dpdk");
        Path sources = project.resolve("src/main/c");
        List<String> command =
                new ArrayList<>(
                        List.of(
                                "cc",
                                "-O2",
                                "-std=gnu11",
                                "-Wall",
                                "-Wextra",
                                "-Werror",
                                "-o",
                                program.toString(),
                                sources.resolve("dpdk/dpdk.c").toString(),
                                sources.resolve("program.c").toString()));
        command.addAll(flags.get());
        try {
            Subprocess.lines(command, Map.of());
            List<String> ask = List.of(program.toString(), "version");
            return Optional.of(new Dpdk(program, Subprocess.lines(ask, Map.of()).getFirst()));
        } catch (IOException refused) {
            System.err.println("rows of DPDK are skipped: " + refused.getMessage());
            return Optional.empty();
        }
    }

    private static Optional<List<String>> flags() throws InterruptedException {
        List<String> command = List.of("pkg-config", "--cflags", "--libs", "libdpdk");
        try {
            String line = String.join(" ", Subprocess.linesOfProbe(command, Map.of()));
            return Optional.of(List.of(line.strip().split("\\s+")));
        } catch (IOException absent) {
            return Optional.empty();
        }
    }

    /** Returns a case of the program. */
    public Case running(String... arguments) {
        return new DpdkProgram(program, List.of(arguments));
    }
}
