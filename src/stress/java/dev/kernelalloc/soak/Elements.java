package dev.kernelalloc.soak;

import dev.kernelalloc.NativeArray;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.struct.Length;
import dev.kernelalloc.struct.Struct;
import dev.kernelalloc.struct.StructType;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;

/**
 * Elements of a type, each a function of a number, so that a model of them is a list of numbers.
 * They belong to the thread that made them.
 *
 * @param <T> the type of an element
 */
abstract class Elements<T> implements AutoCloseable {

    /** How many elements of live views can be used at the same time. */
    static final int SLOTS = 64;

    record Point(int x, int y) {}

    record Odd(byte first, short second, byte third) {}

    @Struct(align = 64)
    record Line(long value) {}

    record Named(@Length(21) String name, double weight, Point place) {}

    interface Cell {
        long key();

        void key(long value);

        int tag();

        void tag(int value);

        @Length(3)
        short parts(int index);

        void parts(int index, short value);
    }

    private static final StructType<Point> POINT =
            StructType.of(MethodHandles.lookup(), Point.class);
    private static final StructType<Odd> ODD = StructType.of(MethodHandles.lookup(), Odd.class);
    private static final StructType<Line> LINE = StructType.of(MethodHandles.lookup(), Line.class);
    private static final StructType<Named> NAMED =
            StructType.of(MethodHandles.lookup(), Named.class);
    private static final StructType<Cell> CELL = StructType.of(MethodHandles.lookup(), Cell.class);

    /** 12 bytes, aligned to 8: the distance of elements exceeds their size. */
    private static final StructType<MemorySegment> UNPADDED =
            StructType.of(
                    MemoryLayout.structLayout(
                            ValueLayout.JAVA_LONG.withName("key"),
                            ValueLayout.JAVA_INT.withName("tag")));

    final StructType<T> type;

    private Elements(StructType<T> type) {
        this.type = type;
    }

    /** Returns the elements of one of the types. */
    static Elements<?> any(int choice) {
        return switch (Math.floorMod(choice, 6)) {
            case 0 -> new Points();
            case 1 -> new Odds();
            case 2 -> new Lines();
            case 3 -> new Names();
            case 4 -> new Cells();
            default -> new Segments();
        };
    }

    /**
     * Returns the element of a number.
     *
     * @param slot the place of a live view until the next use of the slot
     */
    abstract T of(int number, int slot);

    /** Returns the number of an element, whose every member must be that number's. */
    abstract int number(T element);

    /** Returns whether an element is a copy. */
    final boolean areCopies() {
        return !type.isView();
    }

    @Override
    public void close() {}

    private abstract static class OfRecords<R> extends Elements<R> {

        OfRecords(StructType<R> type) {
            super(type);
        }

        abstract R of(int number);

        abstract int decoded(R element);

        @Override
        final R of(int number, int slot) {
            return of(number);
        }

        @Override
        final int number(R element) {
            int number = decoded(element);
            Mismatch.requireEqual(of(number), element, "the members of an element");
            return number;
        }
    }

    private static final class Points extends OfRecords<Point> {

        Points() {
            super(POINT);
        }

        @Override
        Point of(int number) {
            return new Point(number, ~number);
        }

        @Override
        int decoded(Point element) {
            return element.x();
        }
    }

    private static final class Odds extends OfRecords<Odd> {

        Odds() {
            super(ODD);
        }

        @Override
        Odd of(int number) {
            return new Odd((byte) number, (short) (number >> 8), (byte) (number >> 24));
        }

        @Override
        int decoded(Odd element) {
            return element.third() << 24
                    | (element.second() & 0xFFFF) << 8
                    | element.first() & 0xFF;
        }
    }

    private static final class Lines extends OfRecords<Line> {

        Lines() {
            super(LINE);
        }

        @Override
        Line of(int number) {
            return new Line(number * 0x1_0000_0001L);
        }

        @Override
        int decoded(Line element) {
            return (int) element.value();
        }
    }

    private static final class Names extends OfRecords<Named> {

        Names() {
            super(NAMED);
        }

        @Override
        Named of(int number) {
            return new Named("größe " + number, number / 8.0, new Point(number, -number));
        }

        @Override
        int decoded(Named element) {
            return element.place().x();
        }
    }

    private static final class Cells extends Elements<Cell> {

        private final NativeArray<Cell> slots =
                NativeArray.zeroed(PoolAllocator.shared(), CELL, SLOTS);

        Cells() {
            super(CELL);
        }

        @Override
        Cell of(int number, int slot) {
            Cell cell = slots.get(slot);
            cell.key(number);
            cell.tag(~number);
            for (int i = 0; i < 3; i++) {
                cell.parts(i, (short) (number >> i * 8));
            }
            return cell;
        }

        @Override
        int number(Cell element) {
            int number = (int) element.key();
            Mismatch.requireEqual(number, element.key(), "the key of a view");
            Mismatch.requireEqual(~number, element.tag(), "the tag of a view");
            for (int i = 0; i < 3; i++) {
                Mismatch.requireEqual(
                        (short) (number >> i * 8), element.parts(i), "a part of a view");
            }
            return number;
        }

        @Override
        public void close() {
            slots.close();
        }
    }

    private static final class Segments extends Elements<MemorySegment> {

        private final NativeArray<MemorySegment> slots =
                NativeArray.zeroed(PoolAllocator.shared(), UNPADDED, SLOTS);

        Segments() {
            super(UNPADDED);
        }

        @Override
        MemorySegment of(int number, int slot) {
            MemorySegment segment = slots.get(slot);
            segment.set(ValueLayout.JAVA_LONG, 0, number);
            segment.set(ValueLayout.JAVA_INT, 8, ~number);
            return segment;
        }

        @Override
        int number(MemorySegment element) {
            int number = (int) element.get(ValueLayout.JAVA_LONG, 0);
            Mismatch.requireEqual(12, element.byteSize(), "the size of an element");
            Mismatch.requireEqual(
                    number, element.get(ValueLayout.JAVA_LONG, 0), "the key of a segment");
            Mismatch.requireEqual(
                    ~number, element.get(ValueLayout.JAVA_INT, 8), "the tag of a segment");
            return number;
        }

        @Override
        public void close() {
            slots.close();
        }
    }
}
