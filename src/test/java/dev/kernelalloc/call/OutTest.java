package dev.kernelalloc.call;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.kernelalloc.struct.EnumValue;
import dev.kernelalloc.struct.Pointer;
import dev.kernelalloc.struct.StructType;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.util.List;

class OutTest {

    record Point(int x, int y) {}

    static final StructType<Point> POINT = StructType.of(MethodHandles.lookup(), Point.class);

    enum Color {
        @EnumValue(1)
        RED
    }

    record Paint(Color color) {}

    @Test
    @DisplayName("A description reads no memory that has ended, and follows no pointer")
    void toString_ofUnreadableMemory_showsItsAddress() {
        Out<Paint> paint;
        Out<String> text;
        try (Arena arena = Arena.ofConfined()) {
            MethodHandles.Lookup lookup = MethodHandles.lookup();
            paint = Out.of(arena, StructType.of(lookup, Paint.class));
            text = Out.ofString(lookup, arena);
            text.asSegment().set(ValueLayout.JAVA_LONG, 0, 0x1234); // never mapped
            assertThat(paint).hasToString("Out[Paint[color=0]]"); // no constant is 0
            assertThat(text).hasToString("Out[0x1234]");
        }
        assertThat(paint.toString()).matches("Out\\[closed, was at 0x[0-9a-f]+, 4 bytes]");
        assertThat(text.toString()).matches("Out\\[closed, was at 0x[0-9a-f]+, 8 bytes]");
    }

    @Test
    @DisplayName("Every kind reads 0 or null first, and afterwards what was written")
    void get_readsWhatWasWritten() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment dirty = arena.allocate(256, 8).fill((byte) -1);
            SegmentAllocator allocator = SegmentAllocator.slicingAllocator(dirty);
            Out<Integer> number = Out.ofInt(allocator);
            Out<Long> size = Out.ofLong(allocator);
            Out<MemorySegment> address = Out.ofAddress(allocator);
            Out<Pointer<Point>> pointer = Out.ofPointer(allocator, POINT);
            Out<String> text = Out.ofString(MethodHandles.lookup(), allocator);
            Out<Point> point = Out.of(allocator, POINT);
            assertThat(number.get()).isZero();
            assertThat(size.get()).isZero();
            assertThat(address.get()).isEqualTo(MemorySegment.NULL);
            assertThat(pointer.get().isNull()).isTrue();
            assertThat(text.get()).isNull();
            assertThat(point.get()).isEqualTo(new Point(0, 0));

            MemorySegment target = POINT.allocate(arena, new Point(3, 4));
            number.asSegment().set(ValueLayout.JAVA_INT, 0, 7);
            size.asSegment().set(ValueLayout.JAVA_LONG, 0, 8);
            for (Out<?> any : List.of(address, pointer)) {
                any.asSegment().set(ValueLayout.ADDRESS, 0, target);
            }
            text.asSegment().set(ValueLayout.ADDRESS, 0, arena.allocateFrom("größte"));
            POINT.set(point.asSegment(), new Point(1, 2));
            assertThat(number.get()).isEqualTo(7);
            assertThat(size.get()).isEqualTo(8);
            assertThat(address.get().address()).isEqualTo(target.address());
            assertThat(pointer.get().get()).isEqualTo(new Point(3, 4));
            assertThat(text.get()).isEqualTo("größte");
            assertThat(point.get()).isEqualTo(new Point(1, 2));
            assertThat(point).hasToString("Out[Point[x=1, y=2]]");
        }
    }

    @Test
    @DisplayName("The value ends with its memory")
    void get_afterTheArena_throws() {
        Out<Integer> number;
        try (Arena arena = Arena.ofConfined()) {
            number = Out.ofInt(arena);
        }
        assertThatIllegalStateException().isThrownBy(number::get);
    }
}
