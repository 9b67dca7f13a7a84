package dev.kernelalloc.primitive;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.junit.jupiter.api.Assumptions.abort;

import static java.nio.channels.FileChannel.MapMode.READ_ONLY;
import static java.nio.channels.FileChannel.MapMode.READ_WRITE;
import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.physical.PhysicalExtent;
import dev.kernelalloc.testing.Meanwhile;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.lang.reflect.Array;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.LongSupplier;

/** Decisions about arrays of numbers. */
class PrimitiveArrayTest {

    @TempDir Path directory;

    @ParameterizedTest
    @EnumSource
    @DisplayName("An index outside the array is refused, also one whose offset overflows")
    void get_outside_isRefused(Numbers numbers) {
        try (PrimitiveArray<?> array = numbers.zeroed(KernelAllocator.global(), 3)) {
            Object one = numbers.get(array, 0);
            for (long index :
                    new long[] {-1, 3, Long.MIN_VALUE, Long.MAX_VALUE, 1L << 61, 1L << 62}) {
                assertThatExceptionOfType(IndexOutOfBoundsException.class)
                        .isThrownBy(() -> numbers.get(array, index))
                        .withMessageContaining("length 3");
                assertThatExceptionOfType(IndexOutOfBoundsException.class)
                        .isThrownBy(() -> numbers.set(array, index, one));
                assertThatExceptionOfType(IndexOutOfBoundsException.class)
                        .isThrownBy(() -> array.slice(index, index + 1));
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void zeroed_ofImpossibleLengths_isRefused(Numbers numbers) {
        try (PoolAllocator pool = PoolAllocator.create()) {
            assertThatIllegalArgumentException().isThrownBy(() -> numbers.zeroed(pool, -1));
            if (numbers.bytes > 1) {
                assertThatIllegalArgumentException()
                        .isThrownBy(() -> numbers.zeroed(pool, Long.MAX_VALUE / 2));
            }
            assertThatExceptionOfType(AllocationException.class)
                    .isThrownBy(() -> numbers.zeroed(pool, 1L << 58));
            assertThat(pool.stats().liveBlocks()).isZero();
        }
    }

    @ParameterizedTest
    @EnumSource
    void emptyArrays_doEverything(Numbers numbers) {
        Object none = numbers.javaArray(0);
        PrimitiveArray<?> ended;
        try (PrimitiveArray<?> array = numbers.zeroed(KernelAllocator.global(), 0)) {
            ended = array;
            assertThat(array.isEmpty()).isTrue();
            numbers.fill(array, numbers.any(new Random(1)));
            array.sort();
            array.copyFrom(numbers.segment(none));
            assertThat(numbers.toArray(array)).isEqualTo(none);
            assertThat(numbers.search(array, numbers.any(new Random(1)))).isEqualTo(-1);
            assertThat(array.slice(0, 0).length()).isZero();
        }
        Object one = numbers.any(new Random(1));
        assertThatIllegalStateException().isThrownBy(() -> numbers.fill(ended, one));
        assertThatIllegalStateException().isThrownBy(ended::sort);
        assertThatIllegalStateException().isThrownBy(() -> numbers.search(ended, one));
        assertThatIllegalStateException().isThrownBy(() -> numbers.toArray(ended));
    }

    @ParameterizedTest
    @EnumSource
    @DisplayName("Memory of others may begin at any address, and closing a view does nothing")
    void over_bytesOfAJavaArray_readsAndWritesThem(Numbers numbers) {
        byte[] bytes = new byte[8 * numbers.bytes + 3];
        PrimitiveArray<?> array = numbers.over(MemorySegment.ofArray(bytes).asSlice(3));
        assertThat(array.length()).isEqualTo(8);
        Object value = Array.get(numbers.edges(), 1);
        numbers.set(array, 7, value);
        array.close();
        array.slice(1, 2).close();
        assertThat(numbers.get(array, 7)).isEqualTo(value);
        assertThat(numbers.get(array.slice(7, 8), 0)).isEqualTo(value);
        assertThat(array.toString()).contains("8 × {").contains(value + "}");
        assertThatExceptionOfType(UnsupportedOperationException.class)
                .isThrownBy(array::share)
                .withMessageContaining("owns no memory");
        assertThatExceptionOfType(UnsupportedOperationException.class).isThrownBy(array::extents);
        if (numbers.bytes > 1) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> numbers.over(MemorySegment.ofArray(bytes)));
        }
    }

    @ParameterizedTest
    @EnumSource
    void readOnlyMemory_isNotWritten(Numbers numbers) {
        Object values = numbers.edges();
        PrimitiveArray<?> array = numbers.over(numbers.segment(values).asReadOnly());
        Object one = Array.get(values, 0);
        assertThat(numbers.get(array, 0)).isEqualTo(one);
        assertThatIllegalArgumentException().isThrownBy(() -> numbers.set(array, 0, one));
        assertThatIllegalArgumentException().isThrownBy(() -> numbers.fill(array, one));
        assertThatIllegalArgumentException().isThrownBy(array::sort);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> array.copyFrom(numbers.segment(values)));
        assertThat(numbers.toArray(array)).isEqualTo(values);
    }

