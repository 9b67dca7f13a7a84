package dev.kernelalloc.physical;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.testing.Await;
import dev.kernelalloc.testing.CFunctions;
import dev.kernelalloc.testing.ChildJvm;
import dev.kernelalloc.testing.LinuxProcess;
import dev.kernelalloc.testing.host.HostGuardian;
import dev.kernelalloc.testing.host.HostTest;
import dev.kernelalloc.testing.host.HugePages;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

import java.io.FileInputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * A process that may not use io_uring, as in a container: a filter of system calls (seccomp)
 * refuses it. AF_XDP pins in its place; without the right to that either, pins are refused with the
 * reasons, and everything else works.
 */
@EnabledOnOs(OS.LINUX)
class RefusedIoUringTest {

    /** Runs a command whose io_uring_setup(2) fails with EPERM, as containerd has it. */
    private static final String LAUNCHER =
            """
            #include <errno.h>
            #include <linux/filter.h>
            #include <linux/seccomp.h>
            #include <stddef.h>
            #include <stdio.h>
            #include <sys/prctl.h>
            #include <unistd.h>

            #define IO_URING_SETUP 425

            int main(int count, char **arguments) {
                struct sock_filter code[] = {
                    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IO_URING_SETUP, 0, 1),
                    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
                    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
                };
                struct sock_fprog filter = {sizeof code / sizeof *code, code};
                if (count < 2 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
                    || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
                    perror("seccomp");
                    return 77;
                }
                execvp(arguments[1], arguments + 1);
                perror(arguments[1]);
                return 1;
            }
            """;

    private static final int NO_SECCOMP = 77;

    @Test
    @DisplayName("Without io_uring and CAP_NET_RAW, pins are refused with both reasons")
    void pinned_withoutIoUringAndRawSockets_isRefused(@TempDir Path directory) throws Exception {
        ChildJvm.Result result =
                ChildJvm.onModulePath()
                        .under(launcher(directory).toString())
                        .unprivileged()
                        .withNativeAccess()
                        .run(EveryKindOfRequest.class);
        assumeTrue(result.exitCode() != NO_SECCOMP, "skipped: " + result.output());
        assertThat(result.exitCode()).as(result.output()).isZero();
        assertThat(result.output())
                .containsPattern("pinned: NOT_PERMITTED, .*io_uring.*EPERM.*AF_XDP.*EPERM")
                .contains("seccomp", "CAP_NET_RAW", "ask for LOCKED alone if that will do")
                .contains("64 bytes: locked, ", "guarded: RESIDENT, LOCKED")
                .containsPattern("16 MiB: (locked, |LOCK_LIMIT, .*may lock \\d+ .*CAP_IPC_LOCK)")
                .contains("contiguous: locked, ")
                .contains(EveryKindOfRequest.NOTHING_LEFT);
    }

    @Test
    @DisplayName("Without io_uring, a process with CAP_NET_RAW pins by AF_XDP, and pages stay")
    void pinned_withoutIoUring_isByAfXdp(@TempDir Path directory) throws Exception {
        assumeTrue(LinuxProcess.seesFrames(), "skipped: frames are hidden from this process");
        ChildJvm.Result result =
                ChildJvm.onModulePath()
                        .under(launcher(directory).toString())
                        .withNativeAccess()
                        .run(PinByXdp.class);
        assumeTrue(result.exitCode() != NO_SECCOMP, "skipped: " + result.output());
        assertThat(result.exitCode()).as(result.output()).isZero();
        assumeTrue(!result.output().contains("AF_XDP socket: E"), "skipped: " + result.output());
        assertThat(result.output())
                .contains("pinned by AF_XDP, 1 socket")
                .containsPattern("collapsed: pinned -1, CONFIRMED, locked (-1|0, DRIFTED)")
                .contains("closed: BROKEN [PINNED]")
                .contains("freed: 0 sockets")
                .contains("after a stranger took the descriptor: it is still open");
    }

    @Test
    @DisplayName("A slab that is pinned by AF_XDP during an audit is not called unpinned")
    void verify_whileSlabsArePinnedByAfXdp_noFalseAlarm(@TempDir Path directory) throws Exception {
        assertThat(withAfXdp(directory, AuditRace.class, "PINNED")).contains("broken audits: 0");
    }

