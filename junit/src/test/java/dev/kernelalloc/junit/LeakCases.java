package dev.kernelalloc.junit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.assumeTrue;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.LiveBlocksException;
import dev.kernelalloc.NativeString;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.Tracking;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.RepetitionInfo;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.TestInfo;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** Classes of tests, some of which fail; {@link KernelAllocatorExtensionTest} runs them. */
final class LeakCases {

    private LeakCases() {}

    @ExtendWith(KernelAllocatorExtension.class)
    static class Clean {

        private final KernelAllocator ofConstructor;
        @AutoClose private final Arena closedByJUnit;
        private MemorySegment block;

        Clean(KernelAllocator allocator) {
            ofConstructor = allocator;
            closedByJUnit = allocator.arena();
        }

        @BeforeEach
        void allocate(PoolAllocator allocator) {
            block = allocator.allocate(64, 8);
        }

        @AfterEach
        void free(PoolAllocator allocator) {
            allocator.free(block);
        }

        @Test
        void sharesOneAllocator(KernelAllocator any, PoolAllocator pool) {
            assertSame(any, pool);
            assertSame(ofConstructor, pool);
            assertEquals(Tracking.ALL, pool.tracking());
        }

        @ParameterizedTest
        @ValueSource(longs = {0, 1, 4096})
        void takesArgumentsBeside(long bytes, PoolAllocator pool) {
            pool.free(pool.allocate(bytes, 8));
        }

        @Test
        void locksMemory(PhysicalAllocator physical) {
            physical.free(physical.allocate(64, 64));
        }
    }

    @ExtendWith(KernelAllocatorExtension.class)
    static class Closing {

        @Test
        void closesItself(PoolAllocator allocator) {
            allocator.free(allocator.allocate(8, 8));
            allocator.close();
        }

        @Test
        void closesAndLeaks(PoolAllocator allocator) {
            allocator.allocate(8, 8);
            assertThrows(LiveBlocksException.class, allocator::close);
        }

        @Test
        void leavesChildOpen(PoolAllocator allocator) {
            allocator.child("query", 1 << 20);
        }
    }

    /** One instance for all tests, whose allocator is that of the class. */
    @ExtendWith(KernelAllocatorExtension.class)
    @TestInstance(TestInstance.Lifecycle.PER_CLASS)
    static class PerClass {

        private final PoolAllocator ofConstructor;
        private final MemorySegment block;

        PerClass(PoolAllocator allocator) {
            ofConstructor = allocator;
            block = allocator.allocate(8, 8);
        }

        @Test
        void hasItsOwn(PoolAllocator allocator) {
            assertNotSame(ofConstructor, allocator);
        }

        @Test
        void leaksInPerClass(PoolAllocator allocator) {
            allocator.allocate(8, 8);
        }

        @Nested
        class Inner {

            @Test
            void leaksInInner(PoolAllocator allocator) {
                allocator.allocate(8, 8);
            }
        }

        @AfterAll
        void free(PoolAllocator allocator) {
            assertSame(ofConstructor, allocator);
            allocator.free(block);
        }
    }

    /** Tests at the same time, each with its own allocator, every other one of which leaks. */
    @ExtendWith(KernelAllocatorExtension.class)
    @Execution(ExecutionMode.CONCURRENT)
    static class Parallel {

        @RepeatedTest(100)
        void leaksEverySecondTime(RepetitionInfo repetition, PoolAllocator allocator) {
            MemorySegment block = allocator.allocate(8, 8);
            assertEquals(1, allocator.stats().liveBlocks());
            if (repetition.getCurrentRepetition() % 2 == 0) {
                allocator.free(block);
            }
        }
    }

    @ExtendWith(KernelAllocatorExtension.class)
    static class OfClass {

        private static PoolAllocator ofClass;

        @BeforeAll
        static void keep(PoolAllocator allocator) {
            ofClass = allocator;
        }

        @Test
        void hasItsOwn(PoolAllocator allocator) {
            assertNotSame(ofClass, allocator);
        }
    }

