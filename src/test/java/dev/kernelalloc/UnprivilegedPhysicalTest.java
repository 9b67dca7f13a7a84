package dev.kernelalloc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.physical.PagePolicy;
import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.physical.PhysicalRequest;
import dev.kernelalloc.testing.ChildJvm;
import dev.kernelalloc.testing.LinuxProcess;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/**
 * Every kind of request in a process without capabilities, under each limit on locked memory: met
 * or refused with its reason, and nothing left in the end.
 */
@EnabledOnOs(OS.LINUX)
class UnprivilegedPhysicalTest {

    private static final long PAGE_BYTES = 4096;

    private static ChildJvm.Result run(long limitBytes, Class<?> main) throws Exception {
        assumeTrue(ChildJvm.isInstalled("prlimit"), "skipped: needs prlimit (util-linux)");
        ChildJvm.Result result =
                ChildJvm.onModulePath()
                        .under("prlimit", "--memlock=" + limitBytes)
                        .unprivileged()
                        .withNativeAccess()
                        .run(main);
        assertThat(result.exitCode()).as(result.output()).isZero();
        assertThat(result.output())
                .contains("left: 0 blocks, 0 bytes, 0 locked, 0 pinned")
                .contains("verify: NOT_VERIFIABLE")
                .contains("window: NOT_PERMITTED", "CAP_SYS_ADMIN");
        return result;
    }

    @Test
    void withEightMebibytesAllButAddressesWorks() throws Exception {
        ChildJvm.Result result = run(8 << 20, UseAll.class);
        assertThat(result.output())
                .contains("64 bytes: locked, HIDDEN")
                .contains("1 MiB: locked, HIDDEN")
                .contains("16 MiB: LOCK_LIMIT")
                .contains("and may lock 8388608");
        assumeTrue(
                result.output().contains("huge: RESIDENT"),
                "skipped: this kernel gives no transparent huge pages");
        assertThat(result.output())
                .contains("huge: RESIDENT, LOCKED, HUGE", "contiguous: contiguous, HIDDEN");
        assumeTrue(
                result.output().contains("pinned: RESIDENT"),
                "skipped: io_uring is refused to this process");
        assertThat(result.output()).contains("pinned: RESIDENT, LOCKED, PINNED");
    }

    @Test
    void with64KibibytesSmallBlocksWork() throws Exception {
        assertThat(run(64 << 10, UseAll.class).output())
                .contains("64 bytes: locked, HIDDEN")
                .contains("1 MiB: LOCK_LIMIT")
                .contains("huge: LOCK_LIMIT")
                .contains("and may lock 65536");
    }

    @Test
    void withNothingToLockEverythingLockedIsRefusedAndTheRestWorks() throws Exception {
        assertThat(run(0, UseAll.class).output())
                .contains("64 bytes: LOCK_LIMIT")
                .contains("1 MiB: LOCK_LIMIT")
                .contains("pinned: ")
                .doesNotContain("pinned: RESIDENT")
                .contains("and may lock 0")
                .contains("resident: RESIDENT");
    }

    static final class UseAll {
        private UseAll() {}

        static void main() {
            PhysicalAllocator physical = PhysicalAllocator.create();
            List<MemorySegment> blocks = new ArrayList<>();
            tryAll(physical, blocks);
            IO.println("verify: " + physical.verify().verdict());
            blocks.forEach(physical::free);
            AllocatorStats left = physical.stats();
            physical.close();
            IO.println(
                    "left: %d blocks, %d bytes, %d locked, %d pinned"
                            .formatted(
                                    left.liveBlocks(),
                                    left.liveBytes(),
                                    LinuxProcess.lockedBytes(),
                                    LinuxProcess.pinnedBytes()));
        }

