package dev.kernelalloc.benchmarks;

import java.util.List;
import java.util.stream.Collectors;

/**
 * The program in {@code src/main/c} over one C allocator.
 *
 * @param allocator what malloc is in that process
 * @param arguments of the program; how long it measures is added to them
 */
public record CProgram(CAllocator allocator, List<String> arguments) implements Case {

    @Override
    public String label() {
        return "C " + allocator.name();
    }

    @Override
    public String toString() {
        return label()
                + arguments.stream()
                        .filter(
                                argument ->
                                        !argument.startsWith("mix=")) // long, and always the same
                        .collect(Collectors.joining(" ", " ", ""));
    }
}