    @Test
    void copyFrom_ofAnotherLength_isRefusedAndWritesNothing() {
        try (NativeIntArray array = NativeIntArray.of(1, 2, 3);
                NativeIntArray other = NativeIntArray.of(4, 5)) {
            assertThatIllegalArgumentException().isThrownBy(() -> array.copyFrom(other));
            assertThatIllegalArgumentException().isThrownBy(() -> array.copyFrom(new int[4]));
            assertThatIllegalArgumentException().isThrownBy(() -> array.copyTo(new int[2]));
            assertThat(array.toArray()).containsExactly(1, 2, 3);
            array.slice(1, 3).copyFrom(other);
            assertThat(array.toArray()).containsExactly(1, 4, 5);
        }
    }

    @Test
    void mismatch_countsElements() {
        try (NativeShortArray array = NativeShortArray.of((short) 1, (short) 0x102);
                NativeShortArray other = NativeShortArray.of((short) 1, (short) 0x202)) {
            assertThat(array.mismatch(other)).isEqualTo(1);
            assertThat(array.mismatch(array.slice(0, 1))).isEqualTo(1);
            assertThat(array.mismatch(array.slice(0, 2))).isEqualTo(-1);
        }
    }

    @Test
    void description_ofAnyState_needsNoElement() throws Exception {
        NativeDoubleArray array = NativeDoubleArray.of(1.5, -0.0, Double.NaN);
        assertThat(array.toString()).startsWith("NativeDoubleArray[3 × {1.5, -0.0, NaN}, at 0x");
        try (ExecutorService other = Executors.newSingleThreadExecutor()) {
            assertThat(other.submit(array::toString).get()).contains("of another thread");
        }
        array.close();
        assertThat(array.toString()).startsWith("NativeDoubleArray[closed, was at 0x");
    }

    @Test
    @DisplayName("share, leases and attach move one block from owner to owner and copy nothing")
    void share_leases_attach_keepOneBlock() throws Exception {
        try (PoolAllocator pool = PoolAllocator.create()) {
            NativeLongArray mine = NativeLongArray.of(pool, 1, 2, 3);
            long address = mine.segment().address();
            NativeLongArray part = mine.slice(1, 3);
            SharedPrimitiveArray<NativeLongArray> shared = mine.share();
            mine.close(); // handed over: no effect
            assertThatIllegalStateException().isThrownBy(() -> mine.get(0));
            assertThatIllegalStateException().isThrownBy(() -> part.get(0));
            assertThatIllegalStateException().isThrownBy(mine::share);
            try (ExecutorService other = Executors.newSingleThreadExecutor()) {
                other.submit(
                                () -> {
                                    try (NativeLongArray lease = shared.lease()) {
                                        lease.set(0, 10);
                                    }
                                })
                        .get();
                NativeLongArray lease = shared.lease();
                assertThat(shared.leases()).isEqualTo(1);
                assertThatIllegalStateException().isThrownBy(shared::attach);
                Future<Long> stolen = other.submit(() -> lease.get(0));
                assertThatExceptionOfType(ExecutionException.class)
                        .isThrownBy(stolen::get)
                        .withCauseInstanceOf(WrongThreadException.class);
                assertThatExceptionOfType(UnsupportedOperationException.class)
                        .isThrownBy(lease::share);
                lease.close();
                assertThatIllegalStateException().isThrownBy(lease::close);
                assertThatIllegalStateException().isThrownBy(() -> lease.get(0));
            }
            try (NativeLongArray again = shared.attach()) {
                assertThat(again.segment().address()).isEqualTo(address);
                assertThat(again.toArray()).containsExactly(10, 2, 3);
                assertThatIllegalStateException().isThrownBy(shared::lease);
                assertThatIllegalStateException().isThrownBy(shared::attach);
                assertThatIllegalStateException().isThrownBy(shared::close);
            }
            assertThat(pool.stats().liveBlocks()).isZero();
        }
    }

