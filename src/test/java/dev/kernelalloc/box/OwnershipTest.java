package dev.kernelalloc.box;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.kernelalloc.ArrayLease;
import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.Lease;
import dev.kernelalloc.NativeArray;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.NativeSlice;
import dev.kernelalloc.NativeString;
import dev.kernelalloc.NativeVec;
import dev.kernelalloc.SharedArray;
import dev.kernelalloc.SharedBox;
import dev.kernelalloc.pool.EveryAllocator;
import dev.kernelalloc.primitive.NativeLongArray;
import dev.kernelalloc.primitive.SharedPrimitiveArray;
import dev.kernelalloc.struct.StructType;

import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.time.Duration;
import java.util.Comparator;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Stream;

/** What holds for everything that owns memory of an allocator, over every allocator. */
class OwnershipTest {

    record Point(int x, int y) {}

    interface Cell {
        long value();

        void value(long value);
    }

    private static final StructType<Point> POINT =
            StructType.of(MethodHandles.lookup(), Point.class);
    private static final StructType<Cell> CELL = StructType.of(MethodHandles.lookup(), Cell.class);

    /**
     * Something that owns memory.
     *
     * @param segment its memory
     * @param shown what it shows of itself at any time
     * @param accesses that must fail once the memory is no longer the caller's
     */
    record Owner(
            AutoCloseable closeable,
            MemorySegment segment,
            Supplier<String> shown,
            Map<String, ThrowingCallable> accesses) {

        static Owner of(AutoCloseable closeable, MemorySegment segment) {
            return readOnly(closeable, segment, closeable::toString)
                    .access("write", () -> segment.set(ValueLayout.JAVA_BYTE, 0, (byte) 1));
        }

        static Owner readOnly(
                AutoCloseable closeable, MemorySegment segment, Supplier<String> shown) {
            return new Owner(closeable, segment, shown, new LinkedHashMap<>())
                    .access("segment", () -> segment.get(ValueLayout.JAVA_BYTE, 0));
        }

        Owner access(String name, ThrowingCallable access) {
            accesses.put(name, access);
            return this;
        }
    }

    private static Owner box(KernelAllocator allocator) {
        NativeBox<Point> box = NativeBox.of(allocator, POINT, new Point(1, 2));
        return Owner.of(box, box.segment())
                .access("get", box::get)
                .access("set", () -> box.set(new Point(3, 4)));
    }

    private static Owner arrayOfRecords(KernelAllocator allocator) {
        NativeArray<Point> array = NativeArray.of(allocator, POINT, new Point(2, 1), point(1));
        NativeSlice<Point> slice = array.slice(1, 2);
        List<Point> list = array.asList();
        return Owner.of(array, array.segment())
                .access("get", () -> array.get(0))
                .access("set", () -> array.set(0, point(3)))
                .access("update", () -> array.update(0, _ -> point(3)))
                .access("swap", () -> array.swap(0, 1))
                .access("reverse", array::reverse)
                .access("fill", () -> array.fill(point(3)))
                .access("copyFrom", () -> array.copyFrom(new Point[] {point(1), point(2)}))
                .access("copyFrom bytes", () -> array.copyFrom(MemorySegment.ofArray(new int[4])))
                .access("copyTo", () -> array.copyTo(new Point[2]))
                .access("copyTo bytes", () -> array.copyTo(MemorySegment.ofArray(new int[4])))
                .access("toArray", () -> array.toArray(Point[]::new))
                .access("sort", () -> array.sort(Comparator.comparing(Point::x)))
                .access("search", () -> array.binarySearchByLong(1, Point::x))
                .access("forEach", () -> array.forEach(_ -> {}))
                .access("iterator", () -> array.iterator().next())
                .access("stream", () -> array.stream().toList())
                .access("list", () -> list.get(0))
                .access("slice get", () -> slice.get(0))
                .access("slice set", () -> slice.set(0, point(3)))
                .access("slice forEach", () -> slice.forEach(_ -> {}))
                .access("slice segment", () -> slice.segment().get(ValueLayout.JAVA_INT, 0))
                .access("element segment", () -> array.segment(1).get(ValueLayout.JAVA_INT, 0));
    }

    private static Owner arrayOfViews(KernelAllocator allocator) {
        NativeArray<Cell> array = NativeArray.zeroed(allocator, CELL, 3);
        Cell view = array.view(2);
        NativeSlice<Cell> slice = array.slice(1, 3);
        Cell inSlice = slice.get(0);
        return Owner.of(array, array.segment())
                .access("read view", view::value)
                .access("write view", () -> view.value(7))
                .access("new view", () -> array.get(0).value())
                .access("view of slice", inSlice::value)
                .access("new view of slice", () -> slice.view(0).value());
    }

