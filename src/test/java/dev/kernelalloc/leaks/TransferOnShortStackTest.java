package dev.kernelalloc.leaks;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.ArrayLease;
import dev.kernelalloc.Handoff;
import dev.kernelalloc.Lease;
import dev.kernelalloc.NativeArray;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.NativeString;
import dev.kernelalloc.NativeVec;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.SharedArray;
import dev.kernelalloc.SharedBox;
import dev.kernelalloc.Tracking;
import dev.kernelalloc.struct.StructType;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.util.concurrent.Callable;
import java.util.concurrent.FutureTask;
import java.util.function.BiFunction;
import java.util.function.Function;

/** Memory that changes hands at the end of the stack. */
class TransferOnShortStackTest {

    private static final int FRAMES = 100;

    record Point(int x, int y) {}

    private static final StructType<Point> POINT =
            StructType.of(MethodHandles.lookup(), Point.class);
    private static final Point VALUE = new Point(3, 4);

    enum Transfer {
        DETACH(Transfer::box, (_, box) -> ((NativeBox<?>) box).detach()),
        ATTACH(pool -> box(pool).detach(), (_, handoff) -> ((Handoff<?>) handoff).attach()),
        SHARE(pool -> box(pool).detach(), (_, handoff) -> ((Handoff<?>) handoff).share()),
        DETACH_SHARED(Transfer::shared, (_, box) -> ((SharedBox<?>) box).detach()),
        LEASE(Transfer::shared, (_, box) -> ((SharedBox<?>) box).lease()),
        RELEASE(Transfer::box, (_, box) -> ((NativeBox<?>) box).release()),
        ADOPT(
                pool -> box(pool).release(),
                (pool, block) -> NativeBox.adopt(pool, POINT, (MemorySegment) block)),
        SHARE_ARRAY(Transfer::array, (_, array) -> ((NativeArray<?>) array).share()),
        ATTACH_ARRAY(
                pool -> array(pool).share(), (_, shared) -> ((SharedArray<?>) shared).attach()),
        LEASE_ARRAY(pool -> array(pool).share(), (_, shared) -> ((SharedArray<?>) shared).lease()),
        VEC_OF_ARRAY(Transfer::array, (_, array) -> NativeVec.from((NativeArray<?>) array)),
        ARRAY_OF_VEC(
                pool -> NativeVec.from(array(pool)), (_, vec) -> ((NativeVec<?>) vec).intoArray()),
        STRING(
                pool -> NativeString.builder(pool).append("three"),
                (_, builder) -> ((NativeString.Builder) builder).build());

        private final Function<PoolAllocator, Object> create;
        private final BiFunction<PoolAllocator, Object, Object> change;

        Transfer(
                Function<PoolAllocator, Object> create,
                BiFunction<PoolAllocator, Object, Object> change) {
            this.create = create;
            this.change = change;
        }

        private static NativeBox<Point> box(PoolAllocator pool) {
            return NativeBox.of(pool, POINT, VALUE);
        }

        private static SharedBox<Point> shared(PoolAllocator pool) {
            return SharedBox.of(pool, POINT, VALUE);
        }

        private static NativeArray<Point> array(PoolAllocator pool) {
            return NativeArray.of(pool, POINT, VALUE);
        }
    }

    @ParameterizedTest
    @EnumSource
    @DisplayName("A transfer that the end of the stack interrupts has changed nothing")
    void transfer_onAShortStack_losesNothingAndCanBeRepeated(Transfer transfer) throws Exception {
        for (Tracking level : Tracking.values()) {
            PoolAllocator pool = PoolAllocator.builder().tracking(level).build();
            Object linking = transfer.create.apply(pool);
            endBoth(pool, linking, transfer.change.apply(pool, linking));
            FutureTask<Integer> task = new FutureTask<>(new Overflow(pool, transfer));
            Thread.ofPlatform().stackSize(256 << 10).start(task).join();
            assertThat(task.get()).as("interrupted transfers").isPositive();
            assertThat(pool.stats().liveBlocks()).as("lost with %s", level).isZero();
            pool.close();
        }
    }

    private static void endBoth(PoolAllocator pool, Object before, Object after) {
        end(pool, after);
        if (after instanceof Lease || after instanceof ArrayLease) {
            end(pool, before); // which refuses while other leases count
        }
    }

    /** Checks the contents and frees the memory. */
    private static void end(PoolAllocator pool, Object owner) {
        switch (owner) {
            case NativeBox<?> box -> {
                assertThat(box.get()).isEqualTo(VALUE);
                box.close();
            }
            case Handoff<?> handoff -> end(pool, handoff.attach());
            case SharedBox<?> box -> end(pool, box.detach());
            case Lease<?> lease -> {
                assertThat(lease.get()).isEqualTo(VALUE);
                lease.close();
            }
            case MemorySegment block -> end(pool, NativeBox.adopt(pool, POINT, block));
            case NativeArray<?> array -> {
                assertThat(array.get(0)).isEqualTo(VALUE);
                array.close();
            }
            case SharedArray<?> array -> end(pool, array.attach());
            case ArrayLease<?> lease -> {
                assertThat(lease.get(0)).isEqualTo(VALUE);
                lease.close();
            }
            case NativeVec<?> vec -> end(pool, vec.intoArray());
            case NativeString string -> {
                assertThat(string.toString()).isEqualTo("three");
                string.close();
            }
            default -> throw new AssertionError(owner);
        }
    }

    /** Transfers in frames near the end of the stack, one after the other. */
    private static final class Overflow implements Callable<Integer> {

        private final PoolAllocator pool;
        private final Transfer transfer;
        private int reached;

        Overflow(PoolAllocator pool, Transfer transfer) {
            this.pool = pool;
            this.transfer = transfer;
        }

        /** Returns how many transfers the end of the stack has interrupted. */
        @Override
        public Integer call() {
            int interrupted = 0;
            for (int above = 0; above < FRAMES; above++) {
                Object before = transfer.create.apply(pool);
                Object after;
                reached = 0;
                try {
                    change(Integer.MAX_VALUE, before);
                } catch (StackOverflowError _) {
                    // as many frames are on this stack
                }
                try {
                    after = change(reached - above, before);
                } catch (StackOverflowError _) {
                    interrupted++;
                    after = transfer.change.apply(pool, before);
                }
                endBoth(pool, before, after);
            }
            return interrupted;
        }

        private Object change(int frames, Object before) {
            reached++;
            return frames > 0 ? change(frames - 1, before) : transfer.change.apply(pool, before);
        }
    }
}
