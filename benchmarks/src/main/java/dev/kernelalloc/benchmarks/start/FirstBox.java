package dev.kernelalloc.benchmarks.start;

import dev.kernelalloc.NativeBox;
import dev.kernelalloc.struct.StructType;

import java.lang.invoke.MethodHandles;

/** The same struct in a box of the library. */
final class FirstBox {

    record Point(int x, int y) {}

    private FirstBox() {}

    /** Started as a program. */
    public static void main(String[] arguments) {
        StructType<Point> type = StructType.of(MethodHandles.lookup(), Point.class);
        try (NativeBox<Point> box = NativeBox.of(type, new Point(1, 2))) {
            if (box.get().x() + box.get().y() != 3) {
                throw new AssertionError();
            }
        }
    }
}
