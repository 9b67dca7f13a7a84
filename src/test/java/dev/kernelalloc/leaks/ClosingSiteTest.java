package dev.kernelalloc.leaks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.kernelalloc.ArrayLease;
import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.Lease;
import dev.kernelalloc.NativeArray;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.NativeSlice;
import dev.kernelalloc.NativeString;
import dev.kernelalloc.NativeVec;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.SharedArray;
import dev.kernelalloc.SharedBox;
import dev.kernelalloc.Tracking;
import dev.kernelalloc.map.MapLease;
import dev.kernelalloc.map.NativeMap;
import dev.kernelalloc.map.SharedMap;
import dev.kernelalloc.primitive.NativeLongArray;
import dev.kernelalloc.primitive.SharedPrimitiveArray;
import dev.kernelalloc.struct.StructType;

import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.util.LinkedHashMap;
import java.util.Map;

/** A use after close names the caller of close, while the allocator tracks all owners. */
class ClosingSiteTest {

    private record Point(int x, int y) {}

    private static final StructType<Point> POINT =
            StructType.of(MethodHandles.lookup(), Point.class);
    private static final Point VALUE = new Point(1, 2);

    /** An owner, and uses of it that fail once it is closed. */
    private record Owner(AutoCloseable closeable, Map<String, ThrowingCallable> uses) {

        Owner(AutoCloseable closeable) {
            this(closeable, new LinkedHashMap<>());
            use("close", closeable::close);
        }

        Owner use(String name, ThrowingCallable use) {
            uses.put(name, use);
            return this;
        }
    }

    private enum Kind {
        BOX {
            @Override
            Owner by(KernelAllocator allocator) {
                NativeBox<Point> box = NativeBox.of(allocator, POINT, VALUE);
                return new Owner(box).use("get", box::get).use("set", () -> box.set(VALUE));
            }
        },
        ARRAY {
            @Override
            Owner by(KernelAllocator allocator) {
                NativeArray<Point> array = NativeArray.of(allocator, POINT, VALUE);
                NativeSlice<Point> slice = array.slice(0, 1);
                return new Owner(array)
                        .use("get", () -> array.get(0))
                        .use("set", () -> array.set(0, VALUE))
                        .use("slice get", () -> slice.get(0))
                        .use("slice set", () -> slice.set(0, VALUE));
            }
        },
        VEC {
            @Override
            Owner by(KernelAllocator allocator) {
                NativeVec<Point> vec = NativeVec.create(allocator, POINT);
                vec.add(VALUE);
                return new Owner(vec)
                        .use("get", () -> vec.get(0))
                        .use("set", () -> vec.set(0, VALUE));
            }
        },
        STRING {
            @Override
            Owner by(KernelAllocator allocator) {
                NativeString string = NativeString.of(allocator, "text");
                return new Owner(string)
                        .use("toString", string::toString)
                        .use("hashCode", string::hashCode);
            }
        },
        LEASE {
            @Override
            Owner by(KernelAllocator allocator) {
                SharedBox<Point> box = SharedBox.of(allocator, POINT, VALUE);
                Lease<Point> lease = box.lease();
                box.close();
                return new Owner(lease).use("get", lease::get).use("set", () -> lease.set(VALUE));
            }
        },
        LEASE_OF_AN_ARRAY {
            @Override
            Owner by(KernelAllocator allocator) {
                SharedArray<Point> array = NativeArray.of(allocator, POINT, VALUE).share();
                ArrayLease<Point> lease = array.lease();
                array.close();
                return new Owner(lease)
                        .use("get", () -> lease.get(0))
                        .use("set", () -> lease.set(0, VALUE));
            }
        },
        MAP {
            @Override
            Owner by(KernelAllocator allocator) {
                NativeMap<Point> map = NativeMap.create(allocator, POINT);
                map.put(1, VALUE);
                return new Owner(map)
                        .use("get", () -> map.get(1))
                        .use("put", () -> map.put(2, VALUE))
                        .use("replace", () -> map.replace(1, VALUE))
                        .use("update", () -> map.update(1, value -> value))
                        .use("containsKey", () -> map.containsKey(1))
                        .use("remove", () -> map.remove(1))
                        .use("removeIf", () -> map.removeIf((_, _) -> true))
                        .use("forEach", () -> map.forEach((_, _) -> {}))
                        .use("keys", map::keys)
                        .use("clear", map::clear);
            }
        },
        LEASE_OF_A_MAP {
            @Override
            Owner by(KernelAllocator allocator) {
                NativeMap<Point> map = NativeMap.create(allocator, POINT);
                map.put(1, VALUE);
                SharedMap<Point> shared = map.share();
                MapLease<Point> lease = shared.lease();
                shared.close();
                return new Owner(lease)
                        .use("get", () -> lease.get(1))
                        .use("replace", () -> lease.replace(1, VALUE))
                        .use("update", () -> lease.update(1, value -> value))
                        .use("forEach", () -> lease.forEach((_, _) -> {}));
            }
        },
        NUMBERS {
            @Override
            Owner by(KernelAllocator allocator) {
                NativeLongArray longs = NativeLongArray.of(allocator, 1, 2);
                NativeLongArray part = longs.slice(1, 2);
                return new Owner(longs)
                        .use("get", () -> longs.get(0))
                        .use("set", () -> longs.set(0, 1))
                        .use("sort", longs::sort)
                        .use("slice get", () -> part.get(0));
            }
        },
        LEASE_OF_NUMBERS {
            @Override
            Owner by(KernelAllocator allocator) {
                SharedPrimitiveArray<NativeLongArray> shared =
                        NativeLongArray.of(allocator, 1).share();
                NativeLongArray lease = shared.lease();
                shared.close();
                return new Owner(lease).use("get", () -> lease.get(0));
            }
        };

