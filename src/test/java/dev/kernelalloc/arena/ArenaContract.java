package dev.kernelalloc.arena;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.testing.HeldByC;

import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * What {@code java.lang.foreign} promises of an arena that can be closed. The arenas of the JDK
 * pass it too: so it asks for nothing they do not give.
 */
@SuppressWarnings("try") // closing is what is tested
public abstract class ArenaContract {

    private static final long[] SIZES = {
        0, 1, 2, 7, 8, 9, 31, 32, 33, 100, 511, 512, 513, 1000, 2048, 4096, 4097, 16_384, 20_000,
        65_536, 100_000
    };

    abstract Arena open();

    /** Whether all threads may use the arena. */
    abstract boolean isShared();

    // ---- segments -----------------------------------------------------------------------------

    @Test
    void aSegmentHasExactlyTheRequestedSizeAndAtLeastTheRequestedAlignment() {
        for (long alignment = 1; alignment <= 1 << 16; alignment *= 2) {
            try (Arena arena = open()) {
                for (long size : SIZES) {
                    MemorySegment segment = arena.allocate(size, alignment);
                    assertThat(segment.byteSize()).isEqualTo(size);
                    assertThat(segment.address() % alignment).isZero();
                    assertThat(segment.address()).isNotZero();
                    assertThat(segment.isNative()).isTrue();
                    assertThat(segment.isReadOnly()).isFalse();
                    assertThat(segment.scope()).isEqualTo(arena.scope());
                }
            }
        }
    }

    @Test
    void segmentsDoNotOverlapAndKeepTheirContents() {
        try (Arena arena = open()) {
            List<MemorySegment> segments = new ArrayList<>();
            for (int i = 0; i < 300; i++) {
                MemorySegment segment =
                        arena.allocate(SIZES[(i * 7) % (SIZES.length - 3)], 1L << (i % 8));
                segment.fill((byte) i);
                segments.add(segment);
            }
            for (int i = 0; i < segments.size(); i++) {
                assertThat(firstOtherThan(segments.get(i), (byte) i)).isEqualTo(-1);
            }
            assertDisjoint(segments);
        }
    }

    @Test
    void emptySegmentsHaveDistinctAddresses() {
        try (Arena arena = open()) {
            List<MemorySegment> segments = new ArrayList<>();
            for (int i = 0; i < 600; i++) {
                segments.add(arena.allocate(0, 1L << (i % 5)));
                segments.add(arena.allocate(i % 3, 1));
            }
            assertThat(segments).extracting(MemorySegment::address).doesNotHaveDuplicates();
            assertDisjoint(segments);
        }
    }

    @Test
    void segmentsAreZeroAlsoWhereSomethingWasWrittenBefore() {
        for (int round = 0; round < 4; round++) {
            try (Arena arena = open()) {
                for (long size : SIZES) {
                    for (long alignment = 1; alignment <= 256; alignment *= 16) {
                        MemorySegment segment = arena.allocate(size, alignment);
                        assertThat(firstOtherThan(segment, (byte) 0)).isEqualTo(-1);
                        segment.fill((byte) -1);
                        MemorySegment overwritten =
                                arena.allocateFrom(ValueLayout.JAVA_LONG, -1, -1, -1);
                        assertThat(overwritten.toArray(ValueLayout.JAVA_LONG)).containsOnly(-1);
                    }
                }
            }
        }
    }

