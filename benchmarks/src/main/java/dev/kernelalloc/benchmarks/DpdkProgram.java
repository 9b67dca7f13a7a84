package dev.kernelalloc.benchmarks;

import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/**
 * The program in {@code src/main/c/dpdk}.
 *
 * @param program the compiled program
 * @param arguments of the program; how long it measures is added to them
 */
public record DpdkProgram(Path program, List<String> arguments) implements Case {

    @Override
    public String label() {
        return "C DPDK";
    }

    @Override
    public String toString() {
        return label() + " " + String.join(" ", arguments);
    }

    List<String> command(List<String> all) {
        return Stream.concat(Stream.of(program.toString()), all.stream()).toList();
    }
}