    private static Owner vecOfRecords(KernelAllocator allocator) {
        NativeVec<Point> vec = NativeVec.withCapacity(allocator, POINT, 100);
        vec.addAll(List.of(new Point(2, 1), point(1), point(3)));
        NativeSlice<Point> slice = vec.slice(1, 2);
        Iterator<Point> iterator = vec.iterator();
        return Owner.of(vec, vec.segment())
                .access("iterator", iterator::hasNext)
                .access("get", () -> vec.get(0))
                .access("set", () -> vec.set(0, point(3)))
                .access("add", () -> vec.add(point(3)))
                .access("insert", () -> vec.insert(0, point(3)))
                .access("addAll", () -> vec.addAll(List.of(point(1))))
                .access("addAll of slice", () -> vec.addAll(slice))
                .access("reserve", () -> vec.reserve(1))
                .access("slice", vec::slice)
                .access("slice get", () -> slice.get(0))
                .access("new segment", vec::segment)
                .access("forEach", () -> vec.forEach(_ -> {}))
                .access("stream", () -> vec.stream().toList())
                .access("toArray", () -> vec.toArray().close())
                .access("removeIf", () -> vec.removeIf(_ -> false))
                .access("removeAt", () -> vec.removeAt(0))
                .access("swapRemove", () -> vec.swapRemove(0))
                .access("removeLast", vec::removeLast)
                .access("truncate", () -> vec.truncate(1000));
    }

    private static Owner vecOfViews(KernelAllocator allocator) {
        NativeVec<Cell> vec = NativeVec.withCapacity(allocator, CELL, 100);
        try (NativeArray<Cell> three = NativeArray.zeroed(CELL, 3)) {
            vec.addAll(three);
        }
        Cell view = vec.view(2);
        return Owner.of(vec, vec.segment())
                .access("read view", view::value)
                .access("write view", () -> view.value(7))
                .access("new view", () -> vec.get(0).value());
    }

    /** The box is closed already: the lease is all that keeps the memory. */
    private static Owner lastLeaseOfABox(KernelAllocator allocator) {
        SharedBox<Point> box = SharedBox.of(allocator, POINT, new Point(1, 2));
        Lease<Point> lease = box.lease();
        box.close();
        return Owner.of(lease, lease.segment())
                .access("get", lease::get)
                .access("set", () -> lease.set(point(3)))
                .access("update", () -> lease.update(_ -> point(4)));
    }

    private static Owner lastLeaseOfAnArray(KernelAllocator allocator) {
        SharedArray<Point> array = NativeArray.of(allocator, POINT, point(2), point(1)).share();
        ArrayLease<Point> lease = array.lease();
        array.close();
        NativeSlice<Point> slice = lease.slice(1, 2);
        List<Point> list = lease.asList();
        return Owner.of(lease, lease.segment())
                .access("get", () -> lease.get(0))
                .access("set", () -> lease.set(0, point(3)))
                .access("fill", () -> lease.fill(point(3)))
                .access("sort", () -> lease.sort(Comparator.comparing(Point::x)))
                .access("forEach", () -> lease.forEach(_ -> {}))
                .access("iterator", () -> lease.iterator().next())
                .access("list", () -> list.get(0))
                .access("slice get", () -> slice.get(0))
                .access("slice stream", () -> slice.stream().toList());
    }

    private static Owner numbers(KernelAllocator allocator) {
        NativeLongArray longs = NativeLongArray.of(allocator, 3, 1, 2);
        return accessesOf(longs, Owner.of(longs, longs.segment()));
    }

    private static Owner lastLeaseOfNumbers(KernelAllocator allocator) {
        SharedPrimitiveArray<NativeLongArray> shared =
                NativeLongArray.of(allocator, 3, 1, 2).share();
        NativeLongArray lease = shared.lease();
        shared.close();
        return accessesOf(lease, Owner.of(lease, lease.segment()));
    }

    private static Owner accessesOf(NativeLongArray longs, Owner owner) {
        NativeLongArray part = longs.slice(1, 3);
        return owner.access("get", () -> longs.get(0))
                .access("set", () -> longs.set(0, 4))
                .access("fill", () -> longs.fill(4))
                .access("copyFrom", () -> longs.copyFrom(new long[3]))
                .access("copyTo", () -> longs.copyTo(new long[3]))
                .access("toArray", longs::toArray)
                .access("mismatch", () -> longs.mismatch(longs))
                .access("sort", longs::sort)
                .access("search", () -> longs.binarySearch(1))
                .access("stream", () -> longs.stream().sum())
                .access("slice get", () -> part.get(0))
                .access("slice set", () -> part.set(0, 4))
                .access("slice sort", part::sort)
                .access("slice of slice", () -> part.slice(0, 1).get(0));
    }

