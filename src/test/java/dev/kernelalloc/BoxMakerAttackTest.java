package dev.kernelalloc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.struct.StructType;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.List;

/**
 * The class of a struct type lives in the package of its caller, so the caller reaches by
 * reflection how the type creates boxes.
 */
class BoxMakerAttackTest {

    record Page(long first, long second) {}

    private static final StructType<Page> PAGE = StructType.of(MethodHandles.lookup(), Page.class);

    @Test
    @DisplayName("A box that the caller creates by reflection has no memory and hands out none")
    void newBox_attackedThroughEveryMethod_handsOutNothing() throws Exception {
        NativeBox.zeroed(PAGE).close(); // the library is in use
        Method newBox = PAGE.getClass().getDeclaredMethod("newBox");
        NativeBox<?> made = (NativeBox<?>) newBox.invoke(PAGE);
        long before = KernelAllocator.global().stats().live().blocks();
        for (Method method : methodsWithoutArguments()) {
            Object result = resultOf(method, made);
            assertThat(result instanceof AutoCloseable).as(method.getName()).isFalse();
            if (result instanceof MemorySegment segment) {
                assertThat(segment.byteSize()).as(method.getName()).isZero();
            }
        }
        assertThat(KernelAllocator.global().stats().live().blocks()).isEqualTo(before);
    }

    private static List<Method> methodsWithoutArguments() {
        return Arrays.stream(NativeBox.class.getMethods())
                .filter(method -> method.getParameterCount() == 0)
                .toList();
    }

    /** Null where it throws. */
    private static Object resultOf(Method method, Object target) throws IllegalAccessException {
        try {
            return method.invoke(target);
        } catch (InvocationTargetException e) {
            return null;
        }
    }
}
