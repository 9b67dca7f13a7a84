package dev.kernelalloc.physical;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.testing.ChildJvm;
import dev.kernelalloc.testing.LinuxProcess;
import dev.kernelalloc.testing.PageMoves;
import dev.kernelalloc.testing.ProcessSettings;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Every kind of request in a process without capabilities, under each limit on locked memory: met
 * or refused with its reason, and nothing left in the end.
 */
@EnabledOnOs(OS.LINUX)
class UnprivilegedPhysicalTest {

    private static final long PAGE_BYTES = 4096;

    private static ChildJvm.Result run(long limitBytes, String... arguments) throws Exception {
        assumeTrue(ChildJvm.isInstalled("prlimit"), "skipped: needs prlimit (util-linux)");
        ChildJvm.Result result =
                ChildJvm.onModulePath()
                        .under("prlimit", "--memlock=" + limitBytes)
                        .unprivileged()
                        .withNativeAccess()
                        .run(EveryKindOfRequest.class, arguments);
        assertThat(result.exitCode()).as(result.output()).isZero();
        assertThat(result.output().lines())
                .as("a refusal names each way once")
                .allMatch(line -> line.split("transparent huge pages: ").length <= 2)
                .allMatch(line -> line.split("; base pages: ").length <= 2);
        assertThat(result.output())
                .contains(EveryKindOfRequest.NOTHING_LEFT)
                .contains("verify: NOT_VERIFIABLE")
                .contains("window: NOT_PERMITTED", "CAP_SYS_ADMIN");
        return result;
    }

    @Test
    void withEightMebibytesAllButAddressesWorks() throws Exception {
        ChildJvm.Result result = run(8 << 20);
        assertThat(result.output())
                .contains("64 bytes: locked, HIDDEN")
                .contains("1 MiB: locked, HIDDEN")
                .contains("16 MiB: LOCK_LIMIT")
                .contains("and may lock 8388608");
        assumeTrue(
                result.output().contains("huge: RESIDENT"),
                "skipped: this kernel gives no transparent huge pages");
        assertThat(result.output())
                .contains("huge: RESIDENT, LOCKED, HUGE by ", "contiguous: locked, HIDDEN");
        assumeTrue(
                result.output().contains("pinned: RESIDENT"),
                "skipped: io_uring is refused to this process");
        assertThat(result.output()).contains("pinned: RESIDENT, LOCKED, PINNED");
    }

    /**
     * Pages of the pool are not swapped and count in no limit: whoever reserves some, gives some.
     */
    @Test
    void with64KibibytesSmallBlocksWork() throws Exception {
        assertThat(run(64 << 10).output())
                .contains("64 bytes: locked, HIDDEN")
                .contains("1 MiB: LOCK_LIMIT")
                .containsPattern("huge: (LOCK_LIMIT|RESIDENT, LOCKED, HUGE by the pool)")
                .containsPattern("contiguous: (LOCK_LIMIT|locked, HIDDEN)")
                .contains("and may lock 65536");
    }

    @Test
    void withoutHugePagesContiguityCannotBeProvenAndTheRestWorks() throws Exception {
        ChildJvm.Result result = run(8 << 20, EveryKindOfRequest.WITHOUT_HUGE_PAGES);
        assumeTrue(
                result.output().contains("huge pages are off"),
                "skipped: this kernel forbids a process no huge pages");
        assumeTrue(
                !result.output().contains("by the pool"),
                "skipped: huge pages are reserved on this machine");
        assertThat(result.output())
                .contains("64 bytes: locked, HIDDEN")
                .contains("1 MiB: locked, HIDDEN")
                .containsPattern("huge: (FRAGMENTED|NOT_SUPPORTED)")
                .contains("contiguous: NOT_PERMITTED", "one page: locked, HIDDEN")
                .contains("guarded: RESIDENT, LOCKED by base pages");
    }

    @Test
    void withNothingToLockEverythingLockedIsRefusedAndTheRestWorks() throws Exception {
        assertThat(run(0).output())
                .contains("64 bytes: LOCK_LIMIT")
                .contains("1 MiB: LOCK_LIMIT")
                .contains("pinned: ")
                .doesNotContain("pinned: RESIDENT")
                .contains("and may lock 0")
                .contains("resident: RESIDENT");
    }

    // ---- rights that are given up -------------------------------------------------------------

    @Test
    void whoGivesUpItsRightsAfterwardsGoesOnSeeingFrames() throws Throwable {
        PageMoves.unlessMoved(
                () -> {
                    assumeTrue(
                            LinuxProcess.seesFrames()
                                    && System.getProperty("user.name").equals("root"),
                            "skipped: needs a root that sees frames, to give that up");
                    ChildJvm.Result result =
                            ChildJvm.onModulePath()
                                    .with(
                                            "--enable-native-access=dev.kernelalloc",
                                            "-Duser.language=en")
                                    .run(GiveUpRights.class);
                    assertThat(result.exitCode()).as(result.output()).isZero();
                    assertThat(result.output())
                            .contains("before: 0x", "after: 0x", "verify: CONFIRMED")
                            .contains("made afterwards: HIDDEN")
                            .contains("handed in: 0x");
                });
    }

    /** Changes the user id of every thread, as setuid(2) of the C library does. */
    static final class GiveUpRights {
        private GiveUpRights() {}

        @SuppressWarnings("restricted")
        static void main() throws Throwable {
            Linker linker = Linker.nativeLinker();
            var setuid =
                    linker.downcallHandle(
                            linker.defaultLookup().findOrThrow("setuid"),
                            FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));
            var open =
                    linker.downcallHandle(
                            linker.defaultLookup().findOrThrow("open"),
                            FunctionDescriptor.of(
                                    ValueLayout.JAVA_INT,
                                    ValueLayout.ADDRESS,
                                    ValueLayout.JAVA_INT),
                            Linker.Option.firstVariadicArg(2));
            int file;
            try (Arena arena = Arena.ofConfined()) {
                file = (int) open.invokeExact(arena.allocateFrom("/proc/self/pagemap"), 0);
            }
            PhysicalAllocator physical = PhysicalAllocator.create();
            MemorySegment early = physical.allocate(64, 64);
            IO.println("before: " + physical.addressOf(early));
            int done = (int) setuid.invokeExact(65534);
            boolean dumpable = ProcessSettings.allowDumps();
            IO.println("setuid " + done + ", dumpable " + dumpable);
            MemorySegment late = physical.allocate(PAGE_BYTES * 20, 64);
            IO.println("after: " + physical.addressOf(late));
            IO.println("verify: " + physical.verify().verdict());
            PhysicalAllocator afterwards = PhysicalAllocator.create();
            MemorySegment hidden = afterwards.allocate(64, 64);
            try {
                IO.println("made afterwards: " + afterwards.addressOf(hidden));
            } catch (PhysicalAddressException e) {
                IO.println("made afterwards: " + e.reason());
            }
            PhysicalAllocator handedIn = PhysicalAllocator.builder().pageMap(file).build();
            MemorySegment seen = handedIn.allocate(64, 64);
            IO.println("handed in: " + handedIn.addressOf(seen));
        }
    }
}
