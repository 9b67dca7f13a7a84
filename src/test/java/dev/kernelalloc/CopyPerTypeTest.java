package dev.kernelalloc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.struct.StructType;
import dev.kernelalloc.testing.Await;

import org.junit.jupiter.api.Test;

import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

class CopyPerTypeTest {

    record Point(int x, int y) {}

    @Test
    void everyStructTypeHasBoxesAndContainersOfItsOwn() {
        StructType<Point> one = pointType();
        StructType<Point> other = pointType();
        assertThat(classesOf(one))
                .isEqualTo(classesOf(one))
                .doesNotContainAnyElementsOf(classesOf(other));
        assertThat(classesOf(one)).hasSize(4).allMatch(Class::isHidden);
    }

    @Test
    void typesThatAreLayoutsShareTheOriginals() {
        assertThat(classesOf(StructType.of(ValueLayout.JAVA_INT)))
                .isEqualTo(classesOf(StructType.of(ValueLayout.JAVA_LONG)))
                .containsExactlyInAnyOrder(
                        ArrayOf.class, SliceOf.class, VecOf.class, SegmentBox.class);
    }

    @Test
    void theCopiesDieWithTheirType() {
        List<WeakReference<Class<?>>> copies = copiesOfDeadType();
        Await.until(
                "the copies are unloaded",
                () -> {
                    System.gc();
                    return copies.stream().allMatch(copy -> copy.refersTo(null));
                });
    }

    /** In a frame of its own, whose locals do not keep them alive. */
    private static List<WeakReference<Class<?>>> copiesOfDeadType() {
        List<WeakReference<Class<?>>> copies = new ArrayList<>();
        for (Class<?> copy : classesOf(pointType())) {
            copies.add(new WeakReference<>(copy));
        }
        return copies;
    }

    private static StructType<Point> pointType() {
        return StructType.of(MethodHandles.lookup(), Point.class);
    }

    private static Set<Class<?>> classesOf(StructType<?> type) {
        Set<Class<?>> classes = new HashSet<>();
        try (NativeArray<?> array = NativeArray.zeroed(type, 1);
                NativeVec<?> vec = NativeVec.create(type);
                NativeBox<?> box = NativeBox.zeroed(type)) {
            classes.add(array.getClass());
            classes.add(array.slice(0, 1).getClass());
            classes.add(vec.getClass());
            classes.add(box.getClass());
        }
        return classes;
    }
}
