package consumer;

import dev.kernelalloc.NativeBox;
import dev.kernelalloc.struct.StructType;

import java.lang.invoke.MethodHandles;

/** Uses the library as a program does that depends on its published artifact. */
public final class Main {

    record Point(int x, int y) {}

    private static final StructType<Point> POINT =
            StructType.of(MethodHandles.lookup(), Point.class);

    private Main() {}

    /** Prints a point from native memory, and the module that it was allocated by. */
    public static void main(String[] arguments) {
        try (NativeBox<Point> box = NativeBox.of(POINT, new Point(3, 4))) {
            Module library = NativeBox.class.getModule();
            System.out.println(box.get() + " by " + library);
        }
    }
}
