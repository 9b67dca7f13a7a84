package dev.kernelalloc.benchmarks;

import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;

import java.util.List;
import java.util.Map;

/**
 * One benchmark method with its parameters.
 *
 * @param label who does the work
 * @param type the class it stands in
 * @param method its name
 * @param parameters values of the class's {@code @Param} fields
 * @param jvmArguments beyond those that all JVMs get
 */
public record JmhCase(
        String label,
        Class<?> type,
        String method,
        Map<String, String> parameters,
        List<String> jvmArguments)
        implements Case {

    /** A method that says itself who does the work. */
    public static JmhCase of(Class<?> type, String method, Map<String, String> parameters) {
        return new JmhCase(method, type, method, parameters, List.of());
    }

    /** Whether it is measured once a JVM, without warming up. */
    boolean isSingleShot() {
        BenchmarkMode mode = type.getAnnotation(BenchmarkMode.class);
        return mode.value()[0] == Mode.SingleShotTime;
    }

    /** The name that JMH knows it by. */
    String benchmark() {
        return type.getName() + "." + method;
    }

    @Override
    public String toString() {
        String name = type.getSimpleName() + "." + method;
        return parameters.isEmpty() ? name : name + parameters;
    }
}
