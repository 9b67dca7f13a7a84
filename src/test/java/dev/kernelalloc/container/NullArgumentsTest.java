package dev.kernelalloc.container;

import static dev.kernelalloc.container.NativeArrayTest.POINT;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatNullPointerException;

import dev.kernelalloc.ArrayLease;
import dev.kernelalloc.NativeArray;
import dev.kernelalloc.NativeSlice;
import dev.kernelalloc.NativeVec;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.SharedArray;
import dev.kernelalloc.call.Out;
import dev.kernelalloc.container.NativeArrayTest.Point;
import dev.kernelalloc.map.MapLease;
import dev.kernelalloc.map.NativeMap;
import dev.kernelalloc.map.SharedMap;
import dev.kernelalloc.physical.PhysicalRequest;

import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.lang.foreign.Arena;

/** A null argument is refused by name at once, even if there is nothing to use it for. */
@SuppressWarnings({"DataFlowIssue", "NullAway"})
class NullArgumentsTest {

    private static final Point VALUE = new Point(1, 2);

    private final PoolAllocator pool = PoolAllocator.shared();

    @Test
    @DisplayName("Functions of arrays and slices, without elements")
    void sliceOperation_null_isRefusedByName() {
        try (NativeArray<Point> empty = NativeArray.zeroed(pool, POINT, 0)) {
            assertSlice(empty);
        }
        SharedArray<Point> shared = NativeArray.zeroed(pool, POINT, 0).share();
        try (ArrayLease<Point> lease = shared.lease()) {
            assertSlice(lease);
        }
        shared.close();
    }

    private static void assertSlice(NativeSlice<Point> empty) {
        assertRefused("action", () -> empty.forEach(null));
        assertRefused("order", () -> empty.sort(null));
        assertRefused("key", () -> empty.sortByLong(null));
        assertRefused("order", () -> empty.binarySearch(VALUE, null));
        assertRefused("key", () -> empty.binarySearchByLong(1, null));
    }

    @Test
    @DisplayName("Functions of vecs, without elements")
    void vecOperation_null_isRefusedByName() {
        try (NativeVec<Point> empty = NativeVec.create(pool, POINT)) {
            assertRefused("action", () -> empty.forEach(null));
            assertRefused("condition", () -> empty.removeIf(null));
        }
    }

    @Test
    @DisplayName("Values and functions of maps, for a key that is absent")
    void mapOperation_null_isRefusedByName() {
        NativeMap<Point> map = NativeMap.create(pool, POINT);
        assertRefused("value", () -> map.replace(1, null));
        assertRefused("change", () -> map.update(1, null));
        SharedMap<Point> shared = map.share();
        try (MapLease<Point> lease = shared.lease()) {
            assertRefused("value", () -> lease.replace(1, null));
            assertThat(lease.replace(1, VALUE)).isFalse();
        }
        shared.close();
    }

    @Test
    @DisplayName("Settings of a request, and the struct of an out-parameter")
    void setting_null_isRefusedByName() {
        PhysicalRequest.Builder builder = PhysicalRequest.DEFAULT.toBuilder();
        assertRefused("policy", () -> builder.pages(null));
        assertRefused("behaviour", () -> builder.onFork(null));
        assertThat(builder.build()).isEqualTo(PhysicalRequest.DEFAULT);
        try (Arena arena = Arena.ofConfined()) {
            assertRefused("target", () -> Out.ofPointer(arena, null));
        }
    }

    private static void assertRefused(String parameter, ThrowingCallable call) {
        assertThatNullPointerException().isThrownBy(call).withMessage(parameter);
    }
}
