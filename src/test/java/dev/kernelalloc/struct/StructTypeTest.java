package dev.kernelalloc.struct;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.reflect.Method;
import java.nio.ByteOrder;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.LongStream;
import java.util.stream.Stream;

/** What a struct type promises beyond where members lie. */
class StructTypeTest {

    record Primitives(boolean a, byte b, short c, char d, int e, long f, float g, double h) {}

    private static final StructType<Primitives> PRIMITIVES =
            StructType.of(MethodHandles.lookup(), Primitives.class);

    interface Counter {
        long count();

        void count(long value);

        @Access(MemoryOrder.VOLATILE)
        int flag();

        void flag(int value);

        @Atomic("count")
        long getAndAddCount(long delta);

        @Length(4)
        long slots(int index);

        @Atomic("slots")
        long getAndAddSlots(int index, long delta);
    }

    private static final StructType<Counter> COUNTER =
            StructType.of(MethodHandles.lookup(), Counter.class);

    @Property
    void aRecordComesBackAsItWasSet(
            @ForAll boolean a,
            @ForAll byte b,
            @ForAll short c,
            @ForAll char d,
            @ForAll int e,
            @ForAll long f,
            @ForAll float g,
            @ForAll @IntRange(max = 40) int misalignment) {
        Primitives value = new Primitives(a, b, c, d, e, f, g, f / 3.0);
        MemorySegment heap =
                MemorySegment.ofArray(new byte[misalignment + (int) PRIMITIVES.byteSize()]);
        PRIMITIVES.set(heap, misalignment, value);
        assertThat(PRIMITIVES.get(heap, misalignment)).isEqualTo(value);
    }

    @Property(tries = 300)
    void aBitFieldKeepsItsValueAndItsNeighbours(
            @ForAll @IntRange(max = 7) int firstBit,
            @ForAll @IntRange(min = 1, max = 64) int bits,
            @ForAll boolean signed,
            @ForAll boolean bigEndian,
            @ForAll long seed,
            @ForAll byte background) {
        ByteOrder order = bigEndian ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN;
        BitField field = new BitField(firstBit, new IntegerRange("field", bits, signed), order);
        long value = signed ? seed >> 64 - bits : seed >>> 64 - bits;
        MemorySegment memory = MemorySegment.ofArray(new byte[9]).fill(background);
        field.set(memory, 0, value);
        assertThat(field.get(memory, 0)).isEqualTo(value);
        for (int bit = 0; bit < 72; bit++) {
            if (bit < firstBit || bit >= firstBit + bits) {
                int mask = bigEndian ? 0x80 >> bit % 8 : 1 << bit % 8;
                byte found = memory.get(ValueLayout.JAVA_BYTE, bit / 8);
                assertThat(found & mask).as("bit %d", bit).isEqualTo(background & mask);
            }
        }
    }