    @ExtendWith(KernelAllocatorExtension.class)
    static class LeakingClass {

        @BeforeAll
        static void leak(PoolAllocator allocator) {
            allocator.allocate(48, 8);
        }

        @Test
        void isClean(PoolAllocator allocator) {
            allocator.free(allocator.allocate(8, 8));
        }
    }

    @ExtendWith(KernelAllocatorExtension.class)
    static class Leaking {

        @Test
        void leaksBlock(PoolAllocator allocator) {
            allocator.allocate(48, 8);
        }

        @Test
        void leaksString(PoolAllocator allocator) {
            NativeString.of(allocator, "never closed");
        }

        @Test
        void leaksArena(KernelAllocator allocator) {
            allocator.arena().allocate(100);
        }

        @Test
        void leaksLockedBlock(PhysicalAllocator allocator) {
            allocator.allocate(48, 8);
        }

        @Test
        void failsAndLeaks(PoolAllocator allocator) {
            allocator.allocate(48, 8);
            fail("its own failure");
        }
    }

    /** Fails in its constructor, with a block in hand. */
    @ExtendWith(KernelAllocatorExtension.class)
    static class FailingConstructor {

        FailingConstructor(PoolAllocator allocator) {
            allocator.allocate(48, 8);
            fail("in the constructor");
        }

        @Test
        void isNotRun() {}
    }

    /** Fails or is aborted before its tests, with a block in hand. */
    @ExtendWith(KernelAllocatorExtension.class)
    static class FailingBefore {

        @BeforeEach
        void allocate(PoolAllocator allocator, TestInfo test) {
            allocator.allocate(48, 8);
            assumeTrue(test.getDisplayName().startsWith("fails"), "aborted");
            fail("before the test");
        }

        @Test
        void failsBefore() {}

        @Test
        void isAborted() {}
    }

    @ExtendWith(KernelAllocatorExtension.class)
    static class Unusual {

        @Test
        void leaksInAThread(PoolAllocator allocator) throws InterruptedException {
            Thread thread = new Thread(() -> allocator.allocate(48, 8));
            thread.start();
            thread.join();
        }

        @TestFactory
        Stream<DynamicTest> leaksDynamically(PoolAllocator allocator) {
            return Stream.of(dynamicTest("first", () -> allocator.allocate(48, 8)));
        }

        @ParameterizedTest(name = "{0}")
        @MethodSource("names")
        void takesAnyName(String name, PoolAllocator allocator) {
            allocator.free(allocator.allocate(name.length(), 8));
        }

        static List<String> names() {
            return List.of("x".repeat(10_000), "a % b: {0}\n\u0000\ud800");
        }
    }

    static class Dropping {

        private static final CountDownLatch FOUND = new CountDownLatch(1);

        @RegisterExtension
        static final KernelAllocatorExtension MEMORY =
                new KernelAllocatorExtension().pool(pool -> pool.onLeak(_ -> FOUND.countDown()));

        @Test
        void dropsString(PoolAllocator allocator) throws InterruptedException {
            NativeString.of(allocator, "never closed");
            for (int i = 0; i < 600 && FOUND.getCount() != 0; i++) {
                System.gc();
                FOUND.await(100, TimeUnit.MILLISECONDS);
            }
            assertEquals(0, FOUND.getCount());
        }
    }

    static class Limited {

        @RegisterExtension
        static final KernelAllocatorExtension MEMORY =
                new KernelAllocatorExtension()
                        .pool(pool -> pool.limit(1 << 20).tracking(Tracking.OFF))
                        .physical(physical -> physical.limit(2 << 20));

        @Test
        void hasLimits(PoolAllocator pool, PhysicalAllocator physical) {
            assertEquals(1 << 20, pool.limit());
            assertEquals(2 << 20, physical.limit());
            assertEquals(Tracking.ALL, pool.tracking());
        }
    }

    @ExtendWith(KernelAllocatorExtension.class)
    static class OfOtherType {

        @Test
        void isNotResolved(String text) {
            fail(text);
        }
    }
}
