package dev.kernelalloc.struct.guide;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kernelalloc.struct.*;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/** The examples of docs/structs.md: each part between the marks stands there, and runs here. */
class GuideTest {

    private final Arena arena = Arena.ofConfined();

    @AfterEach
    void free() {
        arena.close();
    }

    // guide: records
    record Point(int x, int y) {}

    static final StructType<Point> POINT = StructType.of(MethodHandles.lookup(), Point.class);

    // end

    @Test
    void records() {
        // guide: records-use
        MemorySegment memory = arena.allocate(POINT.layout());
        POINT.set(memory, new Point(3, 4));
        Point copy = POINT.get(memory);
        // end
        assertThat(copy).isEqualTo(new Point(3, 4));
    }

    // guide: interfaces
    interface Line {
        Point from();

        void from(Point value);

        Point to();

        void to(Point value);

        default double length() {
            return Math.hypot(to().x() - from().x(), to().y() - from().y());
        }
    }

    static final StructType<Line> LINE = StructType.of(MethodHandles.lookup(), Line.class);

    // end

    @Test
    void interfaces() {
        // guide: interfaces-use
        Line line = LINE.get(arena.allocate(LINE.layout()));
        line.to(new Point(3, 4));
        double length = line.length();
        // end
        assertThat(length).isEqualTo(5.0);
        assertThat(line).hasToString("Line[from=Point[x=0, y=0], to=Point[x=3, y=4]]");
        assertThat(((StructView) line).asSegment().byteSize()).isEqualTo(16);
    }

    @Test
    void beans() {
        // guide: beans
        interface Account {
            long getBalance();

            void setBalance(long value);

            boolean isOpen();

            void setOpen(boolean value);
        }
        // end
        StructType<Account> type = StructType.of(MethodHandles.lookup(), Account.class);
        Account account = type.get(arena.allocate(type.layout()));
        account.setBalance(7);
        assertThat(account).hasToString("Account[balance=7, open=false]");
    }

    @Test
    void hierarchies() {
        // guide: hierarchies
        interface Header {
            @C(CType.UNSIGNED_SHORT)
            int port();

            long id();
        }
        interface Request extends Header {
            /** The port, in host order. */
            @Override
            int port();

            int length();
        }
        // end
        assertThat(StructType.of(MethodHandles.lookup(), Request.class).layout().memberLayouts())
                .startsWith(
                        StructType.of(MethodHandles.lookup(), Header.class)
                                .layout()
                                .memberLayouts()
                                .toArray(MemoryLayout[]::new));
    }

    @Test
    @SuppressWarnings("restricted")
    void byValue() throws Throwable {
        // guide: by-value
        record Quotient(int quot, int rem) {}
        StructType<Quotient> type = StructType.of(MethodHandles.lookup(), Quotient.class);
        Linker linker = Linker.nativeLinker();
        MethodHandle div =
                linker.downcallHandle(
                        linker.defaultLookup().findOrThrow("div"),
                        FunctionDescriptor.of(
                                type.linkerLayout(), ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));
        MemorySegment returned = (MemorySegment) div.invokeExact((SegmentAllocator) arena, 17, 5);
        Quotient quotient = type.get(returned);
        // end
        assertThat(quotient).isEqualTo(new Quotient(3, 2));
    }

    @Test
    void describe() {
        // guide: describe
        interface Mixed {
            byte tag();

            double value();

            short flags();
        }
        String picture = StructType.of(MethodHandles.lookup(), Mixed.class).describe();
        // end
        assertThat(picture)
                .isEqualTo(
                        """
                        struct Mixed {
                            int8_t       tag;                 /*     0     1 */
                                                              /* hole of 7 bytes */
                            double       value;               /*     8     8 */
                            int16_t      flags;               /*    16     2 */
                                                              /* padding of 6 bytes */
                            /* size: 24, alignment: 8, members: 3, holes: 1 (7 bytes), padding: 6 bytes */
                        };
                        """);
    }

