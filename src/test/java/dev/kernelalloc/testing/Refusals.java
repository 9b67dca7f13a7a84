package dev.kernelalloc.testing;

import dev.kernelalloc.os.FakeOperatingSystem.Operation;

import org.junit.jupiter.api.DynamicTest;

import java.util.function.ObjIntConsumer;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** Tests of a system that refuses one call, whichever it is. */
public final class Refusals {

    private Refusals() {}

    /**
     * Returns a test for each operation and each of its first calls.
     *
     * @param operations those that are refused
     * @param calls how many calls of each operation
     * @param use the test, for an operation and the number of its call that is refused, from 1 on
     */
    public static Stream<DynamicTest> atEachMoment(
            Stream<Operation> operations, int calls, ObjIntConsumer<Operation> use) {
        return operations.flatMap(
                operation ->
                        IntStream.rangeClosed(1, calls)
                                .mapToObj(
                                        nth ->
                                                DynamicTest.dynamicTest(
                                                        operation + " #" + nth,
                                                        () -> use.accept(operation, nth))));
    }
}
