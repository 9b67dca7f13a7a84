package dev.kernelalloc.process;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.struct.StructType;
import dev.kernelalloc.testing.ChildJvm;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.util.ArrayList;
import java.util.List;

/** What the first use of the library makes a JVM do: counted, as time would be the machine's. */
class FirstUseTest {

    private static final String DOWNCALL = "jdk.internal.foreign.abi.DowncallStub";

    @Test
    @DisplayName("The first blocks of a process are allocated without linking a native function")
    void firstBlocks_ofProcess_linkNoFunction() throws Exception {
        ChildJvm.Result result = run(FirstBlocks.class);
        assertThat(result.exitCode()).as(result.output()).isZero();
        assertThat(result.output()).contains("done");
        assertThat(loadedByMain(result.output(), FirstBlocks.class))
                .isNotEmpty()
                .noneMatch(line -> line.contains(DOWNCALL)); // the trim thread may have linked one
    }

    private static List<String> loadedByMain(String output, Class<?> main) {
        String thread =
                output.lines()
                        .filter(line -> line.contains(main.getName() + " "))
                        .map(line -> line.substring(0, line.indexOf(']') + 1))
                        .findFirst()
                        .orElseThrow();
        return output.lines().filter(line -> line.startsWith(thread)).toList();
    }

    @Test
    @DisplayName("A pool of its own links the three functions that it calls")
    void firstBlock_ofOwnPool_linksWhatItCalls() throws Exception {
        ChildJvm.Result result = run(FirstBlockOfOwnPool.class);
        assertThat(result.exitCode()).as(result.output()).isZero();
        assertThat(result.output())
                .contains("HeapCalls$AlignedAlloc ", "HeapCalls$Free ")
                .doesNotContain("HeapCalls$Malloc ", "HeapCalls$Calloc ", "PosixCalls$Mmap ");
    }

    @Test
    @DisplayName("What is trimmed of the first range, and grows beyond it, is as everywhere")
    void firstRange_trimmedAndOutgrown_isGivenBackAndServesOn() throws Exception {
        ChildJvm.Result result = run(OutgrowsTheFirstRange.class);
        assertThat(result.exitCode()).as(result.output()).isZero();
        assertThat(result.output())
                .contains(
                        "begun with: 524288", "alive: 0", "in ranges after trim: 0", "zeros: true");
    }

    private static ChildJvm.Result run(Class<?> main) throws InterruptedException {
        return ChildJvm.onClassPath().withNativeAccess().with("-Xlog:class+load::tid").run(main);
    }

    static final class FirstBlocks {

        private record Point(int x, int y) {}

        private FirstBlocks() {}

        public static void main(String[] arguments) {
            KernelAllocator global = KernelAllocator.global();
            global.free(global.allocate(64, 8));
            global.free(global.allocateZeroed(100, 8));
            StructType<Point> type = StructType.of(MethodHandles.lookup(), Point.class);
            try (NativeBox<Point> box = NativeBox.of(type, new Point(1, 2))) {
                box.get();
            }
            IO.println("done");
        }
    }

    static final class FirstBlockOfOwnPool {

        private FirstBlockOfOwnPool() {}

        public static void main(String[] arguments) {
            try (PoolAllocator pool = PoolAllocator.create()) {
                pool.free(pool.allocate(64, 8));
            }
        }
    }

    static final class OutgrowsTheFirstRange {

        private OutgrowsTheFirstRange() {}

        public static void main(String[] arguments) {
            PoolAllocator shared = PoolAllocator.shared();
            shared.free(shared.allocate(64, 8));
            IO.println("begun with: " + shared.charged());
            List<MemorySegment> blocks = new ArrayList<>();
            for (int i = 0; i < 4_000; i++) {
                blocks.add(shared.allocate(1_000, 8));
                blocks.getLast().fill((byte) 1);
            }
            blocks.forEach(shared::free);
            IO.println("alive: " + shared.stats().liveBlocks());
            shared.trim();
            IO.println("in ranges after trim: " + shared.charged());
            boolean zeros = true;
            for (int i = 0; i < 4_000; i++) {
                MemorySegment block = shared.allocateZeroed(1_000, 8);
                blocks.set(i, block);
                for (long at = 0; at < block.byteSize(); at += Long.BYTES) {
                    zeros &= block.get(ValueLayout.JAVA_LONG_UNALIGNED, at) == 0;
                }
            }
            blocks.forEach(shared::free);
            IO.println("zeros: " + zeros);
        }
    }
}
