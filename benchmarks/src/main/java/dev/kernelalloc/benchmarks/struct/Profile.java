package dev.kernelalloc.benchmarks.struct;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.struct.StructType;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodHandles.Lookup;

/**
 * The history of a JVM before a benchmark: nothing, or as in an application, many struct types and
 * both allocators through the same code.
 */
public enum Profile {
    CLEAN,
    POLLUTED;

    private record A(int a) {}

    private record B(long a, int b) {}

    private record C(double a, float b, byte c) {}

    private record D(short a, char b, boolean c, long d) {}

    private interface E {
        int a();

        void a(int value);
    }

    private interface F {
        long a();

        void a(long value);
    }

    private interface G {
        double a();

        void a(double value);
    }

    private static final int USES = 20_000;

    /** Does it. */
    public void set() {
        if (this == CLEAN) {
            return;
        }
        try (PoolAllocator pool = PoolAllocator.create();
                PhysicalAllocator physical = PhysicalAllocator.create()) {
            for (int i = 0; i < USES; i++) {
                KernelAllocator allocator = i % 50 == 0 ? physical : pool;
                copy(allocator, Types.A_TYPE, new A(i));
                copy(allocator, Types.B_TYPE, new B(i, i));
                copy(allocator, Types.C_TYPE, new C(i, i, (byte) i));
                copy(allocator, Types.D_TYPE, new D((short) i, (char) i, true, i));
                try (NativeBox<E> e = NativeBox.zeroed(allocator, Types.E_TYPE);
                        NativeBox<F> f = NativeBox.zeroed(allocator, Types.F_TYPE);
                        NativeBox<G> g = NativeBox.zeroed(allocator, Types.G_TYPE)) {
                    e.get().a(i);
                    f.get().a(e.get().a());
                    g.get().a(f.get().a());
                }
            }
        }
    }

    private static <T> void copy(KernelAllocator allocator, StructType<T> type, T value) {
        try (NativeBox<T> box = NativeBox.of(allocator, type, value)) {
            box.set(box.get());
        }
    }

    private static final class Types {
        private static final Lookup HERE = MethodHandles.lookup();
        static final StructType<A> A_TYPE = StructType.of(HERE, A.class);
        static final StructType<B> B_TYPE = StructType.of(HERE, B.class);
        static final StructType<C> C_TYPE = StructType.of(HERE, C.class);
        static final StructType<D> D_TYPE = StructType.of(HERE, D.class);
        static final StructType<E> E_TYPE = StructType.of(HERE, E.class);
        static final StructType<F> F_TYPE = StructType.of(HERE, F.class);
        static final StructType<G> G_TYPE = StructType.of(HERE, G.class);
    }
}