    private static Owner string(KernelAllocator allocator) {
        NativeString string = NativeString.of(allocator, "text");
        return Owner.readOnly(string, string.lengthPrefixed(), string::describe)
                .access("toString", string::toString)
                .access("hashCode", string::hashCode)
                .access("equals", () -> withAnother(string::equals))
                .access("compareTo", () -> withAnother(string::compareTo))
                .access("contentEquals", () -> string.contentEquals("text"))
                .access("indexOf", () -> string.indexOf("x"))
                .access("indexOf nothing", () -> string.indexOf(""))
                .access("lastIndexOf", () -> string.lastIndexOf("much longer"))
                .access("startsWith", () -> string.startsWith(""))
                .access("endsWith", () -> string.endsWith("longer than it"))
                .access("codePointCount", string::codePointCount)
                .access("byteAt", () -> string.byteAt(0))
                .access("cString", string::cString);
    }

    private static Owner emptyString(KernelAllocator allocator) {
        NativeString string = NativeString.of(allocator, "");
        return Owner.readOnly(string, string.cString(), string::describe)
                .access("toString", string::toString)
                .access("hashCode", string::hashCode)
                .access("equals", () -> withAnother(string::equals))
                .access("contentEquals", () -> string.contentEquals(""))
                .access("codePointCount", string::codePointCount);
    }

    private static Owner builder(KernelAllocator allocator) {
        NativeString.Builder builder = NativeString.builder(allocator).append("text");
        return Owner.readOnly(builder, builder.segment(), builder::toString)
                .access("append", () -> builder.append("x"))
                .access("append nothing", () -> builder.append(""))
                .access("truncate", () -> builder.truncate(100))
                .access("reserve", () -> builder.reserve(0));
    }

    /** Uses a string of the calling thread, which is not to blame. */
    private static void withAnother(Consumer<NativeString> use) {
        try (NativeString another = NativeString.of("another")) {
            use.accept(another);
        }
    }

    private static Point point(int x) {
        return new Point(x, -x);
    }

    static List<Arguments> owners() {
        Map<String, Function<KernelAllocator, Owner>> makers = new LinkedHashMap<>();
        makers.put("box", OwnershipTest::box);
        makers.put("array of records", OwnershipTest::arrayOfRecords);
        makers.put("array of views", OwnershipTest::arrayOfViews);
        makers.put("vec of records", OwnershipTest::vecOfRecords);
        makers.put("vec of views", OwnershipTest::vecOfViews);
        makers.put("last lease of a box", OwnershipTest::lastLeaseOfABox);
        makers.put("last lease of an array", OwnershipTest::lastLeaseOfAnArray);
        makers.put("numbers", OwnershipTest::numbers);
        makers.put("last lease of numbers", OwnershipTest::lastLeaseOfNumbers);
        makers.put("string", OwnershipTest::string);
        makers.put("empty string", OwnershipTest::emptyString);
        makers.put("builder", OwnershipTest::builder);
        return makers.entrySet().stream()
                .flatMap(
                        maker ->
                                Stream.of(EveryAllocator.values())
                                        .map(
                                                allocator ->
                                                        Arguments.of(
                                                                maker.getKey(),
                                                                allocator,
                                                                maker.getValue())))
                .toList();
    }

    @ParameterizedTest(name = "{0} of {1}")
    @MethodSource("owners")
    void allIsReachableUntilTheEnd(
            String name, EveryAllocator allocators, Function<KernelAllocator, Owner> maker)
            throws Exception {
        allocators.use(
                allocator -> {
                    Owner owner = maker.apply(allocator);
                    owner.accesses.forEach(
                            (access, call) ->
                                    assertThatCode(call).as(access).doesNotThrowAnyException());
                    owner.closeable.close();
                });
    }

    @ParameterizedTest(name = "{0} of {1}")
    @MethodSource("owners")
    void nothingIsReachableAfterTheEnd(
            String name, EveryAllocator allocators, Function<KernelAllocator, Owner> maker)
            throws Exception {
        allocators.use(
                allocator -> {
                    long before = allocator.stats().liveBlocks();
                    Owner owner = maker.apply(allocator);
                    assertThat(allocator.stats().liveBlocks()).isGreaterThan(before);
                    owner.closeable.close();
                    assertThat(allocator.stats().liveBlocks()).isEqualTo(before);
                    owner.accesses.forEach(
                            (access, call) ->
                                    assertThatIllegalStateException().as(access).isThrownBy(call));
                    assertThatIllegalStateException().isThrownBy(owner.closeable::close);
                    assertThat(allocator.stats().liveBlocks()).isEqualTo(before);
                });
    }

