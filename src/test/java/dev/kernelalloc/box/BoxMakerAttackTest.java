package dev.kernelalloc.box;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.struct.StructType;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.lang.invoke.MethodHandles;
import java.lang.reflect.Method;
import java.util.Arrays;

/**
 * The class of a struct type lives in the package of its caller, so the caller reaches by
 * reflection how the type creates boxes.
 */
class BoxMakerAttackTest {

    record Page(long first, long second) {}

    private static final StructType<Page> PAGE = StructType.of(MethodHandles.lookup(), Page.class);

    @Test
    @DisplayName("A caller cannot create a box by reflection, whatever it passes")
    void newBox_calledByReflection_throws() throws Exception {
        Method newBox =
                PAGE.getClass()
                        .getDeclaredMethod(
                                "newBox", Object.class, Object.class, Object.class, long.class);
        long before = KernelAllocator.global().stats().live().blocks();
        try (NativeBox<Page> box = NativeBox.zeroed(PAGE)) {
            for (Object key : Arrays.asList(null, new Object(), PAGE, box, newBox)) {
                assertThatThrownBy(
                                () -> newBox.invoke(PAGE, key, null, null, box.segment().address()))
                        .hasCauseInstanceOf(IllegalCallerException.class);
            }
        }
        assertThat(KernelAllocator.global().stats().live().blocks()).isEqualTo(before);
    }
}
