import dev.kernelalloc.NativeArray;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.struct.StructType;

import java.lang.invoke.MethodHandles;

// The program of the README. Run it by
//
//     java --enable-native-access=ALL-UNNAMED -cp target/classes examples/FirstSteps.java

record Point(int x, int y) {}

static final StructType<Point> POINT = StructType.of(MethodHandles.lookup(), Point.class);

void main() {
    try (NativeBox<Point> box = NativeBox.of(POINT, new Point(3, 4));
            NativeArray<Point> points = NativeArray.zeroed(POINT, 1_000_000);
            PhysicalAllocator physical = PhysicalAllocator.create();
            NativeBox<Point> locked = NativeBox.of(physical, POINT, box.get())) {
        points.set(999_999, new Point(5, 6));
        IO.println(locked); // NativeBox[Point[x=3, y=4], at 0x7f…, 8 bytes, resident and locked]
    } // everything is freed here, and any later access throws
}
