package dev.kernelalloc.benchmarks;

import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;

import java.util.List;
import java.util.Map;

/**
 * One benchmark method with its parameters.
 *
 * @param label the name of the allocator
 * @param type the class of the method
 * @param method the name of the method
 * @param parameters values of the class's {@code @Param} fields
 * @param jvmArguments arguments in addition to those of all JVMs
 */
public record JmhCase(
        String label,
        Class<?> type,
        String method,
        Map<String, String> parameters,
        List<String> jvmArguments)
        implements Case {

    /** Creates a case for a method that has its own label. */
    public static JmhCase of(Class<?> type, String method, Map<String, String> parameters) {
        return new JmhCase(method, type, method, parameters, List.of());
    }

    /** Whether it is measured once a JVM, without warming up. */
    boolean isSingleShot() {
        BenchmarkMode mode = type.getAnnotation(BenchmarkMode.class);
        return mode.value()[0] == Mode.SingleShotTime;
    }

    /** Returns the name of the benchmark in JMH. */
    String benchmark() {
        return type.getName() + "." + method;
    }

    @Override
    public String toString() {
        String name = type.getSimpleName() + "." + method;
        return parameters.isEmpty() ? name : name + parameters;
    }
}
