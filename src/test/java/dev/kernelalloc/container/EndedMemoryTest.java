package dev.kernelalloc.container;

import static dev.kernelalloc.container.NativeArrayTest.POINT;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.kernelalloc.ArrayLease;
import dev.kernelalloc.Lease;
import dev.kernelalloc.NativeArray;
import dev.kernelalloc.NativeSlice;
import dev.kernelalloc.NativeString;
import dev.kernelalloc.NativeVec;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.SharedArray;
import dev.kernelalloc.SharedBox;
import dev.kernelalloc.Tracking;
import dev.kernelalloc.container.NativeArrayTest.Point;
import dev.kernelalloc.map.NativeMap;
import dev.kernelalloc.primitive.NativeLongArray;

import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.lang.foreign.MemorySegment;

/** The message of a use after the end, where no closing site is recorded. */
class EndedMemoryTest {

    private static final Point VALUE = new Point(1, 2);

    private final PoolAllocator pool = PoolAllocator.builder().tracking(Tracking.OFF).build();

    @AfterEach
    void everythingIsFree() {
        pool.close();
    }

    @Test
    @DisplayName("An array, a slice and a lease that have ended name their memory")
    void get_afterTheEndOfAnArray_namesTheMemory() {
        NativeArray<Point> array = NativeArray.zeroed(pool, POINT, 4);
        MemorySegment memory = array.segment();
        NativeSlice<Point> slice = array.slice(1, 3);
        MemorySegment part = slice.segment();
        array.close();
        assertNames(memory, () -> array.get(0));
        assertNames(memory, () -> array.set(0, VALUE));
        assertNames(part, () -> slice.get(0));

        SharedArray<Point> shared = NativeArray.zeroed(pool, POINT, 4).share();
        ArrayLease<Point> lease = shared.lease();
        shared.close();
        MemorySegment leased = lease.segment();
        lease.close();
        assertNames(leased, () -> lease.get(0));
    }

    @Test
    @DisplayName("A slice of a vec that has moved names the memory that it was in")
    void get_afterAMoveOfAVec_namesTheMemory() {
        try (NativeVec<Point> vec = NativeVec.create(pool, POINT)) {
            vec.add(VALUE);
            NativeSlice<Point> slice = vec.slice();
            MemorySegment memory = slice.segment();
            vec.reserve(10_000);
            assertThat(vec.get(0)).isEqualTo(VALUE);
            assertNames(memory, () -> slice.get(0));
        }
    }

    @Test
    @DisplayName("Vecs, maps, texts, numbers and leases of boxes that are closed name their memory")
    void use_afterClose_namesTheMemory() {
        NativeVec<Point> vec = NativeVec.withCapacity(pool, POINT, 1);
        vec.add(VALUE);
        vec.close();
        assertNamesSome(() -> vec.get(0));
        assertNamesSome(() -> vec.reserve(100));

        NativeMap<Point> map = NativeMap.create(pool, POINT);
        map.put(1, VALUE);
        map.close();
        assertNamesSome(() -> map.get(1));

        NativeString text = NativeString.of(pool, "text");
        text.close();
        assertNamesSome(text::codePointCount);

        NativeLongArray numbers = NativeLongArray.zeroed(pool, 4);
        MemorySegment memory = numbers.segment();
        numbers.close();
        assertNames(memory, () -> numbers.get(0));

        SharedBox<Point> box = SharedBox.of(pool, POINT, VALUE);
        Lease<Point> lease = box.lease();
        box.close();
        lease.close();
        assertNames(lease.segment(), lease::get);
    }

    private static void assertNames(MemorySegment memory, ThrowingCallable use) {
        assertThatIllegalStateException()
                .isThrownBy(use)
                .withMessage(
                        "Already closed: memory at 0x%x, %d bytes; its owner was closed, or has"
                                + " moved it",
                        memory.address(), memory.byteSize())
                .withCauseInstanceOf(IllegalStateException.class);
    }

    private static void assertNamesSome(ThrowingCallable use) {
        assertThatIllegalStateException()
                .isThrownBy(use)
                .withMessageMatching("Already closed: memory at 0x[0-9a-f]+, \\d+ bytes; its .*");
    }
}
