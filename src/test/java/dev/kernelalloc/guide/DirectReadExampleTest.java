package dev.kernelalloc.guide;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.struct.ExampleHeaders;
import dev.kernelalloc.testing.ChildJvm;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

import java.util.List;
import java.util.Map;

/** Direct reads by the real io_uring, where this system has it. */
@EnabledOnOs(OS.LINUX)
class DirectReadExampleTest {

    private static final ExampleHeaders HEADERS =
            new ExampleHeaders(
                    "DirectRead",
                    List.of(
                            "linux/io_uring.h",
                            "sys/mman.h",
                            "sys/syscall.h",
                            "sys/uio.h",
                            "fcntl.h",
                            "errno.h"));

    @Test
    void bothWaysGiveWhatWasWritten() throws Exception {
        readsTheSame(ChildJvm.onClassPath());
    }

    @Test
    void bothWaysGiveWhatWasWrittenWithoutRights() throws Exception {
        readsTheSame(ChildJvm.onClassPath().unprivileged());
    }

    @Test
    void whereNothingMayBeLockedItSaysSo() throws Exception {
        assumeTrue(ChildJvm.isInstalled("prlimit"), "skipped: needs prlimit (util-linux)");
        String output = run(ChildJvm.onClassPath().under("prlimit", "--memlock=0").unprivileged());
        assertThat(output)
                .contains("ordinary reads")
                .contains("No direct read here: ")
                .containsIgnoringCase("ulimit -l");
    }

    @Test
    void itsStructsAreTheHeaders() throws Exception {
        HEADERS.compareStructs(
                Map.of(
                        "PARAMS", "struct io_uring_params",
                        "SQE", "struct io_uring_sqe",
                        "CQE", "struct io_uring_cqe",
                        "IOVEC", "struct iovec"),
                List.of());
    }

    @Test
    void itsConstantsAreTheHeaders() throws Exception {
        HEADERS.compareConstants("Uring");
    }

    private static void readsTheSame(ChildJvm jvm) throws InterruptedException {
        String output = run(jvm);
        assumeTrue(!output.contains("No direct read here"), () -> "skipped: " + output);
        assertThat(output)
                .containsPattern("ordinary reads +32 MiB in +\\d+ ms, +\\d+ MB/s")
                .containsPattern("direct reads +32 MiB in +\\d+ ms, +\\d+ MB/s")
                .contains("Both gave what was written.");
    }

    private static String run(ChildJvm jvm) throws InterruptedException {
        ChildJvm.Result result = jvm.withNativeAccess().runSource("examples/DirectRead.java");
        assertThat(result.exitCode()).as(result.output()).isZero();
        assertThat(result.output()).doesNotContainIgnoringCase("warning");
        return result.output();
    }
}