    @Test
    @DisplayName("A pin that is ending in the background is no reason to refuse another")
    void pinned_afterAnEndedPin_isNotRefused(@TempDir Path directory) throws Exception {
        assumeTrue(ChildJvm.isInstalled("setpriv"), "skipped: needs setpriv (util-linux)");
        ChildJvm child =
                ChildJvm.onModulePath()
                        .under("setpriv", "--inh-caps=-ipc_lock", "--bounding-set=-ipc_lock");
        assertThat(withAfXdp(child, directory, PinAgain.class)).contains("pinned 100 times");
    }

    @HostTest
    @Test
    @DisplayName("Pages of the pool that AF_XDP still holds are waited for, and come back")
    void pinned_poolPagesOfAnEndedPin_areTakenAgain(@TempDir Path directory) throws Exception {
        try (HostGuardian guardian = HostGuardian.start()) {
            HugePages reserved = HugePages.reserve(guardian, 8);
            long free = HugePages.free();
            String taken = Long.toString(reserved.granted());
            assertThat(withAfXdp(directory, TakeThePool.class, taken))
                    .contains("50 times the pool of 2 MiB pages, pinned by AF_XDP, CONFIRMED");
            Await.until("the pool has its pages back", () -> HugePages.free() == free);
        }
    }

    @Test
    @DisplayName("Missing descriptors are out of memory with a remedy, not a missing permission")
    void pinned_withoutDescriptors_namesTheLimit(@TempDir Path directory) throws Exception {
        assertThat(withAfXdp(directory, PinByXdp.class, "few descriptors"))
                .containsPattern("OUT_OF_MEMORY .*ulimit -n.*io_uring");
    }

    private static String withAfXdp(Path directory, Class<?> program, String... arguments)
            throws Exception {
        return withAfXdp(ChildJvm.onModulePath(), directory, program, arguments);
    }

    private static String withAfXdp(
            ChildJvm child, Path directory, Class<?> program, String... arguments)
            throws Exception {
        ChildJvm.Result result =
                child.under(launcher(directory).toString())
                        .withNativeAccess()
                        .run(program, arguments);
        assumeTrue(result.exitCode() != NO_SECCOMP, "skipped: " + result.output());
        assertThat(result.exitCode()).as(result.output()).isZero();
        assumeTrue(!result.output().contains("AF_XDP socket: E"), "skipped: " + result.output());
        return result.output();
    }

    /** Pins and frees more than half of what a user may pin, again and again. */
    static final class PinAgain {

        private PinAgain() {}

        static void main() {
            PhysicalRequest request =
                    PhysicalRequest.ofBytes(5 << 20).atLeast(Guarantee.NEVER_MOVED).build();
            int pinned = 0;
            try (PhysicalAllocator physical = PhysicalAllocator.create()) {
                for (; pinned < 100; pinned++) {
                    physical.free(physical.allocate(request));
                }
            } catch (AllocationException e) {
                IO.println(e.reason() + " " + e.getMessage());
            }
            IO.println("pinned " + pinned + " times");
        }
    }

    /** Takes, pins and frees all pages of the pool, again and again. */
    static final class TakeThePool {

        private TakeThePool() {}

        static void main(String[] pages) {
            PhysicalRequest request =
                    PhysicalRequest.ofBytes(Long.parseLong(pages[0]) * PinByXdp.HUGE_BYTES)
                            .pages(PagePolicy.HUGE_2M)
                            .atLeast(Guarantee.NEVER_MOVED)
                            .build();
            Map<String, Integer> outcomes = new TreeMap<>();
            try (PhysicalAllocator physical = PhysicalAllocator.create()) {
                for (int i = 0; i < 50; i++) {
                    MemorySegment block = physical.allocate(request);
                    Provenance provenance = physical.provenance(block);
                    String outcome =
                            "%s, pinned by %s, %s"
                                    .formatted(
                                            provenance.backing() == Backing.POOL_2M
                                                    ? "the pool of 2 MiB pages"
                                                    : provenance,
                                            provenance.pin().orElseThrow().name(),
                                            physical.verify(block).verdict());
                    outcomes.merge(outcome, 1, Integer::sum);
                    physical.free(block);
                }
            } catch (AllocationException e) {
                IO.println(e.reason() + " " + e.getMessage());
            }
            outcomes.forEach((outcome, times) -> IO.println(times + " times " + outcome));
        }
    }

    /** Pins pages, and lets code of the process do to them what it could. */
    @SuppressWarnings("restricted")
    static final class PinByXdp {

