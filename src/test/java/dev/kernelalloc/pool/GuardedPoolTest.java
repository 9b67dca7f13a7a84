package dev.kernelalloc.pool;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.PackageAccess;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.heap.GuardedChunks;
import dev.kernelalloc.testing.CFunctions;
import dev.kernelalloc.testing.ChildJvm;

import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import java.lang.foreign.MemorySegment;

/**
 * Every block before an inaccessible page: that these tests pass shows that nothing in the library
 * writes behind a block.
 */
class GuardedPoolTest extends AllocatorContract {

    @Override
    protected KernelAllocator make() {
        return PackageAccess.build(PoolAllocator.builder(), new GuardedChunks());
    }

    @ParameterizedTest
    @CsvSource({"8, 8", "100, 4", "4096, 4096", "70000, 8", "65536, 65536", "20000000, 8"})
    @EnabledOnOs(value = OS.LINUX, disabledReason = "skipped: looks for the words of Linux")
    void codeInCThatWritesBehindABlockEndsTheProcess(long bytes, long alignment) throws Exception {
        ChildJvm.Result result = overrun(bytes, alignment, 1);
        assertThat(result.output()).contains("up to the end: fine").contains("SIGSEGV");
        assertThat(result.output()).doesNotContain("behind the end: fine");
        assertThat(result.exitCode()).isNotZero();
        assertThat(overrun(bytes, alignment, 0).output()).contains("behind the end: fine");
    }

    private static ChildJvm.Result overrun(long bytes, long alignment, int by) throws Exception {
        return ChildJvm.onModulePath()
                .withNativeAccess()
                .with("-XX:-CreateCoredumpOnCrash")
                .run(Overrun.class, "" + bytes, "" + alignment, "" + by);
    }

    static final class Overrun {
        private Overrun() {}

        static void main(String[] arguments) {
            try (PoolAllocator pool =
                    PackageAccess.build(PoolAllocator.builder(), new GuardedChunks())) {
                MemorySegment block =
                        pool.allocate(Long.parseLong(arguments[0]), Long.parseLong(arguments[1]));
                long usable = pool.usableSize(block);
                CFunctions.memset(block, -1, usable);
                IO.println("up to the end: fine");
                CFunctions.memset(block, -1, usable + Long.parseLong(arguments[2]));
                IO.println("behind the end: fine");
                pool.free(block);
            }
        }
    }
}
