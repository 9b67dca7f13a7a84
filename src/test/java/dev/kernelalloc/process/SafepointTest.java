package dev.kernelalloc.process;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.NativeArray;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.NativeString;
import dev.kernelalloc.NativeVec;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.struct.StructType;
import dev.kernelalloc.testing.ChildJvm;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.util.function.LongFunction;

/**
 * Other threads reach safepoints while a bulk operation runs, in compiled code: a child compiles it
 * with C2, and counts the safepoints that begin and end within one call.
 */
class SafepointTest {

    /**
     * An operation on many bytes. It is warmed up with a few pieces, so that what runs is C2's code
     * for the very loop.
     */
    enum Bulk {
        COPY_FROM(
                bytes -> {
                    NativeArray<Element> source = NativeArray.zeroed(POOL, ELEMENT, length(bytes));
                    NativeArray<Element> target = NativeArray.zeroed(POOL, ELEMENT, length(bytes));
                    return new Work(() -> target.copyFrom(source), source, target);
                }),
        COPY_OF(
                bytes -> {
                    NativeArray<Element> source = NativeArray.zeroed(POOL, ELEMENT, length(bytes));
                    return new Work(() -> NativeArray.copyOf(POOL, source).close(), source);
                }),
        FILL(
                bytes -> {
                    NativeArray<Element> array = NativeArray.zeroed(POOL, ELEMENT, length(bytes));
                    return new Work(() -> array.fill(new Element(1)), array);
                }),
        ADD_ALL(
                bytes -> {
                    NativeArray<Element> source = NativeArray.zeroed(POOL, ELEMENT, length(bytes));
                    NativeVec<Element> vec = NativeVec.withCapacity(POOL, ELEMENT, source.length());
                    return new Work(
                            () -> {
                                vec.clear();
                                vec.addAll(source);
                            },
                            source,
                            vec);
                }),
        REMOVE_AT(
                bytes -> {
                    NativeVec<Element> vec =
                            NativeVec.from(NativeArray.zeroed(POOL, ELEMENT, length(bytes)));
                    return new Work(() -> vec.add(vec.removeAt(0)), vec);
                }),
        REALLOCATE(
                bytes -> {
                    MemorySegment[] block = {SYSTEM.allocate(bytes, 64)};
                    return new Work(
                            () -> block[0] = SYSTEM.reallocate(block[0], bytes, 64),
                            () -> SYSTEM.free(block[0]));
                }),
        STRING(
                bytes -> {
                    NativeArray<Element> source = NativeArray.zeroed(POOL, ELEMENT, length(bytes));
                    NativeString.Builder builder = NativeString.builder(POOL).reserve(bytes);
                    NativeString text = NativeString.ofUtf8(POOL, source.segment());
                    return new Work(() -> builder.truncate(0).append(text), source, builder, text);
                }),
        COMPARE(
                bytes -> {
                    NativeArray<Element> source = NativeArray.zeroed(POOL, ELEMENT, length(bytes));
                    NativeString one = NativeString.ofUtf8(POOL, source.segment());
                    NativeString other = NativeString.ofUtf8(POOL, source.segment());
                    return new Work(() -> one.compareTo(other), source, one, other);
                }),
        BOX(
                bytes -> {
                    StructType<MemorySegment> type =
                            StructType.of(
                                    MemoryLayout.sequenceLayout(bytes, ValueLayout.JAVA_BYTE));
                    NativeBox<MemorySegment> box = NativeBox.zeroed(POOL, type);
                    NativeBox<MemorySegment> other = NativeBox.zeroed(POOL, type);
                    return new Work(() -> other.set(box.get()), box, other);
                }),
        ZEROED(
                bytes -> {
                    HARDENED.free(HARDENED.allocate(bytes, 8));
                    return new Work(() -> SYSTEM.free(SYSTEM.allocateZeroed(bytes, 64)), () -> {});
                }),
        OVERWRITTEN(bytes -> new Work(() -> HARDENED.free(HARDENED.allocate(bytes, 8)), () -> {}));

        private final LongFunction<Work> work;

        Bulk(LongFunction<Work> work) {
            this.work = work;
        }

        private static long length(long bytes) {
            return bytes / ELEMENT.byteSize();
        }
    }

    private record Element(long value) {}

    private static final StructType<Element> ELEMENT =
            StructType.of(MethodHandles.lookup(), Element.class);
    private static final PoolAllocator POOL = PoolAllocator.create();
    private static final PoolAllocator SYSTEM = PoolAllocator.systemHeap();
    private static final PoolAllocator HARDENED = PoolAllocator.builder().hardened(true).build();

    private record Work(Runnable once, AutoCloseable... resources) {

        void end() throws Exception {
            for (AutoCloseable resource : resources) {
                resource.close();
            }
        }
    }

    @DisplayName("Safepoints are reached while memory is copied, filled or compared")
    @ParameterizedTest
    @EnumSource(Bulk.class)
    void bulk_ofManyPieces_letsSafepointsThrough(Bulk bulk) throws Exception {
        String output =
                ChildJvm.onModulePath()
                        .withNativeAccess()
                        .with("-XX:+UseSerialGC", "-Xmx64m")
                        .with(bulk("CompileThresholdScaling", "0.01"))
                        .with(bulk("BackgroundCompilation", "false"))
                        .outputOf(Counting.class, bulk.name());
        assertThat(output).contains("safepoints within one call: 5");
    }

    private static String bulk(String option, String value) {
        return "-XX:CompileCommand=%s,dev.kernelalloc.bulk.BulkMemory::*,%s"
                .formatted(option, value);
    }

    /**
     * In one piece at most two can be seen: that which begins within it waits for its end, and the
     * next may come before the caller says that the call is over.
     */
    static final class Counting {

        private static final int ENOUGH = 5;
        private static final int MOST_CALLS = 200;
        private static final long[] WARM_UP_BYTES = {2 << 20, 9 << 18};

        /** Until the code that the first of them have deoptimised is C2's again. */
        private static final int UNCOUNTED_CALLS = 8;

        private static final int WARM_UP_CALLS = 100;
        private static final long BYTES = 128L << 20;

        private static volatile int calls;
        private static volatile int mostWithinOne;

        private Counting() {}

        static void main(String[] arguments) throws Exception {
            Bulk bulk = Bulk.valueOf(arguments[0]);
            for (long bytes : WARM_UP_BYTES) {
                Work warmUp = bulk.work.apply(bytes);
                for (int i = 0; i < WARM_UP_CALLS; i++) {
                    warmUp.once.run();
                }
                warmUp.end();
            }
            Work work = bulk.work.apply(BYTES);
            for (int i = 0; i < UNCOUNTED_CALLS; i++) {
                work.once.run();
            }
            Thread counter = Thread.ofPlatform().daemon().start(Counting::count);
            for (int i = 0; i < MOST_CALLS && mostWithinOne < ENOUGH; i++) {
                calls++;
                work.once.run();
                calls++;
            }
            counter.interrupt();
            counter.join();
            work.end();
            IO.println("safepoints within one call: " + mostWithinOne);
        }

        /** Odd numbers of calls are those that run. */
        private static void count() {
            int within = 0;
            int call = 0;
            while (!Thread.interrupted() && mostWithinOne < ENOUGH) {
                int before = calls;
                System.gc(); // a safepoint of the whole JVM, which waits for every thread
                int after = calls;
                within = before == after && (before & 1) == 1 ? before == call ? within + 1 : 1 : 0;
                call = after;
                mostWithinOne = Math.max(mostWithinOne, within);
            }
        }
    }
}
