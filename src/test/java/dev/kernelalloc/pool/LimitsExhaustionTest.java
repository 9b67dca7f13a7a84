package dev.kernelalloc.pool;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.PackageAccess;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.heap.CountedChunks;
import dev.kernelalloc.heap.SystemChunks;
import dev.kernelalloc.os.Platform;
import dev.kernelalloc.testing.Await;
import dev.kernelalloc.testing.ChildJvm;
import dev.kernelalloc.testing.FullHeap;
import dev.kernelalloc.testing.SmallStack;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.lang.foreign.MemorySegment;
import java.util.Random;

/** Wherever the Java stack or heap ends, what is charged is what the system has given. */
class LimitsExhaustionTest {

    private static final long LIMIT = 2 << 20;

    /** An interrupted call may cost the block that it had in hand; all of them fit in here. */
    private static final long LIMIT_OF_STACKS = 64 << 20;

    private static final int THREADS = 8;
    private static final int OVERFLOWS_EACH = 5;
    private static final int MAX_BLOCK_BYTES = 60_000;

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void anOverflowAtAnyDepthChargesNothingThatWasNotTaken(boolean virtual) throws Exception {
        CountedChunks source = new CountedChunks(new SystemChunks(Platform.current()));
        PoolAllocator parent =
                PackageAccess.build(
                        PoolAllocator.builder()
                                .limit(LIMIT_OF_STACKS)
                                .onPressure(_ -> {})
                                .cacheBytes(0, 0),
                        source);
        PoolAllocator child = parent.child("child", LIMIT_OF_STACKS);
        fillAndFree(child); // loads all classes before the stack ends in one of their initialisers
        int interrupted = 0;
        for (int i = 0; i < THREADS; i++) {
            Overflow overflow = new Overflow(child, i);
            SmallStack.run(virtual, overflow::run);
            interrupted += overflow.interrupted;
            Await.until( // the trim thread may be giving something back
                    "charged as much as is taken",
                    () ->
                            parent.charged() == source.bytesOut()
                                    && parent.charged() == child.charged());
        }
        assertThat(interrupted).isEqualTo(THREADS * OVERFLOWS_EACH);
        assertThat(source.mostOut()).isLessThanOrEqualTo(LIMIT_OF_STACKS);
        assertThat(fillAndFree(child)).isPositive();
    }

    /** How many blocks there is room for. */
    private static int fillAndFree(PoolAllocator pool) {
        MemorySegment[] blocks = new MemorySegment[1000];
        int count = 0;
        try {
            while (count < blocks.length) {
                blocks[count] = pool.allocate(MAX_BLOCK_BYTES, 8);
                count++;
            }
        } catch (AllocationException _) {
            // full
        }
        for (int i = 0; i < count; i++) {
            pool.free(blocks[i]);
        }
        return count;
    }

    /** Goes down until the stack ends, allocating and freeing at every depth. */
    private static final class Overflow {
        private final PoolAllocator pool;
        private final Random random;
        private int interrupted;

        /** What is not freed yet. */
        private MemorySegment held;

        Overflow(PoolAllocator pool, int seed) {
            this.pool = pool;
            this.random = new Random(seed);
        }

        void run() {
            for (int i = 0; i < OVERFLOWS_EACH; i++) {
                try {
                    descend(1 + random.nextInt(MAX_BLOCK_BYTES));
                } catch (StackOverflowError e) {
                    interrupted++;
                    freeHeld();
                }
            }
        }

        /** What a call had in hand that was interrupted later is lost, as the engine says. */
        private void freeHeld() {
            try {
                if (held != null) {
                    pool.free(held);
                }
            } catch (IllegalArgumentException e) {
                assertThat(e).hasMessageContaining("is not the start of a live raw block");
            }
            held = null;
        }

        private void descend(int bytes) {
            held = pool.allocate(bytes, 8);
            pool.free(held);
            held = null;
            descend(bytes);
        }
    }

    // ---- the Java heap ------------------------------------------------------------------------

    @Test
    void aFullJavaHeapChargesNothingThatWasNotTaken() throws Exception {
        String output =
                ChildJvm.onModulePath()
                        .withNativeAccess()
                        .with("-Xmx20m", "-XX:+UseSerialGC", "-XX:-CreateCoredumpOnCrash")
                        .outputOf(FillTheHeap.class);
        assertThat(output)
                .contains("refused while it was full: true")
                .contains("charged while it was full: as much as was taken")
                .contains("taken too much: false")
                .contains("charged at the end: 0")
                .contains("taken at the end: 0");
    }

    static final class FillTheHeap {

        private static final int CALLS = 400;

        private FillTheHeap() {}

        static void main() {
            CountedChunks source = new CountedChunks(new SystemChunks(Platform.current()));
            PoolAllocator parent =
                    PackageAccess.build(
                            PoolAllocator.builder().limit(LIMIT).onPressure(_ -> {}), source);
            PoolAllocator child = parent.child("child", LIMIT);
            fillAndFree(child);
            child.trim();
            MemorySegment[] blocks = new MemorySegment[CALLS];
            int[] sizes = new int[CALLS];
            Random random = new Random(1);
            for (int i = 0; i < CALLS; i++) {
                sizes[i] = random.nextInt(i % 10 == 0 ? 200_000 : 20_000);
            }
            Object[] filling = FullHeap.fill();
            int refused = 0;
            for (int i = 0; i < CALLS; i++) {
                try {
                    blocks[i] = child.allocate(sizes[i], 8);
                } catch (AllocationException | OutOfMemoryError e) {
                    refused++;
                }
                if (i % 3 == 0 && blocks[i] != null) {
                    MemorySegment block = blocks[i];
                    blocks[i] = null;
                    child.free(block);
                }
            }
            long charged;
            long taken;
            int looks = 0;
            do { // the trim thread may be giving something back; and no object for that
                charged = parent.charged();
                taken = source.bytesOut();
            } while (charged != taken && ++looks < 10_000_000);
            filling[0] = null;
            IO.println("refused while it was full: " + (refused > 0));
            IO.println(
                    "charged while it was full: "
                            + (charged == taken
                                    ? "as much as was taken"
                                    : charged + ", but taken " + taken));
            for (MemorySegment block : blocks) {
                if (block != null) {
                    child.free(block);
                }
            }
            child.close();
            parent.close();
            Await.until(
                    "everything back: " + source.bytesOut(),
                    () -> source.bytesOut() == 0 && parent.charged() == 0);
            IO.println("taken too much: " + (source.mostOut() > LIMIT));
            IO.println("charged at the end: " + parent.charged());
            IO.println("taken at the end: " + source.bytesOut());
        }
    }
}
