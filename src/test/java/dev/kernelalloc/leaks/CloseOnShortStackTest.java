package dev.kernelalloc.leaks;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.NativeArray;
import dev.kernelalloc.NativeString;
import dev.kernelalloc.NativeVec;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.Tracking;
import dev.kernelalloc.primitive.NativeLongArray;
import dev.kernelalloc.struct.StructType;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import java.lang.invoke.MethodHandles;
import java.util.concurrent.Callable;
import java.util.concurrent.FutureTask;
import java.util.function.Function;

/** An owner that is closed at the end of the stack. */
class CloseOnShortStackTest {

    private static final int THREADS = 4;
    private static final int FRAMES = 200;

    record Point(int x, int y) {}

    private static final StructType<Point> POINT =
            StructType.of(MethodHandles.lookup(), Point.class);

    enum Owner {
        ARRAY(pool -> NativeArray.zeroed(pool, POINT, 3)),
        NUMBERS(pool -> NativeLongArray.zeroed(pool, 3)),
        VEC(pool -> NativeVec.withCapacity(pool, POINT, 3)),
        STRING(pool -> NativeString.of(pool, "three"));

        private final Function<KernelAllocator, AutoCloseable> create;

        Owner(Function<KernelAllocator, AutoCloseable> create) {
            this.create = create;
        }
    }

    @ParameterizedTest
    @EnumSource
    @DisplayName("A tracked owner whose close overflows the stack is closed by the next call")
    void close_ofATrackedOwnerOnAShortStack_canBeRepeated(Owner owner) throws Exception {
        PoolAllocator pool = PoolAllocator.builder().tracking(Tracking.ALL).build();
        int interrupted = 0;
        for (int i = 0; i < THREADS; i++) {
            Overflow overflow = new Overflow(pool, owner);
            FutureTask<Integer> task = new FutureTask<>(overflow);
            Thread thread = Thread.ofPlatform().stackSize(256 << 10).start(task);
            interrupted += task.get();
            thread.join();
        }
        assertThat(interrupted).isPositive();
        assertThat(pool.stats().liveBlocks()).isZero();
        pool.close();
    }

    @Test
    @DisplayName("Tracked owners that are created down to the end of the stack are all closed")
    void tryWithResources_downToTheEndOfTheStack_losesNothing() throws Exception {
        try (PoolAllocator pool = PoolAllocator.builder().tracking(Tracking.ALL).build()) {
            for (Owner owner : Owner.values()) {
                FutureTask<Integer> task = new FutureTask<>(() -> overflows(pool, owner));
                Thread.ofPlatform().stackSize(512 << 10).start(task).join();
                assertThat(task.get()).as(owner.name()).isEqualTo(5);
                assertThat(pool.stats().liveBlocks()).as(owner.name()).isZero();
            }
        }
    }

    private static int overflows(PoolAllocator pool, Owner owner) throws Exception {
        int overflows = 0;
        for (int i = 0; i < 5; i++) {
            try {
                descend(pool, owner);
            } catch (StackOverflowError _) {
                overflows++;
            }
        }
        return overflows;
    }

    private static void descend(PoolAllocator pool, Owner owner) throws Exception {
        try (AutoCloseable created = owner.create.apply(pool)) {
            assertThat(created).isNotNull();
            descend(pool, owner);
        }
    }

    /** Closes owners in frames near the end of the stack, one after the other. */
    private static final class Overflow implements Callable<Integer> {

        private final PoolAllocator pool;
        private final Owner owner;
        private int reached;

        Overflow(PoolAllocator pool, Owner owner) {
            this.pool = pool;
            this.owner = owner;
        }

        /** Returns how many calls of close the end of the stack has interrupted. */
        @Override
        public Integer call() throws Exception {
            int interrupted = 0;
            for (int above = 0; above < FRAMES; above++) {
                AutoCloseable created = owner.create.apply(pool);
                reached = 0;
                try {
                    close(Integer.MAX_VALUE, created);
                } catch (StackOverflowError _) {
                    // as many frames are on this stack
                }
                try {
                    close(reached - above, created);
                } catch (StackOverflowError _) {
                    interrupted++;
                    closeAgain(created);
                }
            }
            return interrupted;
        }

        private void close(int frames, AutoCloseable created) throws Exception {
            reached++;
            if (frames > 0) {
                close(frames - 1, created);
            } else {
                created.close();
            }
        }

        private static void closeAgain(AutoCloseable created) throws Exception {
            try {
                created.close();
            } catch (IllegalStateException _) {
                // the call before has closed it
            }
        }
    }
}