        private static final long HUGE_BYTES = 2L << 20;
        private static final int MADV_HUGEPAGE = 14;
        private static final int MADV_COLLAPSE = 25;
        private static final int RLIMIT_NOFILE = 7;
        private static final long FEW = 300;

        private final PhysicalAllocator physical = PhysicalAllocator.create();

        private PinByXdp() {}

        static void main(String[] fewDescriptors) throws Throwable {
            if (fewDescriptors.length == 0) {
                new PinByXdp().run();
            } else {
                exhaustDescriptors();
            }
        }

        private static void exhaustDescriptors() throws Throwable {
            MemorySegment limits = Arena.global().allocate(ValueLayout.JAVA_LONG, 2);
            limits.fill((byte) 0).setAtIndex(ValueLayout.JAVA_LONG, 0, FEW);
            limits.setAtIndex(ValueLayout.JAVA_LONG, 1, FEW);
            CFunctions.call("setrlimit", RLIMIT_NOFILE, limits.address());
            PhysicalRequest request =
                    PhysicalRequest.ofBytes(4096).atLeast(Guarantee.NEVER_MOVED).build();
            PhysicalAllocator physical = PhysicalAllocator.create();
            try {
                for (int i = 0; i < FEW; i++) {
                    MemorySegment _ = physical.allocate(request);
                }
            } catch (AllocationException e) {
                IO.println(e.reason() + " " + e.getMessage());
            }
        }

        private void run() throws Throwable {
            MemorySegment pinned;
            try {
                pinned = physical.allocate(request().atLeast(Guarantee.NEVER_MOVED).build());
            } catch (AllocationException e) {
                IO.println(e.getMessage());
                return;
            }
            PinMethod method = physical.provenance(pinned).pin().orElseThrow();
            IO.println("pinned by %s, %d socket".formatted(method.name(), sockets().size()));
            MemorySegment locked = physical.allocate(request().build());
            String ofPinned = collapse(pinned) + ", " + physical.verify(pinned).verdict();
            int ofLocked = collapse(locked);
            IO.println(
                    "collapsed: pinned %s, locked %s"
                            .formatted(
                                    ofPinned,
                                    ofLocked == 0
                                            ? "0, " + physical.verify(locked).verdict()
                                            : "-1"));
            physical.free(locked);
            int socket = sockets().getFirst();
            CFunctions.call("close", socket);
            Verification found = physical.verify(pinned);
            List<Guarantee> lost = found.lost().stream().map(LostGuarantee::guarantee).toList();
            IO.println("closed: " + found.verdict() + " " + lost);
            try (FileInputStream stranger = new FileInputStream("/dev/zero")) {
                physical.free(pinned);
                physical.trim();
                boolean open = stranger.read() == 0;
                IO.println(
                        "after a stranger took the descriptor: it is "
                                + (open ? "still open" : "closed"));
            }
            physical.free(physical.allocate(request().atLeast(Guarantee.NEVER_MOVED).build()));
            physical.trim();
            IO.println("freed: " + sockets().size() + " sockets");
            physical.close();
        }

        private static PhysicalRequest.Builder request() {
            return PhysicalRequest.ofBytes(HUGE_BYTES).pages(PagePolicy.BASE);
        }

        private static int collapse(MemorySegment block) throws Throwable {
            CFunctions.call("madvise", block.address(), HUGE_BYTES, MADV_HUGEPAGE);
            return CFunctions.call("madvise", block.address(), HUGE_BYTES, MADV_COLLAPSE);
        }

        private static List<Integer> sockets() throws IOException {
            List<Integer> sockets = new ArrayList<>();
            try (DirectoryStream<Path> files = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
                for (Path file : files) {
                    if (Files.isSymbolicLink(file)
                            && Files.readSymbolicLink(file).toString().startsWith("socket:")) {
                        sockets.add(Integer.valueOf(file.getFileName().toString()));
                    }
                }
            }
            return sockets;
        }
    }

    private static Path launcher(Path directory) throws Exception {
        assumeTrue(ChildJvm.isInstalled("cc"), "skipped: no C compiler (cc) on PATH");
        Path source = Files.writeString(directory.resolve("launcher.c"), LAUNCHER);
        Path launcher = directory.resolve("launcher");
        Process compiler =
                new ProcessBuilder("cc", "-Wall", "-o", launcher.toString(), source.toString())
                        .redirectErrorStream(true)
                        .start();
        String messages = new String(compiler.getInputStream().readAllBytes());
        assertThat(compiler.waitFor()).as(messages).isZero();
        return launcher;
    }
}