    @Example
    void accessIsCheckedByTheSegment() throws Exception {
        Arena arena = Arena.ofConfined();
        MemorySegment small = arena.allocate(PRIMITIVES.byteSize() - 1);
        Primitives value = new Primitives(true, (byte) 1, (short) 2, 'c', 4, 5, 6, 7);
        assertThatThrownBy(() -> PRIMITIVES.get(small))
                .isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> PRIMITIVES.set(small, value))
                .isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> COUNTER.get(small)).isInstanceOf(IndexOutOfBoundsException.class);
        MemorySegment memory = arena.allocate(COUNTER.layout());
        for (long offset : new long[] {-1, 1, Long.MAX_VALUE, Long.MIN_VALUE}) {
            assertThatThrownBy(() -> COUNTER.get(memory, offset))
                    .isInstanceOf(IndexOutOfBoundsException.class);
        }
        Counter counter = COUNTER.get(memory);
        Counter readOnly = COUNTER.get(memory.asReadOnly());
        assertThatThrownBy(() -> readOnly.count(1)).isInstanceOf(IllegalArgumentException.class);
        try (ExecutorService other = Executors.newSingleThreadExecutor()) {
            Future<Long> read = other.submit(() -> counter.count());
            assertThatThrownBy(read::get)
                    .isInstanceOf(ExecutionException.class)
                    .hasCauseInstanceOf(WrongThreadException.class);
        }
        arena.close();
        assertThatThrownBy(counter::count).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> counter.count(1)).isInstanceOf(IllegalStateException.class);
    }

    @Example
    void nullsAreRefused() {
        record Holder(@Length(4) String text) {}
        StructType<Holder> holder = StructType.of(MethodHandles.lookup(), Holder.class);
        MemorySegment memory = Arena.ofAuto().allocate(64);
        assertThatThrownBy(() -> holder.set(memory, null)).isInstanceOf(NullPointerException.class);
        assertThatThrownBy(() -> holder.set(memory, new Holder(null)))
                .isInstanceOf(NullPointerException.class);
        assertThatThrownBy(() -> COUNTER.set(memory, null))
                .isInstanceOf(NullPointerException.class);
        assertThatThrownBy(() -> COUNTER.get(null)).isInstanceOf(NullPointerException.class);
    }

    @Example
    void settingAViewCopiesTheBytesOfAnother() {
        Arena arena = Arena.ofAuto();
        Counter first = COUNTER.get(arena.allocate(COUNTER.layout()));
        first.count(9);
        first.getAndAddSlots(3, 4);
        MemorySegment memory = arena.allocate(COUNTER.layout());
        // A view of another StructType of the same interface is as good.
        StructType<Counter> again = StructType.of(MethodHandles.lookup(), Counter.class);
        again.set(memory, first);
        assertThat(COUNTER.get(memory).count()).isEqualTo(9);
        assertThat(COUNTER.get(memory).slots(3)).isEqualTo(4);
    }

    @Example
    void anObjectThatIsNoViewIsRefused() {
        interface One {
            int a();
        }
        StructType<One> type = StructType.of(MethodHandles.lookup(), One.class);
        assertThatThrownBy(() -> type.set(Arena.ofAuto().allocate(4), () -> 1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("is no view of a One in memory");
    }

    @Example
    void noAtomicAdditionIsLost() throws Exception {
        try (Arena arena = Arena.ofShared();
                ExecutorService threads = Executors.newFixedThreadPool(2)) {
            Counter counter = COUNTER.get(arena.allocate(COUNTER.layout()));
            Runnable adding =
                    () ->
                            LongStream.range(0, 100_000)
                                    .forEach(
                                            i -> {
                                                counter.getAndAddCount(1);
                                                counter.getAndAddSlots((int) i & 3, 2);
                                            });
            for (Future<?> done : Stream.of(adding, adding).map(threads::submit).toList()) {
                done.get();
            }
            assertThat(counter.count()).isEqualTo(200_000);
            assertThat(counter.slots(1)).isEqualTo(100_000);
        }
    }

    @Example
    void aVolatileMemberPublishesWhatWasWrittenBefore() throws Exception {
        try (Arena arena = Arena.ofShared();
                ExecutorService other = Executors.newSingleThreadExecutor()) {
            Counter counter = COUNTER.get(arena.allocate(COUNTER.layout()));
            int rounds = 20_000;
            Future<Boolean> reader =
                    other.submit(
                            () -> {
                                for (int round = 1; round <= rounds; round++) {
                                    while (counter.flag() < round) {
                                        Thread.onSpinWait();
                                    }
                                    if (counter.count() < round) {
                                        return false;
                                    }
                                }
                                return true;
                            });
            for (int round = 1; round <= rounds; round++) {
                counter.count(round);
                counter.flag(round);
            }
            assertThat(reader.get()).isTrue();
        }
    }

    enum State {
        @EnumValue(0)
        IDLE,
        @EnumValue(3)
        BUSY
    }

    @Struct(order = Endian.BIG)
    interface Modes {
        @Access(MemoryOrder.VOLATILE)
        State state();

        void state(State value);

        @Access(MemoryOrder.ACQUIRE_RELEASE)
        Pointer<Modes> next();

        void next(Pointer<Modes> value);

        @Access(MemoryOrder.OPAQUE)
        @C(CType.UNSIGNED_SHORT)
        int index();

        void index(int value);

        @Access(MemoryOrder.VOLATILE)
        boolean ready();

        void ready(boolean value);

        @Length(2)
        @Access(MemoryOrder.OPAQUE)
        byte marks(int index);

        void marks(int index, byte value);

        @Access(MemoryOrder.ACQUIRE_RELEASE)
        MemorySegment data();

        void data(MemorySegment value);

        double rate();

        void rate(double value);

        @Atomic("rate")
        double getAndSetRate(double value);

        @Atomic("data")
        MemorySegment compareAndExchangeData(MemorySegment expected, MemorySegment value);
    }

    @Example
    void everyKindOfMemberHasModesInEitherByteOrder() {
        StructType<Modes> type = StructType.of(MethodHandles.lookup(), Modes.class);
        MemorySegment memory = Arena.ofAuto().allocate(type.layout());
        Modes modes = type.get(memory);
        modes.state(State.BUSY);
        modes.next(new Pointer<>(type, 0x1234));
        modes.index(65535);
        modes.ready(true);
        modes.marks(1, (byte) -1);
        modes.data(MemorySegment.ofAddress(64));
        modes.rate(2.5);
        assertThat(modes.state()).isEqualTo(State.BUSY);
        assertThat(modes.next()).isEqualTo(new Pointer<>(type, 0x1234));
        assertThat(modes.index()).isEqualTo(65535);
        assertThat(modes.ready()).isTrue();
        assertThat(modes.marks(1)).isEqualTo((byte) -1);
        assertThat(modes.compareAndExchangeData(MemorySegment.ofAddress(64), memory).address())
                .isEqualTo(64);
        assertThat(modes.data().address()).isEqualTo(memory.address());
        assertThat(modes.getAndSetRate(7)).isEqualTo(2.5);
        assertThat(memory.get(ValueLayout.JAVA_INT, 0)).isEqualTo(3 << 24);
    }

    @Example
    void misalignedAtomicAccessIsRefusedAndPlainAccessWorks() {
        Counter counter = COUNTER.get(Arena.ofAuto().allocate(64, 8), 1);
        counter.count(5);
        assertThat(counter.count()).isEqualTo(5);
        assertThatThrownBy(() -> counter.getAndAddCount(1))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(counter::flag).isInstanceOf(IllegalArgumentException.class);
    }

    interface Base {
        byte tag();
    }

    interface Derived extends Base, StructView {
        int value();
    }

    @Example
    void membersOfSuperInterfacesComeFirst() {
        StructType<Derived> type = StructType.of(MethodHandles.lookup(), Derived.class);
        assertThat(type.byteSize()).isEqualTo(8);
        assertThat(type.layout().byteOffset(MemoryLayout.PathElement.groupElement("value")))
                .isEqualTo(4);
        assertThat(type.get(Arena.ofAuto().allocate(20), 8).asSegment().byteSize()).isEqualTo(8);
    }

    @Example
    void pathsReachEveryMemberAndWrongOnesSayWhy() throws Throwable {
        record Point(int x, int y) {}
        record Shape(
                @Length({2, 2}) Point[][] corners,
                @Bits(3) int kind,
                @Length(8) String name,
                @Length(3) int[] weights) {}
        StructType<Shape> type = StructType.of(MethodHandles.lookup(), Shape.class);
        MemorySegment memory = Arena.ofAuto().allocate(type.layout());
        type.setter("corners[1][0].y").invoke(memory, 0L, 8);
        assertThat((int) type.varHandle("corners[][].y").get(memory, 0L, 1L, 0L)).isEqualTo(8);
        assertThat((Point) type.getter("corners[1][0]").invoke(memory, 0L))
                .isEqualTo(new Point(0, 8));
        type.setter("kind").invoke(memory, 0L, 5);
        assertThat((int) type.getter("kind").invoke(memory, 0L)).isEqualTo(5);
        type.setter("name").invoke(memory, 0L, "abc");
        assertThat((String) type.getter("name").invoke(memory, 0L)).isEqualTo("abc");
        type.setter("weights").invoke(memory, 0L, new int[] {1, 2, 3});
        assertThat((int) type.getter("weights[2]").invoke(memory, 0L)).isEqualTo(3);
        assertThatThrownBy(() -> type.varHandle("kind"))
                .hasMessageContaining("a bit-field; use getter and setter");
        assertThatThrownBy(() -> type.varHandle("name"))
                .hasMessageContaining("a string; use getter and setter");
        for (String wrong :
                new String[] {
                    "",
                    "none",
                    "weights[3]",
                    "weights[0][0]",
                    "kind.x",
                    "corners[]",
                    "a..b",
                    "name[0]"
                }) {
            assertThatThrownBy(() -> type.getter(wrong))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageStartingWith("path \"" + wrong + "\" in Shape: ");
        }
    }

    @Example
    void windowsAndSystemVDifferWhereTheyShould() {
        record Bits(
                @dev.kernelalloc.struct.Bits(4) byte a,
                @dev.kernelalloc.struct.Bits(4) int b,
                @C(CType.LONG) long c) {}
        assertThat(
                        StructType.of(MethodHandles.lookup(), Bits.class, Abi.SYSTEM_V_X86_64)
                                .byteSize())
                .isEqualTo(16);
        assertThat(StructType.of(MethodHandles.lookup(), Bits.class, Abi.WINDOWS).byteSize())
                .isEqualTo(12);
        assertThat(Abi.of("Windows 11", "amd64")).isEqualTo(Abi.WINDOWS);
        assertThat(Abi.of("Mac OS X", "aarch64")).isEqualTo(Abi.MACOS);
        assertThat(Abi.of("Linux", "aarch64")).isEqualTo(Abi.SYSTEM_V_AARCH64);
    }

    @Example
    void unnamedBitsAlignTheirStructOnAArch64Alone() {
        record Gap(byte a, @UnnamedBits(0) byte b) {}
        assertThat(size(Gap.class, Abi.SYSTEM_V_X86_64)).isEqualTo(5);
        assertThat(size(Gap.class, Abi.SYSTEM_V_AARCH64)).isEqualTo(8);
        assertThat(size(Gap.class, Abi.WINDOWS)).isEqualTo(2);
    }

    private static long size(Class<?> type, Abi abi) {
        return StructType.of(MethodHandles.lookup(), type, abi).byteSize();
    }

    /** Loads one interface, and does not tell where its class file is. */
    private static final class Secretive extends ClassLoader {

        Class<?> load(Class<?> original) throws IOException {
            String file =
                    original.getName().substring(original.getName().lastIndexOf('.') + 1)
                            + ".class";
            try (InputStream stream = original.getResourceAsStream(file)) {
                byte[] bytes = stream.readAllBytes();
                return defineClass(original.getName(), bytes, 0, bytes.length);
            }
        }

        @Override
        public InputStream getResourceAsStream(String name) {
            return null;
        }
    }

    @Example
    void withoutItsClassFileTheOrderOfAnInterfaceIsUnknown() throws Exception {
        Class<?> unordered = new Secretive().load(Unordered.class);
        Class<?> placed = new Secretive().load(Placed.class);
        assertThatThrownBy(() -> StructType.of(lookup(unordered), unordered))
                .isInstanceOf(StructDefinitionException.class)
                .hasMessageContaining("the order of its members is not known")
                .hasMessageContaining("give every member an @Offset, or use a record");
        assertThat(StructType.of(lookup(placed), placed).byteSize()).isEqualTo(8);
    }

    private static MethodHandles.Lookup lookup(Class<?> type) throws Exception {
        Method method = type.getMethod("lookup");
        return (MethodHandles.Lookup) method.invoke(null);
    }
}
