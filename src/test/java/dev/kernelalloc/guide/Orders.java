package dev.kernelalloc.guide;

import dev.kernelalloc.LiveBlocksException;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.Tracking;
import dev.kernelalloc.struct.StructType;
import dev.kernelalloc.testing.Await;

import java.lang.invoke.MethodHandles;
import java.util.concurrent.atomic.AtomicLong;

/** A program that loses memory in two places, for docs/observability.md. */
final class Orders {

    private record Order(long id, double price) {}

    private static final StructType<Order> ORDER =
            StructType.of(MethodHandles.lookup(), Order.class);

    private Orders() {}

    static void main() {
        AtomicLong lost = new AtomicLong();
        // guide: leaks
        PoolAllocator pool =
                PoolAllocator.builder()
                        .tag("orders")
                        .tracking(Tracking.ALL)
                        .onLeak(report -> lost.addAndGet(report.bytes()))
                        .build();
        // end
        price(pool);
        Await.until("a report", () -> collected() && lost.get() == 16);
        NativeBox<Order> kept = NativeBox.zeroed(pool, ORDER);
        try {
            pool.close();
        } catch (LiveBlocksException e) {
            System.err.println(e.getMessage());
        }
        kept.close();
    }

    private static boolean collected() {
        System.gc();
        return true;
    }

    private static double price(PoolAllocator pool) {
        NativeBox<Order> box = NativeBox.of(pool, ORDER, new Order(1, 9.99));
        return box.get().price();
    }
}