    @Test
    void lastLease_ofAClosedArray_keepsTheMemory() {
        try (PoolAllocator pool = PoolAllocator.create()) {
            SharedPrimitiveArray<NativeFloatArray> shared = NativeFloatArray.of(pool, 1, 2).share();
            NativeFloatArray lease = shared.lease();
            shared.close();
            assertThatIllegalStateException().isThrownBy(shared::lease);
            assertThat(lease.toArray()).containsExactly(1, 2);
            assertThat(pool.stats().liveBlocks()).isEqualTo(1);
            lease.close();
            assertThat(pool.stats().liveBlocks()).isZero();
        }
    }

    @Test
    @DisplayName("Threads count in the elements of one array by atomic access to their segments")
    void leases_ofManyThreads_countEveryAddition() throws Exception {
        VarHandle element = ValueLayout.JAVA_LONG.arrayElementVarHandle();
        try (SharedPrimitiveArray<NativeLongArray> shared = NativeLongArray.zeroed(8).share();
                ExecutorService threads = Executors.newFixedThreadPool(4)) {
            List<Future<?>> all = new ArrayList<>();
            for (int thread = 0; thread < 4; thread++) {
                all.add(
                        threads.submit(
                                () -> {
                                    try (NativeLongArray lease = shared.lease()) {
                                        for (int i = 0; i < 80_000; i++) {
                                            long _ =
                                                    (long)
                                                            element.getAndAdd(
                                                                    lease.segment(),
                                                                    0L,
                                                                    (long) i & 7,
                                                                    1L);
                                        }
                                    }
                                }));
            }
            for (Future<?> one : all) {
                one.get();
            }
            try (NativeLongArray lease = shared.lease()) {
                assertThat(lease.toArray()).containsOnly(40_000);
            }
        }
    }

