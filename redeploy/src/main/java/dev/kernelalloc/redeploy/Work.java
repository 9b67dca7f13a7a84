package dev.kernelalloc.redeploy;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.Lease;
import dev.kernelalloc.NativeArray;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.NativeString;
import dev.kernelalloc.NativeVec;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.SecretMemory;
import dev.kernelalloc.SharedBox;
import dev.kernelalloc.Tracking;
import dev.kernelalloc.observe.AllocatorBean;
import dev.kernelalloc.struct.StructType;

import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.invoke.MethodHandles;
import java.time.Duration;

/** The web application: each request uses every kind of owner, and closes it. */
public final class Work extends HttpServlet {

    private static final long serialVersionUID = 1;

    record Point(int x, int y) {}

    interface Session {
        int id();

        void id(int value);
    }

    private static final StructType<Point> POINT =
            StructType.of(MethodHandles.lookup(), Point.class);
    private static final StructType<Session> SESSION =
            StructType.of(MethodHandles.lookup(), Session.class);

    /** Created by the container. */
    public Work() {}

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response)
            throws IOException {
        PoolAllocator.shared().tracking(Tracking.ALL);
        int sum = 0;
        for (int i = 0; i < 1_000; i++) {
            sum += use(KernelAllocator.global(), i);
        }
        try (PoolAllocator pool =
                PoolAllocator.builder()
                        .tag("web")
                        .limit(32 << 20)
                        .onLeak(report -> log(report.toString()))
                        .onPressure(pressure -> log(pressure.toString()))
                        .build()) {
            sum += use(pool, 1);
            AllocatorBean.register(pool).close();
        }
        try (PhysicalAllocator physical =
                PhysicalAllocator.builder()
                        .tag("web")
                        .verifyEvery(Duration.ofMillis(10))
                        .onDrift(drift -> log(drift.toString()))
                        .build()) {
            sum += use(physical, 1);
        }
        SecretMemory.allocate(64).close();
        response.setContentType("text/plain");
        response.getWriter().println("sum=" + sum);
    }

    private static int use(KernelAllocator allocator, int id) {
        try (NativeBox<Session> session = NativeBox.zeroed(allocator, SESSION);
                NativeArray<Point> points = NativeArray.zeroed(allocator, POINT, 10);
                NativeVec<Point> vec = NativeVec.create(allocator, POINT);
                NativeString text = NativeString.of(allocator, "text");
                SharedBox<Point> shared = SharedBox.of(allocator, POINT, new Point(id, 1));
                Lease<Point> lease = shared.lease();
                Arena arena = allocator.arena()) {
            session.get().id(id);
            points.set(0, lease.get());
            vec.addAll(points);
            arena.allocate(POINT.layout());
            return session.get().id() + vec.get(0).x() + (int) text.byteLength();
        }
    }
}