    @Test
    void arrays() {
        // guide: arrays
        record Matrix(@Length({2, 3}) double[][] rows) {}

        interface Table {
            @Length({2, 3})
            double cell(int row, int column);

            void cell(int row, int column, double value);

            @Length(16)
            MemorySegment bytes();

            @Length(4)
            Point points(int index);

            void points(int index, Point value);

            Point[] points();
        }
        // end
        StructType<Table> type = StructType.of(MethodHandles.lookup(), Table.class);
        Table table = type.get(arena.allocate(type.layout()));
        table.cell(1, 2, 6.5);
        table.points(3, new Point(1, 2));
        table.bytes().fill((byte) 1);
        assertThat(table.cell(1, 2)).isEqualTo(6.5);
        assertThat(table.points()[3]).isEqualTo(new Point(1, 2));
        assertThat(table.points()).hasSize(4);
        assertThat(table.bytes().byteSize()).isEqualTo(16);
        assertThatThrownBy(() -> table.cell(1, 3)).isInstanceOf(IndexOutOfBoundsException.class);
        StructType<Matrix> matrix = StructType.of(MethodHandles.lookup(), Matrix.class);
        MemorySegment memory = arena.allocate(matrix.layout());
        matrix.set(memory, new Matrix(new double[][] {{1, 2, 3}, {4, 5, 6}}));
        assertThat(matrix.get(memory).rows()).isDeepEqualTo(new double[][] {{1, 2, 3}, {4, 5, 6}});
        assertThatThrownBy(() -> matrix.set(memory, new Matrix(new double[][] {{1, 2, 3}, {4, 5}})))
                .hasMessage("rows: 2 elements passed, its length is 3");
    }

