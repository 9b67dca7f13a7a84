package dev.kernelalloc.guide;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.struct.ExampleHeaders;
import dev.kernelalloc.testing.ChildJvm;
import dev.kernelalloc.testing.LinuxProcess;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** A real guest on the real /dev/kvm. */
@EnabledOnOs(value = OS.LINUX, architectures = "amd64")
class GuestExampleTest {

    private static final Path KVM = Path.of("/dev/kvm");
    private static final ExampleHeaders HEADERS =
            new ExampleHeaders("Guest", List.of("linux/kvm.h", "sys/mman.h", "fcntl.h", "errno.h"));

    @Test
    void theGuestAddsAndPrints() throws Exception {
        assumeTrue(Files.exists(KVM), "skipped: there is no /dev/kvm");
        assumeTrue(
                Files.isReadable(KVM) && Files.isWritable(KVM),
                "skipped: this user must not open /dev/kvm");
        String output = run(ChildJvm.onClassPath());
        assertThat(output)
                .contains("The guest's memory: 64 KiB at 0x")
                .contains("real mode, and adds 2 and 5")
                .containsPattern("(?m)^The guest prints: 7$");
        if (LinuxProcess.seesFrames()) {
            assertThat(kibibytesOfExtents(output)).isEqualTo(64);
        } else {
            assertThat(output).contains("CAP_SYS_ADMIN");
        }
    }

    @Test
    void aUserWithoutRightsIsToldWhatToDo() throws Exception {
        assumeTrue(Files.exists(KVM), "skipped: there is no /dev/kvm");
        String output = run(ChildJvm.onClassPath().unprivileged());
        assertThat(output)
                .satisfiesAnyOf(
                        refused -> assertThat(refused).contains("usermod -aG kvm"),
                        allowed ->
                                assertThat(allowed)
                                        .contains("CAP_SYS_ADMIN")
                                        .contains("The guest prints: 7"));
    }

    @Test
    void whereThereIsNoDeviceItSaysSo() throws Exception {
        assumeTrue(!Files.exists(KVM), "skipped: there is a /dev/kvm");
        assertThat(run(ChildJvm.onClassPath())).contains("There is no /dev/kvm here");
    }

    @Test
    void itsStructsAreTheHeaders() throws Exception {
        HEADERS.compareStructs(
                Map.of(
                        "MEMORY_REGION", "struct kvm_userspace_memory_region",
                        "REGS", "struct kvm_regs",
                        "SREGS", "struct kvm_sregs",
                        "RUN", "struct kvm_run"),
                List.of("exit"));
    }

    @Test
    void itsConstantsAreTheHeaders() throws Exception {
        HEADERS.compareConstants("Kvm");
    }

    private static long kibibytesOfExtents(String output) {
        return output.lines()
                .filter(line -> line.matches(" +physical 0x[0-9a-f]{13}000, +[0-9]+ KiB"))
                .mapToLong(line -> Long.parseLong(line.replaceAll(".*, +| KiB", "")))
                .sum();
    }

    private static String run(ChildJvm jvm) throws InterruptedException {
        ChildJvm.Result result = jvm.withNativeAccess().runSource("examples/Guest.java");
        assertThat(result.exitCode()).as(result.output()).isZero();
        assertThat(result.output()).doesNotContainIgnoringCase("warning");
        return result.output();
    }
}
