package dev.kernelalloc.unloading;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.ArrayLease;
import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.Lease;
import dev.kernelalloc.NativeArray;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.NativeString;
import dev.kernelalloc.NativeVec;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.SecretMemory;
import dev.kernelalloc.SharedArray;
import dev.kernelalloc.SharedBox;
import dev.kernelalloc.Tracking;
import dev.kernelalloc.observe.AllocatorBean;
import dev.kernelalloc.struct.Length;
import dev.kernelalloc.struct.Pointer;
import dev.kernelalloc.struct.StructDefinitionException;
import dev.kernelalloc.struct.StructType;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.time.Duration;
import java.util.Comparator;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.TimeUnit;

/** Uses every kind of owner, listener, tracking level and struct type, and ends all of them. */
public final class Application implements Runnable {

    record Point(int x, int y) {}

    interface Session {
        int id();

        void id(int value);

        @Length(32)
        String user();

        void user(String value);

        Pointer<Session> next();

        void next(Pointer<Session> value);

        @Length(4)
        Point points(int index);
    }

    private static final StructType<Point> POINT =
            StructType.of(MethodHandles.lookup(), Point.class);
    private static final StructType<Session> SESSION =
            StructType.of(MethodHandles.lookup(), Session.class);
    private static final StructType<MemorySegment> LONG = StructType.of(ValueLayout.JAVA_LONG);

    /** What a kept class loader would keep. */
    static final byte[] BALLAST = new byte[1 << 20];

    /** Called by the loader's owner. */
    public Application() {}

    @Override
    public void run() {
        try {
            for (Tracking level : Tracking.values()) {
                useShared(level);
                usePool(level);
            }
            usePhysical();
            useThreadThatStays();
            lose();
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    private static void useShared(Tracking level) {
        PoolAllocator shared = PoolAllocator.shared();
        shared.tracking(level);
        useOwners(shared);
        MemorySegment raw = KernelAllocator.global().allocate(64, 8);
        KernelAllocator.global().free(KernelAllocator.global().reallocate(raw, 4096, 8));
        PoolAllocator c = PoolAllocator.systemHeap();
        MemorySegment foreign = c.allocate(16, 8);
        c.disown(foreign);
        c.free(c.adopt(foreign));
        try {
            shared.allocate(1L << 60, 8);
            throw new AssertionError("not refused");
        } catch (AllocationException e) {
            // as it should be
        }
        try {
            StructType.of(MethodHandles.lookup(), Application.class);
            throw new AssertionError("no record and no interface");
        } catch (StructDefinitionException e) {
            // as it should be
        }
    }

    private static void useOwners(KernelAllocator allocator) {
        try (NativeBox<Session> box = NativeBox.zeroed(allocator, SESSION);
                NativeBox<Point> copy = NativeBox.of(allocator, POINT, new Point(1, 2));
                NativeBox<MemorySegment> word = NativeBox.zeroed(allocator, LONG);
                NativeArray<Point> array = NativeArray.zeroed(allocator, POINT, 10);
                NativeVec<Session> vec = NativeVec.create(allocator, SESSION);
                NativeString text = NativeString.of(allocator, "text");
                NativeString.Builder builder = NativeString.builder(allocator);
                Arena confined = allocator.arena();
                Arena wide = allocator.sharedArena()) {
            box.get().user(copy.get().toString() + word.get().byteSize());
            box.toString();
            array.sort(Comparator.comparingInt(Point::x));
            array.slice(0, 3).asList();
            vec.reserve(3);
            builder.append(text.toString());
            confined.allocate(POINT.layout());
            wide.allocate(100);
            SESSION.varHandle("id");
            SESSION.getter("user");
        }
        try (SharedArray<Point> points = NativeArray.zeroed(allocator, POINT, 100).share();
                ArrayLease<Point> lease = points.lease()) {
            lease.stream().parallel().mapToInt(Point::x).sum();
        }
        try (SharedBox<Point> point = SharedBox.zeroed(allocator, POINT)) {
            point.get();
            try (Lease<Point> lease = point.lease()) {
                lease.get();
            }
        }
    }

    private static void usePool(Tracking level) {
        try (PoolAllocator pool =
                PoolAllocator.builder()
                        .tag("application")
                        .tracking(level)
                        .hardened(level == Tracking.ALL)
                        .limit(32 << 20)
                        .onLeak(report -> BALLAST[0]++)
                        .onPressure(pressure -> BALLAST[1]++)
                        .build()) {
            useOwners(pool);
            pool.free(pool.allocate(64, 8));
            try (PoolAllocator child = pool.child("query", 8 << 20)) {
                useOwners(child);
            }
            try {
                pool.allocate(64 << 20, 8);
                throw new AssertionError("not refused");
            } catch (AllocationException e) {
                // as it should be
            }
            AllocatorBean.register(pool).close();
        }
    }

    private static void usePhysical() throws InterruptedException {
        try (PhysicalAllocator physical =
                PhysicalAllocator.builder()
                        .tag("application")
                        .onSlabMapped(slab -> BALLAST[2]++)
                        .onDrift(drift -> BALLAST[3]++)
                        .verifyEvery(Duration.ofMillis(5))
                        .build()) {
            useOwners(physical);
        }
        SecretMemory.allocate(64).close();
    }

    /** Its cache of blocks outlives the application, as that of a server's thread does. */
    private static void useThreadThatStays() throws Exception {
        ForkJoinPool.commonPool().submit(() -> useOwners(PoolAllocator.shared())).get();
    }

    /** Loses a box, and waits until that has been reported. */
    private static void lose() throws InterruptedException {
        CountDownLatch reported = new CountDownLatch(1);
        PoolAllocator pool =
                PoolAllocator.builder()
                        .tracking(Tracking.ALL)
                        .limit(1 << 20) // of what stays behind with the lost box
                        .onLeak(report -> reported.countDown())
                        .build();
        dropBox(pool);
        for (int i = 0; i < 300 && reported.getCount() > 0; i++) {
            System.gc();
            reported.await(100, TimeUnit.MILLISECONDS);
        }
        if (reported.getCount() > 0) {
            throw new AssertionError("the leak was not reported");
        }
    }

    private static void dropBox(PoolAllocator pool) {
        NativeBox.of(pool, POINT, new Point(3, 4));
    }
}
