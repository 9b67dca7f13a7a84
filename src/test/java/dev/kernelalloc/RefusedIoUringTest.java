package dev.kernelalloc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.testing.ChildJvm;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A process that may not use io_uring, as in a container: a filter of system calls (seccomp)
 * refuses it. Pins are refused with the reason, and everything else goes on.
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
                execv(arguments[1], arguments + 1);
                perror(arguments[1]);
                return 1;
            }
            """;

    private static final int NO_SECCOMP = 77;

    @Test
    void pinsAreRefusedWithTheReasonAndLocksAreGiven(@TempDir Path directory) throws Exception {
        ChildJvm.Result result =
                ChildJvm.onModulePath()
                        .under(launcher(directory).toString())
                        .withNativeAccess()
                        .run(EveryKindOfRequest.class);
        assumeTrue(result.exitCode() != NO_SECCOMP, "skipped: " + result.output());
        assertThat(result.exitCode()).as(result.output()).isZero();
        assertThat(result.output())
                .containsPattern("pinned: NOT_PERMITTED, .*io_uring.*EPERM")
                .contains("seccomp", "ask for LOCKED alone if that will do")
                .contains("64 bytes: locked, ", "guarded: RESIDENT, LOCKED")
                .containsPattern("16 MiB: (locked, |LOCK_LIMIT, .*may lock \\d+ .*CAP_IPC_LOCK)")
                .contains("contiguous: locked, ")
                .contains(EveryKindOfRequest.NOTHING_LEFT);
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
