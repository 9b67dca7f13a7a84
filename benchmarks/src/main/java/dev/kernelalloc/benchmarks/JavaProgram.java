package dev.kernelalloc.benchmarks;

import java.util.List;

/**
 * A program of {@link dev.kernelalloc.benchmarks.heap.work.Program}, for work that starts and ends
 * threads or is not measured in time, so that JMH cannot run it.
 *
 * @param label who does the work
 * @param jvmArguments beyond those that all JVMs get
 * @param arguments of the program; how long it measures is added to them
 */
public record JavaProgram(String label, List<String> jvmArguments, List<String> arguments)
        implements Case {

    @Override
    public String toString() {
        return "Java " + String.join(" ", arguments);
    }
}