        abstract Owner by(KernelAllocator allocator);
    }

    @ParameterizedTest
    @EnumSource
    @DisplayName("Every owner names the method, the line and the thread that closed it")
    void useAfterClose_ofATrackedOwner_namesTheCloser(Kind kind) throws Exception {
        try (PoolAllocator pool = PoolAllocator.builder().tracking(Tracking.ALL).build()) {
            Owner owner = kind.by(pool);
            closeHere(owner.closeable);
            owner.uses.forEach(
                    (name, use) -> {
                        IllegalStateException thrown =
                                catchThrowableOfType(IllegalStateException.class, use);
                        assertThat(thrown)
                                .as(name)
                                .hasMessageContaining(
                                        "closed by " + Thread.currentThread().getName())
                                .hasMessageContaining("ClosingSiteTest.closeHere(");
                    });
        }
    }

    @ParameterizedTest
    @EnumSource
    void useAfterClose_ofAnUntrackedOwner_namesNoCloser(Kind kind) throws Exception {
        try (PoolAllocator pool = PoolAllocator.builder().tracking(Tracking.OFF).build()) {
            Owner owner = kind.by(pool);
            closeHere(owner.closeable);
            owner.uses.forEach(
                    (name, use) ->
                            assertThat(catchThrowableOfType(IllegalStateException.class, use))
                                    .as(name)
                                    .message()
                                    .doesNotContain("closed by"));
        }
    }

    @Test
    void exceptionOfTheUsersCode_isNotChanged() {
        record Refusing(int x) {
            Refusing {
                if (x < 0) {
                    throw new IllegalStateException("x=" + x);
                }
            }
        }
        StructType<Refusing> type = StructType.of(MethodHandles.lookup(), Refusing.class);
        try (PoolAllocator pool = PoolAllocator.builder().tracking(Tracking.ALL).build();
                NativeArray<Refusing> array = NativeArray.zeroed(pool, type, 1)) {
            array.segment().set(ValueLayout.JAVA_INT, 0, -1);
            assertThat(catchThrowableOfType(IllegalStateException.class, () -> array.get(0)))
                    .hasMessage("x=-1")
                    .hasNoCause();
        }
    }

    private static void closeHere(AutoCloseable closeable) throws Exception {
        closeable.close();
    }
}