        private static void tryAll(PhysicalAllocator physical, List<MemorySegment> blocks) {
            attempt("64 bytes", () -> located(physical, keep(blocks, physical.allocate(64, 64))));
            for (long mebibytes : new long[] {1, 16}) {
                attempt(
                        mebibytes + " MiB",
                        () ->
                                located(
                                        physical,
                                        keep(blocks, physical.allocate(mebibytes << 20, 8))));
            }
            attempt(
                    "resident",
                    () ->
                            guarantees(
                                    physical,
                                    keep(
                                            blocks,
                                            request(
                                                    physical,
                                                    PhysicalRequest.ofBytes(PAGE_BYTES)
                                                            .atLeast(Guarantee.IN_MEMORY)))));
            attempt(
                    "huge",
                    () ->
                            guarantees(
                                    physical,
                                    keep(
                                            blocks,
                                            request(
                                                    physical,
                                                    PhysicalRequest.ofBytes(1)
                                                            .pages(PagePolicy.HUGE_ONLY)))));
            attempt(
                    "contiguous",
                    () -> {
                        MemorySegment block =
                                request(
                                        physical,
                                        PhysicalRequest.ofBytes(10 * PAGE_BYTES)
                                                .contiguous()
                                                .aligned(65_536));
                        return "contiguous, " + located(physical, keep(blocks, block)).substring(8);
                    });
            attempt(
                    "pinned",
                    () ->
                            guarantees(
                                    physical,
                                    keep(
                                            blocks,
                                            request(
                                                    physical,
                                                    PhysicalRequest.ofBytes(PAGE_BYTES)
                                                            .atLeast(Guarantee.NEVER_MOVED)))));
            attempt(
                    "window",
                    () ->
                            guarantees(
                                    physical,
                                    keep(
                                            blocks,
                                            request(
                                                    physical,
                                                    PhysicalRequest.ofBytes(1)
                                                            .contiguous()
                                                            .atLeast(Guarantee.IN_MEMORY)
                                                            .within(0, 1L << 40)))));
        }

        private static MemorySegment request(
                PhysicalAllocator physical, PhysicalRequest.Builder request) {
            return physical.allocate(request.build());
        }

        private static MemorySegment keep(List<MemorySegment> blocks, MemorySegment block) {
            blocks.add(block);
            return block.fill((byte) 1);
        }

        private static void attempt(String what, Supplier<String> attempt) {
            try {
                IO.println(what + ": " + attempt.get());
            } catch (AllocationException e) {
                IO.println(what + ": " + e.reason() + ", " + e.getMessage());
            }
        }

        private static String guarantees(PhysicalAllocator physical, MemorySegment block) {
            return physical.guarantee(block).stream()
                    .sorted()
                    .map(Guarantee::name)
                    .reduce((a, b) -> a + ", " + b)
                    .orElseThrow();
        }

        private static String located(PhysicalAllocator physical, MemorySegment block) {
            boolean locked = physical.guarantee(block).contains(Guarantee.LOCKED);
            try {
                return (locked ? "locked, " : "loose, ") + physical.addressOf(block);
            } catch (PhysicalAddressException e) {
                return (locked ? "locked, " : "loose, ") + e.reason();
            }
        }
    }

    // ---- rights that are given up -------------------------------------------------------------

    @Test
    void whoGivesUpItsRightsAfterwardsGoesOnSeeingFrames() throws Exception {
        assumeTrue(
                LinuxProcess.seesFrames() && System.getProperty("user.name").equals("root"),
                "skipped: needs a root that sees frames, to give that up");
        ChildJvm.Result result =
                ChildJvm.onModulePath()
                        .with("--enable-native-access=dev.kernelalloc", "-Duser.language=en")
                        .run(GiveUpRights.class);
        assertThat(result.exitCode()).as(result.output()).isZero();
        assertThat(result.output())
                .contains("before: 0x", "after: 0x", "verify: CONFIRMED")
                .contains("made afterwards: HIDDEN")
                .contains("handed in: 0x");
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
            var prctl =
                    linker.downcallHandle(
                            linker.defaultLookup().findOrThrow("prctl"),
                            FunctionDescriptor.of(
                                    ValueLayout.JAVA_INT,
                                    ValueLayout.JAVA_INT,
                                    ValueLayout.JAVA_LONG),
                            Linker.Option.firstVariadicArg(1));
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
            int dumpable = (int) prctl.invokeExact(4, 1L);
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