    @Test
    void flexible() {
        // guide: flexible
        interface Message {
            int length();

            void length(int value);

            @Flexible
            short body(long index);

            void body(long index, short value);

            MemorySegment body();
        }
        StructType<Message> type = StructType.of(MethodHandles.lookup(), Message.class);
        Message message = type.get(arena.allocate(type.byteSize(10), type.byteAlignment()));
        message.body(9, (short) 7);
        // end
        assertThat(message.body(9)).isEqualTo((short) 7);
        assertThat(type.byteSize()).isEqualTo(4);
        assertThat(message.body().byteSize()).isEqualTo(20);
        assertThatThrownBy(() -> message.body(10)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> type.byteSize(-1)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> type.byteSize(Long.MAX_VALUE))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> POINT.byteSize(1))
                .isInstanceOf(UnsupportedOperationException.class);
    }

    @Test
    void strings() {
        // guide: strings
        record Names(
                @Length(16) String utf8,
                @Length(8) @Text(charset = "US-ASCII", terminated = false) String padded,
                @Length(32) @Text(charset = "UTF-16") String wide) {}
        // end
        StructType<Names> type = StructType.of(MethodHandles.lookup(), Names.class);
        MemorySegment memory = arena.allocate(type.layout());
        Names names = new Names("grün", "12345678", "日本");
        type.set(memory, names);
        assertThat(type.get(memory)).isEqualTo(names);
        assertThat(type.byteSize()).isEqualTo(16 + 8 + 64);
        for (Names wrong :
                new Names[] {
                    new Names("0123456789abcdef", "", ""),
                    new Names("", "ü", ""),
                    new Names("", "123456789", ""),
                    new Names("a\0b", "", "")
                }) {
            assertThatThrownBy(() -> type.set(memory, wrong))
                    .isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void platformTypes() {
        // guide: platform-types
        record Sizes(
                @C(CType.SIZE_T) long length,
                @C(CType.LONG) long offset,
                @C(CType.WCHAR_T) int letter,
                @C(CType.UNSIGNED_CHAR) int level) {}
        // end
        StructType<Sizes> type = StructType.of(MethodHandles.lookup(), Sizes.class);
        MemorySegment memory = arena.allocate(type.layout());
        type.set(memory, new Sizes(1, 2, 3, 255));
        assertThat(type.get(memory)).isEqualTo(new Sizes(1, 2, 3, 255));
        assertThatThrownBy(() -> type.set(memory, new Sizes(1, 2, 3, 256)))
                .hasMessage("level: value=256 does not fit in 8 unsigned bits");
    }

    @Test
    void truthValues() {
        // guide: truth-values
        record Features(
                @C(CType.UNSIGNED_INT) boolean geometryShader, // VkBool32
                @C(CType.UNSIGNED_CHAR) boolean normalized) {} // GLboolean
        // end
        StructType<Features> type = StructType.of(MethodHandles.lookup(), Features.class);
        MemorySegment memory = arena.allocate(type.layout());
        memory.set(ValueLayout.JAVA_INT, 0, 2);
        assertThat(type.get(memory)).isEqualTo(new Features(true, false));
    }

    // guide: enums
    enum Speed {
        @EnumValue(1)
        SLOW,
        @EnumValue(10)
        FAST
    }

    // end

    @Test
    void enums() {
        // guide: enums-use
        interface Motor {
            Speed speed();

            void speed(Speed value);

            @C(CType.UNSIGNED_CHAR)
            Speed limit();
        }
        // end
        StructType<Motor> type = StructType.of(MethodHandles.lookup(), Motor.class);
        MemorySegment memory = arena.allocate(type.layout());
        Motor motor = type.get(memory);
        motor.speed(Speed.FAST);
        assertThat(motor.speed()).isEqualTo(Speed.FAST);
        assertThat(memory.get(ValueLayout.JAVA_INT, 0)).isEqualTo(10);
        assertThat(type.layout().byteOffset(MemoryLayout.PathElement.groupElement("limit")))
                .isEqualTo(4);
        assertThatThrownBy(motor::limit)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("has no constant for the value 0");
        assertThat(motor).hasToString("Motor[speed=FAST, limit=0]");
    }

    // guide: pointers
    interface Node {
        int value();

        void value(int value);

        Pointer<Node> next();

        void next(Pointer<Node> value);

        MemorySegment data();
    }

    static final StructType<Node> NODE = StructType.of(MethodHandles.lookup(), Node.class);

    // end

    @Test
    void pointers() {
        // guide: pointers-use
        Node first = NODE.get(arena.allocate(NODE.layout()));
        MemorySegment second = arena.allocate(NODE.layout());
        NODE.get(second).value(2);
        first.next(Pointer.to(NODE, second));
        int value = first.next().get().value();
        boolean end = first.next().get().next().isNull();
        // end
        assertThat(value).isEqualTo(2);
        assertThat(end).isTrue();
        assertThat(first.data().byteSize()).isZero();
        assertThat(first.next().segment(3).byteSize()).isEqualTo(3 * NODE.byteSize());
        assertThatThrownBy(() -> first.next().get().next().get())
                .isInstanceOf(NullPointerException.class);
        assertThatThrownBy(() -> first.next().segment(-1))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> first.next().segment(Long.MAX_VALUE / 2))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> Pointer.to(NODE, MemorySegment.ofArray(new long[3])))
                .isInstanceOf(IllegalArgumentException.class);
    }

    // guide: text-pointers
    record Option(@CString @Nullable String name, int value) {}

    static final StructType<Option> OPTION = StructType.of(MethodHandles.lookup(), Option.class);

    // end

    @Test
    void textPointers() {
        // guide: text-pointers-use
        MemorySegment option = OPTION.allocate(arena, new Option("cache", 3)); // the text as well
        String name = OPTION.get(option).name();
        MemorySegment other = arena.allocateFrom("other");
        OPTION.varHandle("name").set(option, 0L, other); // or text that exists
        // end
        assertThat(name).isEqualTo("cache");
        assertThat(OPTION.get(option)).isEqualTo(new Option("other", 3));
    }

    @Test
    void unions() {
        // guide: unions
        @Union
        interface Number {
            int bits();

            float real();

            void real(float value);
        }
        // end
        StructType<Number> type = StructType.of(MethodHandles.lookup(), Number.class);
        Number number = type.get(arena.allocate(type.layout()));
        number.real(1.5f);
        assertThat(number.bits()).isEqualTo(Float.floatToRawIntBits(1.5f));
        assertThat(type.byteSize()).isEqualTo(4);
    }

    @Test
    void bitFields() {
        // guide: bit-fields
        interface Descriptor {
            @Bits(13)
            int length();

            void length(int value);

            @Bits(value = 3, signed = true)
            int delta();

            void delta(int value);

            @Bits(1)
            @C(CType.UNSIGNED_INT)
            boolean last();

            void last(boolean value);

            @UnnamedBits(0)
            @Bits(4)
            int channel();
        }
        // end
        StructType<Descriptor> type = StructType.of(MethodHandles.lookup(), Descriptor.class);
        MemorySegment memory = arena.allocate(type.layout());
        Descriptor descriptor = type.get(memory);
        descriptor.length(8191);
        descriptor.delta(-4);
        descriptor.last(true);
        assertThat(descriptor.length()).isEqualTo(8191);
        assertThat(descriptor.delta()).isEqualTo(-4);
        assertThat(descriptor.last()).isTrue();
        assertThat(memory.get(ValueLayout.JAVA_INT, 0)).isEqualTo(0x1FFF | 4 << 13 | 1 << 16);
        assertThat(type.byteSize()).isEqualTo(8);
        assertThatThrownBy(() -> descriptor.delta(4))
                .hasMessage("delta: value=4 does not fit in 3 signed bits");
    }

    @Test
    void placing() {
        // guide: placing
        @Struct(packed = true)
        record Event(int events, long data) {}

        @Struct(align = 64, size = 256)
        interface Registers {
            int control();

            @Offset(0x40)
            int status();

            @Align(16)
            long counter();
        }
        // end
        StructType<Event> event = StructType.of(MethodHandles.lookup(), Event.class);
        assertThat(event.byteSize()).isEqualTo(12);
        assertThat(event.byteAlignment()).isEqualTo(1);
        StructType<Registers> registers = StructType.of(MethodHandles.lookup(), Registers.class);
        assertThat(registers.byteSize()).isEqualTo(256);
        assertThat(registers.byteAlignment()).isEqualTo(64);
        assertThat(registers.layout().byteOffset(MemoryLayout.PathElement.groupElement("counter")))
                .isEqualTo(0x50);
    }

    @Test
    void byteOrder() {
        // guide: byte-order
        @Struct(order = Endian.BIG)
        record Header(char source, char destination, @Order(Endian.LITTLE) int extension) {}
        // end
        StructType<Header> type = StructType.of(MethodHandles.lookup(), Header.class);
        MemorySegment memory = arena.allocate(type.layout());
        type.set(memory, new Header((char) 0x0102, (char) 443, 1));
        assertThat(memory.toArray(ValueLayout.JAVA_BYTE))
                .containsExactly(1, 2, 1, (byte) 0xBB, 1, 0, 0, 0);
    }

    @Test
    void sharing() {
        // guide: sharing
        interface Ring {
            @Access(MemoryOrder.ACQUIRE_RELEASE)
            int head();

            void head(int value);

            long count();

            @Atomic("count")
            long getAndAddCount(long delta);

            @Atomic("count")
            boolean compareAndSetCount(long expected, long value);
        }
        // end
        StructType<Ring> type = StructType.of(MethodHandles.lookup(), Ring.class);
        Ring ring = type.get(arena.allocate(type.layout()));
        ring.head(5);
        assertThat(ring.head()).isEqualTo(5);
        assertThat(ring.getAndAddCount(3)).isZero();
        assertThat(ring.compareAndSetCount(3, 9)).isTrue();
        assertThat(ring.compareAndSetCount(3, 1)).isFalse();
        assertThat(ring.count()).isEqualTo(9);
    }

    @Test
    void layouts() {
        // guide: layouts
        MemoryLayout layout =
                MemoryLayout.structLayout(
                                ValueLayout.JAVA_INT.withName("x"),
                                ValueLayout.JAVA_INT.withName("y"))
                        .withName("point");
        StructType<MemorySegment> type = StructType.of(layout);
        MemorySegment point = type.get(arena.allocate(layout));
        // end
        point.set(ValueLayout.JAVA_INT, 4, 9);
        assertThat(type.toString(point)).isEqualTo("point[x=0, y=9]");
        assertThat(type.type()).isEqualTo(MemorySegment.class);
        assertThat(type).hasToString("struct point (8 bytes)");
    }

    @Test
    void handles() throws Throwable {
        // guide: handles
        VarHandle x = LINE.varHandle("to.x");
        MemorySegment memory = arena.allocate(LINE.layout());
        x.setVolatile(memory, 0L, 7);
        Point to = (Point) LINE.getter("to").invokeExact(memory, 0L);
        // end
        assertThat(to).isEqualTo(new Point(7, 0));
    }

    @Test
    void mistakes() {
        // guide: mistakes
        interface Wrong {
            int[] values();

            @Length(0)
            byte data(int index);

            String name();
        }
        // end
        assertThatThrownBy(() -> StructType.of(MethodHandles.lookup(), Wrong.class))
                .isInstanceOfSatisfying(
                        StructDefinitionException.class,
                        e ->
                                assertThat(e.mistakes())
                                        .containsExactly(
                                                "Wrong.values: an inline array needs a length for"
                                                        + " each dimension: @Length",
                                                "Wrong.data: @Length(0) is not positive",
                                                "Wrong.name: a String is a character array: give"
                                                    + " its length in characters with @Length"));
    }
}