    @Test
    void layoutsGiveZeroedSegmentsOfTheirSizeAndAlignment() {
        MemoryLayout layout =
                MemoryLayout.structLayout(
                                ValueLayout.JAVA_INT.withName("a"),
                                MemoryLayout.paddingLayout(4),
                                ValueLayout.JAVA_LONG.withName("b"))
                        .withByteAlignment(64);
        dirty();
        try (Arena arena = open()) {
            arena.allocate(1);
            MemorySegment one = arena.allocate(layout);
            assertThat(one.byteSize()).isEqualTo(16);
            assertThat(one.address() % 64).isZero();
            assertThat(firstOtherThan(one, (byte) 0)).isEqualTo(-1);
            MemorySegment many = arena.allocate(ValueLayout.JAVA_LONG, 77);
            assertThat(many.byteSize()).isEqualTo(77 * 8);
            assertThat(many.address() % 8).isZero();
            assertThat(firstOtherThan(many, (byte) 0)).isEqualTo(-1);
            MemorySegment none = arena.allocate(ValueLayout.JAVA_LONG, 0);
            assertThat(none.byteSize()).isZero();
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> arena.allocate(ValueLayout.JAVA_LONG, -1));
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> arena.allocate(ValueLayout.JAVA_LONG, Long.MAX_VALUE));
        }
    }

    @Test
    void badSizesAndAlignmentsAreRefusedAndNothingHasChanged() {
        try (Arena arena = open()) {
            for (boolean used : new boolean[] {false, true}) {
                for (long size : new long[] {-1, -8, Long.MIN_VALUE}) {
                    assertThatIllegalArgumentException()
                            .isThrownBy(() -> arena.allocate(size))
                            .as("used %s", used);
                    assertThatIllegalArgumentException().isThrownBy(() -> arena.allocate(size, 64));
                }
                for (long alignment : new long[] {0, -1, -8, 3, 48, Long.MIN_VALUE}) {
                    for (long size : new long[] {0, 1, 8, 100_000}) {
                        assertThatIllegalArgumentException()
                                .isThrownBy(() -> arena.allocate(size, alignment));
                    }
                }
                MemorySegment segment = arena.allocate(16, 16);
                assertThat(firstOtherThan(segment, (byte) 0)).isEqualTo(-1);
            }
        }
    }

    @Test
    void nullIsRefusedAndNothingHasChanged() {
        try (Arena arena = open()) {
            List<Runnable> nulls =
                    List.of(
                            () -> arena.allocate((MemoryLayout) null),
                            () -> arena.allocate(null, 1),
                            () -> arena.allocateFrom((String) null),
                            () -> arena.allocateFrom("text", (Charset) null),
                            () -> arena.allocateFrom((ValueLayout.OfInt) null, 1),
                            () -> arena.allocateFrom(ValueLayout.JAVA_INT, (int[]) null),
                            () -> arena.allocateFrom(ValueLayout.ADDRESS, (MemorySegment) null));
            for (Runnable request : nulls) {
                assertThatExceptionOfType(NullPointerException.class).isThrownBy(request::run);
            }
            assertThat(arena.allocateFrom("text").getString(0)).isEqualTo("text");
        }
    }

    // ---- segments made from values ------------------------------------------------------------

    /** The JDK's confined arena says what each has to hold. */
    @TestFactory
    Stream<DynamicTest> segmentsFromValuesHoldWhatTheyHoldInAnArenaOfTheJdk() {
        return fromValues().entrySet().stream()
                .map(
                        entry ->
                                DynamicTest.dynamicTest(
                                        entry.getKey(), () -> asInTheJdk(entry.getValue())));
    }

    private void asInTheJdk(Function<SegmentAllocator, MemorySegment> request) {
        dirty();
        try (Arena jdk = Arena.ofConfined();
                Arena arena = open()) {
            MemorySegment expected = request.apply(jdk);
            MemorySegment before = arena.allocateFrom(ValueLayout.JAVA_BYTE, (byte) 1);
            MemorySegment segment = request.apply(arena);
            MemorySegment after = arena.allocateFrom(ValueLayout.JAVA_BYTE, (byte) 2);
            assertThat(segment.byteSize()).isEqualTo(expected.byteSize());
            assertThat(segment.mismatch(expected)).isEqualTo(-1);
            assertThat(segment.scope()).isEqualTo(arena.scope());
            assertDisjoint(List.of(before, segment, after));
            segment.fill((byte) -1); // it may be written like any other
            assertThat(before.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 1);
            assertThat(after.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 2);
        }
    }

    private static Map<String, Function<SegmentAllocator, MemorySegment>> fromValues() {
        Map<String, Function<SegmentAllocator, MemorySegment>> requests = new TreeMap<>();
        requests.put("byte", a -> a.allocateFrom(ValueLayout.JAVA_BYTE, (byte) 0x12));
        requests.put("boolean and other sources", ArenaContract::booleans);
        for (ByteOrder order : List.of(ByteOrder.LITTLE_ENDIAN, ByteOrder.BIG_ENDIAN)) {
            ValueLayout.OfShort ofShort = ValueLayout.JAVA_SHORT.withOrder(order);
            ValueLayout.OfChar ofChar = ValueLayout.JAVA_CHAR.withOrder(order);
            ValueLayout.OfInt ofInt = ValueLayout.JAVA_INT.withOrder(order);
            ValueLayout.OfFloat ofFloat = ValueLayout.JAVA_FLOAT.withOrder(order);
            ValueLayout.OfLong ofLong = ValueLayout.JAVA_LONG.withOrder(order);
            ValueLayout.OfDouble ofDouble = ValueLayout.JAVA_DOUBLE.withOrder(order);
            requests.put("short " + order, a -> a.allocateFrom(ofShort, (short) 0x1234));
            requests.put("char " + order, a -> a.allocateFrom(ofChar, 'ß'));
            requests.put("int " + order, a -> a.allocateFrom(ofInt, 0x12345678));
            requests.put("float " + order, a -> a.allocateFrom(ofFloat, 1.5f));
            requests.put("long " + order, a -> a.allocateFrom(ofLong, 0x1122334455667788L));
            requests.put("double " + order, a -> a.allocateFrom(ofDouble, Math.PI));
            requests.put("shorts " + order, a -> a.allocateFrom(ofShort, (short) 1, (short) -2));
            requests.put("chars " + order, a -> a.allocateFrom(ofChar, 'a', 'b', 'ß'));
            requests.put("ints " + order, a -> a.allocateFrom(ofInt, 1, 2, 3));
            requests.put("floats " + order, a -> a.allocateFrom(ofFloat, 1, 2, 3));
            requests.put("longs " + order, a -> a.allocateFrom(ofLong, 1, 2, 3));
            requests.put("doubles " + order, a -> a.allocateFrom(ofDouble, 1, 2, 3));
            requests.put(
                    "a segment of the other order as " + order,
                    a ->
                            a.allocateFrom(
                                    ofInt,
                                    MemorySegment.ofArray(new int[] {1, 2, 3, 4}),
                                    ValueLayout.JAVA_INT.withOrder(ByteOrder.BIG_ENDIAN),
                                    4,
                                    3));
        }
        requests.put("no ints", a -> a.allocateFrom(ValueLayout.JAVA_INT));
        requests.put("bytes", a -> a.allocateFrom(ValueLayout.JAVA_BYTE, new byte[] {1, 2, 3}));
        requests.put(
                "a strictly aligned int",
                a -> {
                    MemorySegment segment =
                            a.allocateFrom(ValueLayout.JAVA_INT.withByteAlignment(256), 7);
                    assertThat(segment.address() % 256).isZero();
                    return segment;
                });
        requests.put(
                "many ints", a -> a.allocateFrom(ValueLayout.JAVA_INT, new int[10_000])); // a block
        for (String text :
                List.of("", "a", "native memory", "größer", "漢字", "🎈", "x".repeat(5000))) {
            requests.put("string " + abbreviated(text), a -> a.allocateFrom(text));
            for (Charset charset :
                    List.of(
                            StandardCharsets.US_ASCII,
                            StandardCharsets.ISO_8859_1,
                            StandardCharsets.UTF_8,
                            StandardCharsets.UTF_16,
                            StandardCharsets.UTF_16LE,
                            StandardCharsets.UTF_16BE,
                            StandardCharsets.UTF_32,
                            StandardCharsets.UTF_32LE)) {
                requests.put(
                        "string %s in %s".formatted(abbreviated(text), charset),
                        a -> a.allocateFrom(text, charset));
            }
        }
        return requests;
    }

    private static String abbreviated(String text) {
        return text.length() > 20 ? text.length() + " chars" : "'" + text + "'";
    }

    private static MemorySegment booleans(SegmentAllocator allocator) {
        MemorySegment source = MemorySegment.ofArray(new byte[] {0, 1, 1, 0});
        return allocator.allocateFrom(
                ValueLayout.JAVA_BOOLEAN, source, ValueLayout.JAVA_BOOLEAN, 1, 3);
    }

    @Test
    void anAddressIsWrittenAsItIs() {
        try (Arena arena = open()) {
            MemorySegment target = arena.allocate(10);
            MemorySegment pointer = arena.allocateFrom(ValueLayout.ADDRESS, target);
            assertThat(pointer.byteSize()).isEqualTo(ValueLayout.ADDRESS.byteSize());
            assertThat(pointer.get(ValueLayout.ADDRESS, 0).address()).isEqualTo(target.address());
        }
    }

    @Test
    void valuesThatDoNotFitAreRefusedAndTheNextCallWorks() {
        try (Arena arena = open()) {
            MemorySegment heap = MemorySegment.ofArray(new int[4]);
            List<Runnable> mistakes =
                    List.of(
                            () -> arena.allocateFrom(ValueLayout.ADDRESS, heap),
                            () ->
                                    arena.allocateFrom(
                                            ValueLayout.JAVA_LONG,
                                            heap,
                                            ValueLayout.JAVA_INT,
                                            0,
                                            1),
                            () ->
                                    arena.allocateFrom(
                                            ValueLayout.JAVA_INT,
                                            heap,
                                            ValueLayout.JAVA_INT,
                                            0,
                                            -1));
            for (Runnable mistake : mistakes) {
                assertThatIllegalArgumentException().isThrownBy(mistake::run);
            }
            assertThatExceptionOfType(IndexOutOfBoundsException.class)
                    .isThrownBy(
                            () ->
                                    arena.allocateFrom(
                                            ValueLayout.JAVA_INT,
                                            heap,
                                            ValueLayout.JAVA_INT,
                                            0,
                                            5));
            assertThat(firstOtherThan(arena.allocate(100), (byte) 0)).isEqualTo(-1);
        }
    }

    // ---- life ---------------------------------------------------------------------------------

    @Test
    void aClosedArenaGivesNothingAndItsSegmentsAreDead() {
        for (boolean used : new boolean[] {false, true}) {
            Arena arena = open();
            List<MemorySegment> segments = new ArrayList<>();
            if (used) {
                for (long size : SIZES) {
                    segments.add(arena.allocate(size));
                }
            }
            assertThat(arena.scope().isAlive()).isTrue();
            arena.close();
            assertThat(arena.scope().isAlive()).isFalse();
            refuses(arena, IllegalStateException.class);
            assertThatIllegalStateException().isThrownBy(arena::close);
            for (MemorySegment segment : segments) {
                assertThat(segment.scope().isAlive()).isFalse();
                assertThatIllegalStateException().isThrownBy(() -> segment.fill((byte) 1));
            }
        }
    }

    @Test
    void whileCHoldsASegmentCloseFailsAndNothingHasChanged() {
        try (Arena arena = open()) {
            MemorySegment segment = arena.allocateFrom("held");
            HeldByC.during(
                    segment,
                    () -> {
                        assertThatIllegalStateException().isThrownBy(arena::close);
                        assertThat(arena.scope().isAlive()).isTrue();
                        assertThat(segment.getString(0)).isEqualTo("held");
                        arena.allocate(100).fill((byte) -1);
                        arena.allocate(100_000).fill((byte) -1);
                        assertThatIllegalStateException().isThrownBy(arena::close);
                    });
            assertThat(segment.getString(0)).isEqualTo("held");
            assertThat(firstOtherThan(arena.allocate(100), (byte) 0)).isEqualTo(-1);
        }
    }

    @Test
    void actionsOfTheUserRunAtCloseWhileTheMemoryIsStillThere() {
        for (long size : new long[] {16, 100_000}) {
            List<Byte> found = new ArrayList<>();
            try (Arena arena = open()) {
                MemorySegment segment = arena.allocate(size);
                MemorySegment other = arena.allocate(size);
                other.fill((byte) 7);
                withAction(other, arena, memory -> found.add(memory.get(ValueLayout.JAVA_BYTE, 5)));
                segment.fill((byte) 9);
            }
            assertThat(found).containsExactly((byte) 7);
        }
    }

    @Test
    void anActionThatThrowsDoesNotKeepTheArenaOpen() {
        Arena arena = open();
        MemorySegment segment = arena.allocate(16);
        RuntimeException mistake = new IllegalArgumentException("by the test");
        withAction(
                segment,
                arena,
                _ -> {
                    throw mistake;
                });
        assertThatIllegalArgumentException().isThrownBy(arena::close).isSameAs(mistake);
        assertThat(arena.scope().isAlive()).isFalse();
        assertThatIllegalStateException().isThrownBy(arena::close);
        assertThatIllegalStateException().isThrownBy(() -> segment.fill((byte) 1));
    }

    @SuppressWarnings("restricted")
    private static void withAction(
            MemorySegment segment, Arena arena, java.util.function.Consumer<MemorySegment> action) {
        segment.reinterpret(arena, action);
    }

    @Test
    void anArenaEqualsItselfAlone() {
        try (Arena one = open();
                Arena other = open()) {
            assertThat(one).isEqualTo(one).isNotEqualTo(other);
            assertThat(one.hashCode()).isEqualTo(one.hashCode());
            assertThat(one.scope()).isEqualTo(one.scope()).isNotEqualTo(other.scope());
            one.allocate(100_000);
            assertThat(one).isEqualTo(one).isNotEqualTo(other);
        }
    }

    @Test
    void arenasThatAreOpenTogetherDoNotShareMemory() {
        List<Arena> arenas = new ArrayList<>();
        List<MemorySegment> segments = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            arenas.add(open());
        }
        for (int i = 0; i < 400; i++) {
            MemorySegment segment = arenas.get(i % 20).allocate(i, 8);
            segment.fill((byte) i);
            segments.add(segment);
        }
        assertDisjoint(segments);
        arenas.subList(0, 10).forEach(Arena::close);
        for (int i = 0; i < 400; i++) {
            if (i % 20 >= 10) {
                assertThat(firstOtherThan(segments.get(i), (byte) i)).isEqualTo(-1);
            }
        }
        arenas.subList(10, 20).forEach(Arena::close);
    }

    // ---- threads ------------------------------------------------------------------------------

    @Test
    void aConfinedArenaIsItsThreadsAlone() throws Exception {
        assumeFalse(isShared(), "skipped: this arena is for all threads");
        try (Arena arena = open()) {
            onAnotherThread(
                    () -> {
                        refuses(arena, WrongThreadException.class);
                        assertThatExceptionOfType(WrongThreadException.class)
                                .isThrownBy(arena::close);
                        return null;
                    });
            MemorySegment segment = arena.allocateFrom("mine");
            onAnotherThread(
                    () -> {
                        refuses(arena, WrongThreadException.class);
                        assertThatExceptionOfType(WrongThreadException.class)
                                .isThrownBy(arena::close);
                        assertThatExceptionOfType(WrongThreadException.class)
                                .isThrownBy(() -> segment.fill((byte) 0));
                        assertThat(segment.isAccessibleBy(Thread.currentThread())).isFalse();
                        return null;
                    });
            assertThat(arena.scope().isAlive()).isTrue();
            assertThat(segment.getString(0)).isEqualTo("mine");
            assertDisjoint(List.of(segment, arena.allocate(8), arena.allocate(100_000)));
        }
    }

    @Test
    void aSharedArenaIsUsedAndClosedByAnyThread() throws Exception {
        assumeTrue(isShared(), "skipped: this arena is confined");
        Arena arena = open();
        MemorySegment mine = arena.allocateFrom("mine");
        MemorySegment theirs = onAnotherThread(() -> arena.allocateFrom(mine.getString(0) + "!"));
        assertThat(theirs.getString(0)).isEqualTo("mine!");
        assertDisjoint(List.of(mine, theirs));
        onAnotherThread(
                () -> {
                    arena.close();
                    return null;
                });
        assertThatIllegalStateException().isThrownBy(() -> theirs.getString(0));
        refuses(arena, IllegalStateException.class);
    }

    @Test
    void aVirtualThreadHasArenasToo() throws Exception {
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Callable<Integer> task =
                    () -> {
                        try (Arena arena = open()) {
                            MemorySegment segment = arena.allocate(100, 8);
                            Thread.yield();
                            segment.fill((byte) 1);
                            return firstOtherThan(segment, (byte) 1);
                        }
                    };
            for (int i = 0; i < 20; i++) {
                assertThat(threads.submit(task).get()).isEqualTo(-1);
            }
        }
    }

    // ---- tools --------------------------------------------------------------------------------

    /** Every way to ask for memory ends in that exception. */
    private static void refuses(Arena arena, Class<? extends Exception> expected) {
        List<Runnable> requests =
                List.of(
                        () -> arena.allocate(0),
                        () -> arena.allocate(1),
                        () -> arena.allocate(1, 4096),
                        () -> arena.allocate(100_000),
                        () -> arena.allocate(ValueLayout.JAVA_LONG),
                        () -> arena.allocateFrom("text"),
                        () -> arena.allocateFrom(ValueLayout.JAVA_INT, 1),
                        () -> arena.allocateFrom(ValueLayout.JAVA_INT, new int[10_000]));
        for (Runnable request : requests) {
            assertThatExceptionOfType(expected).isThrownBy(request::run);
        }
    }

    private static <T> T onAnotherThread(Callable<T> action) throws Exception {
        try (ExecutorService other = Executors.newSingleThreadExecutor()) {
            return other.submit(action).get();
        } catch (ExecutionException e) {
            throw new AssertionError(e.getCause());
        }
    }

    /** Leaves memory behind that is not zero, for the next arena to find. */
    private void dirty() {
        try (Arena arena = open()) {
            for (int i = 0; i < 20; i++) {
                arena.allocate(700).fill((byte) -1);
                arena.allocate(40_000).fill((byte) -1);
            }
        }
    }

    /** The offset of the first byte that has another value, or -1. */
    public static int firstOtherThan(MemorySegment segment, byte value) {
        byte[] found = segment.toArray(ValueLayout.JAVA_BYTE);
        for (int i = 0; i < found.length; i++) {
            if (found[i] != value) {
                return i;
            }
        }
        return -1;
    }

    /** Also empty segments count as a byte: their addresses are theirs. */
    static void assertDisjoint(List<MemorySegment> segments) {
        List<MemorySegment> sorted =
                segments.stream().sorted(Comparator.comparing(MemorySegment::address)).toList();
        for (int i = 1; i < sorted.size(); i++) {
            MemorySegment below = sorted.get(i - 1);
            assertThat(below.address() + Math.max(1, below.byteSize()))
                    .isLessThanOrEqualTo(sorted.get(i).address());
        }
    }
}
