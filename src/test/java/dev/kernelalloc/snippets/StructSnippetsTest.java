package dev.kernelalloc.snippets;

import static org.assertj.core.api.Assertions.assertThat;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.kernelalloc.call.Out;
import dev.kernelalloc.struct.Atomic;
import dev.kernelalloc.struct.CString;
import dev.kernelalloc.struct.Length;
import dev.kernelalloc.struct.Pointer;
import dev.kernelalloc.struct.StructType;

import org.junit.jupiter.api.Test;

import java.lang.foreign.Arena;
import java.lang.foreign.GroupLayout;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.List;

/** The examples of structs and calls. */
class StructSnippetsTest {

    record Point(int x, int y) {}

    interface Line {
        Point from();

        void from(Point value);

        Point to();

        void to(Point value);
    }

    static final StructType<Line> LINE = StructType.of(MethodHandles.lookup(), Line.class);

    static final StructType<Point> POINT = StructType.of(MethodHandles.lookup(), Point.class);

    record User(@CString String name, @CString String password, int uid, int gid) {}

    interface Counter {
        int count();

        @Atomic("count")
        int getAndAddCount(int delta);

        @Atomic("count")
        boolean compareAndSetCount(int expected, int value);

        @Atomic("count")
        void setReleaseCount(int value);
    }

    interface Matrix {
        @Length({3, 4})
        float cell(int row, int column);

        void cell(int row, int column, float value);
    }

    record Database(int handle) {}

    static final StructType<Database> DATABASE =
            StructType.of(MethodHandles.lookup(), Database.class);

    @Test
    void structType() {
        try (Arena arena = Arena.ofConfined()) {
            Line line = LINE.get(LINE.allocate(arena));
            MemorySegment from = POINT.allocate(arena, new Point(1, 2));
        }
        assertThat(LINE.byteSize()).isEqualTo(2 * POINT.byteSize());
    }

    @Test
    void differences() {
        GroupLayout generated =
                MemoryLayout.structLayout(JAVA_INT.withName("x"), JAVA_INT.withName("y"));
        List<String> differences = POINT.differences(generated);
        assertThat(differences).isEmpty();
    }

    @Test
    void cString() {
        StructType<User> type = StructType.of(MethodHandles.lookup(), User.class);
        try (Arena arena = Arena.ofConfined()) {
            User user = new User("me", "x", 1000, 100);
            assertThat(type.get(type.allocate(arena, user))).isEqualTo(user);
        }
    }

    @Test
    void atomic() {
        StructType<Counter> type = StructType.of(MethodHandles.lookup(), Counter.class);
        try (Arena arena = Arena.ofConfined()) {
            Counter counter = type.get(type.allocate(arena));
            assertThat(counter.getAndAddCount(2)).isZero();
            assertThat(counter.compareAndSetCount(2, 3)).isTrue();
            counter.setReleaseCount(4);
            assertThat(counter.count()).isEqualTo(4);
        }
    }

    @Test
    void length() {
        StructType<Matrix> type = StructType.of(MethodHandles.lookup(), Matrix.class);
        try (Arena arena = Arena.ofConfined()) {
            Matrix matrix = type.get(type.allocate(arena));
            matrix.cell(2, 3, 1.5f);
            assertThat(matrix.cell(2, 3)).isEqualTo(1.5f);
        }
    }

    /** In place of a C function: opens nothing, and returns an address. */
    private static int open(MemorySegment path, MemorySegment database) {
        database.set(ADDRESS, 0, MemorySegment.ofAddress(path.address()));
        return 0;
    }

    @Test
    void out() throws Throwable {
        MethodHandle OPEN =
                MethodHandles.lookup()
                        .findStatic(
                                StructSnippetsTest.class,
                                "open",
                                MethodType.methodType(
                                        int.class, MemorySegment.class, MemorySegment.class));
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment path = arena.allocateFrom("/tmp/db");
            Out<Pointer<Database>> database = Out.ofPointer(arena, DATABASE);
            int status = (int) OPEN.invokeExact(path, database.asSegment());
            Pointer<Database> opened = database.get();
            assertThat(status).isZero();
            assertThat(opened).isEqualTo(new Pointer<>(DATABASE, path.address()));
        }
    }
}
