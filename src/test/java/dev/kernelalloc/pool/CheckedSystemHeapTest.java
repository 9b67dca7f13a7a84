package dev.kernelalloc.pool;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.testing.CFunctions;
import dev.kernelalloc.testing.ChildJvm;
import dev.kernelalloc.testing.LinuxProcess;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/**
 * The system heap under the checks of glibc, mallopt(3), M_CHECK_ACTION and M_PERTURB: what is
 * freed wrongly, or was written behind its end, ends the process. {@code mvn -B test
 * -Pchecked-heap} runs all tests so.
 */
@EnabledOnOs(value = OS.LINUX, disabledReason = "skipped: the checks are those of glibc")
class CheckedSystemHeapTest {

    @TempDir private static Path directory;

    @Test
    void everyWayToUseTheSystemHeapPassesTheChecks() throws Exception {
        ChildJvm.Result result = checked(UseAll.class);
        assertThat(result.exitCode()).as(result.output()).isZero();
        assertThat(result.output()).contains("all freed: 0 blocks");
    }

    @Test
    void theChecksFindAByteBehindTheEnd() throws Exception {
        ChildJvm.Result result = checked(Overrun.class);
        assertThat(result.exitCode()).as(result.output()).isNotZero();
        assertThat(result.output()).contains("overrun").doesNotContain("not noticed");
    }

    /** Else the profile would be green with no check at all. */
    @Test
    void withTheProfileTheChecksStandInTheProcessOfTheTests() {
        assumeTrue(
                System.getenv("MALLOC_CHECK_") != null, "skipped: runs with -Pchecked-heap alone");
        assertThat(LinuxProcess.hasLoaded("libc_malloc_debug.so")).isTrue();
        assertThat(LinuxProcess.hasLoaded("libvisible.so")).isTrue();
    }

    /** As a program in C uses its heap, whoever stands in for malloc. */
    @ParameterizedTest
    @ValueSource(strings = {"libjemalloc.so.2", "libmimalloc.so.2", "libtcmalloc_minimal.so.4"})
    void theSystemHeapIsTheOneThatAPreloadedLibraryReplaces(String library) throws Exception {
        ChildJvm.Result result = over(UseAll.class, library);
        assertThat(result.exitCode()).as(result.output()).isZero();
        assertThat(result.output()).contains("all freed: 0 blocks");
    }

    private static ChildJvm.Result checked(Class<?> main) throws Exception {
        return over(main, preloaded(), "MALLOC_CHECK_=3", "MALLOC_PERTURB_=165");
    }

    private static ChildJvm.Result over(Class<?> main, String preloaded, String... settings)
            throws Exception {
        ChildJvm.Result result =
                ChildJvm.onModulePath()
                        .withNativeAccess()
                        .with("-XX:-CreateCoredumpOnCrash")
                        .under("env", "LD_PRELOAD=" + preloaded)
                        .under(settings)
                        .run(main);
        assumeFalse(
                result.output().contains("cannot be preloaded"),
                () -> "skipped: not installed: " + preloaded);
        return result;
    }

    /** The checking heap, made visible by a library that is compiled for it. */
    private static String preloaded() throws Exception {
        assumeTrue(ChildJvm.isInstalled("cc"), "skipped: needs a C compiler, cc");
        Path build =
                Path.of(System.getProperty("project.basedir"), "src/test/c/checked-heap/build");
        Process process =
                new ProcessBuilder(build.toString(), directory.toString())
                        .redirectError(ProcessBuilder.Redirect.INHERIT)
                        .start();
        String printed = new String(process.getInputStream().readAllBytes()).strip();
        assertThat(process.waitFor()).isZero();
        return printed;
    }

    static final class UseAll {
        private UseAll() {}

        static void main() {
            PoolAllocator heap = PoolAllocator.systemHeap();
            for (int size = 0; size < 3000; size += 7) {
                for (long alignment = 1; alignment <= 8192; alignment *= 4) {
                    MemorySegment block = filled(heap.allocate(size, alignment));
                    MemorySegment zeroed = filled(heap.allocateZeroed(size, alignment));
                    block = filled(heap.reallocate(block, 2 * size, 1));
                    block = filled(heap.reallocate(block, size / 2, alignment));
                    heap.free(zeroed);
                    heap.free(block);
                }
            }
            try (Arena arena = heap.arena()) {
                for (int size = 0; size < 3000; size += 7) {
                    filled(arena.allocate(size, 64));
                }
            }
            MemorySegment text = heap.allocateFrom("to C and back");
            MemorySegment copy = CFunctions.strdup(text);
            heap.free(heap.adopt(CFunctions.withSize(copy, text.byteSize())));
            heap.disown(text);
            CFunctions.free(text);
            IO.println("all freed: %d blocks".formatted(heap.stats().liveBlocks()));
        }

        private static MemorySegment filled(MemorySegment block) {
            return block.fill((byte) -1);
        }
    }

    static final class Overrun {
        private Overrun() {}

        static void main() {
            PoolAllocator heap = PoolAllocator.systemHeap();
            MemorySegment block = heap.allocate(100, 4);
            IO.println("overrun");
            CFunctions.memset(block, -1, 101);
            heap.free(block);
            IO.println("not noticed");
        }
    }
}