    @Test
    void map_ofAFile_isSharedAndKeptByLeases() throws IOException {
        Path path = directory.resolve("numbers");
        Files.write(path, new byte[] {1, 2, 3});
        try (FileChannel file = FileChannel.open(path, READ, WRITE, CREATE)) {
            SharedPrimitiveArray<NativeIntArray> ints =
                    NativeIntArray.map(file, READ_WRITE, 3, 1000); // at an odd offset
            assertThat(Files.size(path)).isEqualTo(4003);
            NativeIntArray lease = ints.lease();
            ints.close();
            lease.fill(7);
            lease.set(999, 8);
            lease.close();
            assertThatExceptionOfType(UnsupportedOperationException.class)
                    .isThrownBy(() -> mapped(file).attach());
            try (SharedPrimitiveArray<NativeIntArray> again = mapped(file);
                    NativeIntArray read = again.lease()) {
                assertThat(read.get(999)).isEqualTo(8);
                assertThat(read.stream().sum()).isEqualTo(999 * 7 + 8);
                assertThatIllegalArgumentException().isThrownBy(() -> read.set(0, 1));
            }
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> NativeIntArray.map(file, READ_WRITE, -1, 1));
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> NativeIntArray.map(file, READ_WRITE, 0, -1));
        }
    }

    private static SharedPrimitiveArray<NativeIntArray> mapped(FileChannel file)
            throws IOException {
        return NativeIntArray.map(file, READ_ONLY, 3, 1000);
    }

    @Test
    void stream_overASharedSegment_mayBeParallel() {
        try (Arena arena = Arena.ofShared()) {
            NativeLongArray longs =
                    NativeLongArray.over(arena.allocate(ValueLayout.JAVA_LONG, 100_000));
            longs.fill(3);
            assertThat(longs.stream().parallel().sum()).isEqualTo(300_000);
        }
        try (NativeLongArray confined = NativeLongArray.zeroed(100_000)) {
            assertThatExceptionOfType(WrongThreadException.class)
                    .isThrownBy(() -> onAnotherThread(() -> confined.stream().parallel().sum()));
        }
    }

    @ParameterizedTest
    @EnumSource
    @DisplayName("A fill writes its value everywhere, whatever another thread writes meanwhile")
    void fill_whileAnotherThreadWrites_writesItsValueToTheOtherElements(Numbers numbers)
            throws Exception {
        try (Arena arena = Arena.ofShared()) {
            PrimitiveArray<?> array = numbers.over(arena.allocate(64 << 10));
            PrimitiveArray<?> others = array.slice(1, array.length());
            Object value = Array.get(numbers.edges(), 2);
            Object another = Array.get(numbers.edges(), 3);
            MemorySegment expected = arena.allocate(others.segment().byteSize());
            numbers.fill(numbers.over(expected), value);
            Meanwhile.repeat(
                    () -> numbers.set(array, 0, another),
                    () -> {
                        numbers.fill(array, value);
                        assertThat(others.segment().mismatch(expected)).isEqualTo(-1);
                    });
        }
    }

    @ParameterizedTest
    @EnumSource
    @DisplayName("Threads that sort the same numbers at once disturb the order alone")
    void sort_whileAnotherThreadSorts_endsWithoutAnError(Numbers numbers) throws Exception {
        try (Arena arena = Arena.ofShared()) {
            Object values = numbers.javaArray(new Random(1), 20_000, 20_000);
            MemorySegment unsorted = numbers.segment(values);
            PrimitiveArray<?> array = numbers.over(arena.allocate(unsorted.byteSize()));
            Meanwhile.repeat(
                    () -> {
                        array.copyFrom(unsorted);
                        array.sort();
                    },
                    () -> {
                        array.copyFrom(unsorted);
                        array.sort();
                    });
            array.copyFrom(unsorted);
            array.sort();
            numbers.sort(values);
            assertThat(numbers.toArray(array)).isEqualTo(values);
        }
    }

    @Test
    void stream_ofALease_isOfItsThread() {
        try (SharedPrimitiveArray<NativeLongArray> shared = NativeLongArray.of(1, 2, 3).share();
                NativeLongArray lease = shared.lease()) {
            assertThat(lease.stream().sum()).isEqualTo(6);
            assertThatExceptionOfType(WrongThreadException.class)
                    .isThrownBy(() -> onAnotherThread(() -> lease.stream().sum()));
        }
    }

    private static long onAnotherThread(LongSupplier work) throws Throwable {
        try (ExecutorService other = Executors.newSingleThreadExecutor()) {
            return other.submit(work::getAsLong).get();
        } catch (ExecutionException e) {
            throw e.getCause();
        }
    }

    @Test
    void close_inTheMiddleOfAStream_endsIt() {
        NativeLongArray longs = NativeLongArray.zeroed(10);
        assertThatIllegalStateException()
                .isThrownBy(
                        () ->
                                longs.stream()
                                        .forEach(
                                                _ -> {
                                                    if (longs.segment().scope().isAlive()) {
                                                        longs.close();
                                                    }
                                                }));
    }

    @Test
    void extents_ofLockedMemory_coverTheElements() {
        try (PhysicalAllocator physical = PhysicalAllocator.create();
                NativeLongArray longs = NativeLongArray.zeroed(physical, 2000)) {
            long bytes = 0;
            try {
                bytes = longs.extents().stream().mapToLong(PhysicalExtent::bytes).sum();
            } catch (PhysicalAddressException e) {
                abort("addresses are hidden from this user: " + e.getMessage());
            }
            assertThat(bytes).isEqualTo(16_000);
            SharedPrimitiveArray<NativeLongArray> shared = longs.share();
            assertThat(shared.extents()).isNotEmpty();
            shared.close();
        }
    }

    @Test
    void extents_ofAPool_areRefused() {
        try (NativeLongArray longs = NativeLongArray.of(1)) {
            assertThatExceptionOfType(UnsupportedOperationException.class)
                    .isThrownBy(longs::extents);
        }
    }
}