    @ParameterizedTest(name = "{0} of {1}")
    @MethodSource("owners")
    void nothingIsReachableByAnotherThread(
            String name, EveryAllocator allocators, Function<KernelAllocator, Owner> maker)
            throws Exception {
        try (ExecutorService other = Executors.newSingleThreadExecutor()) {
            allocators.use(
                    allocator -> {
                        Owner owner = maker.apply(allocator);
                        owner.accesses.put("close", owner.closeable::close);
                        owner.accesses.forEach(
                                (access, call) ->
                                        assertThat(
                                                        other.submit(
                                                                () ->
                                                                        assertThatExceptionOfType(
                                                                                        WrongThreadException
                                                                                                .class)
                                                                                .as(access)
                                                                                .isThrownBy(call)))
                                                .succeedsWithin(Duration.ofMinutes(5)));
                        String shown = other.submit(owner.shown::get).get();
                        assertThat(shown).contains("of another thread");
                        owner.closeable.close();
                    });
        }
    }

    @ParameterizedTest(name = "{0} of {1}")
    @MethodSource("owners")
    void itsBlockCannotBeFreedByHand(
            String name, EveryAllocator allocators, Function<KernelAllocator, Owner> maker)
            throws Exception {
        allocators.use(
                allocator -> {
                    Owner owner = maker.apply(allocator);
                    assertThatIllegalArgumentException()
                            .isThrownBy(() -> allocator.free(owner.segment));
                    MemorySegment copy = MemorySegment.ofAddress(owner.segment.address());
                    assertThatIllegalArgumentException().isThrownBy(() -> allocator.free(copy));
                    assertThatIllegalArgumentException()
                            .isThrownBy(() -> allocator.reallocate(copy, 100, 8));
                    owner.accesses
                            .values()
                            .forEach(call -> assertThatCode(call).doesNotThrowAnyException());
                    owner.closeable.close();
                });
    }

    @ParameterizedTest(name = "{0} of {1}")
    @MethodSource("owners")
    void itOutlivesItsAllocator(
            String name, EveryAllocator allocators, Function<KernelAllocator, Owner> maker)
            throws Exception {
        if (!allocators.isClosable()) {
            allocators.use(
                    allocator ->
                            assertThatExceptionOfType(UnsupportedOperationException.class)
                                    .isThrownBy(allocator::close));
            return;
        }
        KernelAllocator allocator = allocators.make();
        Owner owner = maker.apply(allocator);
        assertThatIllegalStateException().isThrownBy(allocator::close);
        assertThat(owner.segment.scope().isAlive()).isTrue();
        owner.segment.get(ValueLayout.JAVA_BYTE, 0);
        assertThatIllegalStateException().isThrownBy(() -> maker.apply(allocator));
        owner.closeable.close();
        assertThat(allocator.stats().liveBlocks()).isZero();
    }

    @ParameterizedTest(name = "{0} of {1}")
    @MethodSource("owners")
    void itSaysWhereItLiesAndWhenItHasEnded(
            String name, EveryAllocator allocators, Function<KernelAllocator, Owner> maker)
            throws Exception {
        allocators.use(
                allocator -> {
                    Owner owner = maker.apply(allocator);
                    String place =
                            owner.shown
                                    .get()
                                    .replaceFirst(".*(at 0x[0-9a-f]+, [0-9]+ bytes).*", "$1");
                    long start = Long.parseLong(place, 5, place.indexOf(','), 16);
                    assertThat(owner.segment.address() - start).isBetween(0L, 8L);
                    assertThat(owner.shown.get().contains("resident and locked"))
                            .isEqualTo(allocators.isPhysical());
                    owner.closeable.close();
                    assertThat(owner.shown.get()).contains("closed, was " + place);
                });
    }

    @Test
    @DisplayName("A second close names the memory that was closed")
    void close_again_namesTheMemory() {
        StructType<MemorySegment> type = StructType.of(ValueLayout.JAVA_LONG);
        NativeArray<MemorySegment> array = NativeArray.zeroed(type, 2);
        NativeVec<MemorySegment> vec = NativeVec.create(type);
        NativeString string = NativeString.of("text");
        SharedBox<MemorySegment> shared = SharedBox.zeroed(type);
        Lease<MemorySegment> lease = shared.lease();
        for (AutoCloseable owner : List.of(array, vec, string, lease, shared)) {
            assertThatCode(owner::close).doesNotThrowAnyException();
            assertThatIllegalStateException()
                    .isThrownBy(owner::close)
                    .withMessageContaining("at 0x");
        }
    }
}
