package dev.kernelalloc.guide;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.testing.ChildJvm;
import dev.kernelalloc.testing.LinuxProcess;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

/** The examples, run as the README says, with rights and without. */
@EnabledOnOs(OS.LINUX)
class ExamplesTest {

    private static final String VMX = "examples/Vmx.java";

    @Test
    void firstSteps_withoutRights_printsTheLockedBox() throws Exception {
        assertThat(run("examples/FirstSteps.java", ChildJvm.onClassPath().unprivileged()))
                .matches(
                        "NativeBox\\[Point\\[x=3, y=4], at 0x\\p{XDigit}+, 8 bytes, resident and"
                                + " locked]\\s+");
    }

    @Test
    void vmxShowsWhereItsMemoryLies() throws Exception {
        assumeTrue(
                LinuxProcess.seesFrames(),
                "skipped: frame numbers are hidden, this process lacks CAP_SYS_ADMIN");
        String output = run(VMX, ChildJvm.onClassPath());
        assertThat(output)
                .containsPattern("Vmxon +0x[0-9a-f]{16} +0x[0-9a-f]{13}000 +base +yes +same frame")
                .contains("locked, mapped once")
                .containsPattern("HostStack +0x[0-9a-f]{16} +- +- +no")
                .contains("revisionId=42")
                .containsPattern("Physical addresses are (a guest|the machine)'s");
    }

    @Test
    void vmxSaysWhatIsMissingWithoutRights() throws Exception {
        assertThat(run(VMX, ChildJvm.onClassPath().unprivileged()))
                .containsPattern("Vmxon +0x[0-9a-f]{16} +hidden +- +yes")
                .contains("revisionId=42")
                .contains("CAP_SYS_ADMIN");
    }

    private static String run(String program, ChildJvm jvm) throws InterruptedException {
        ChildJvm.Result result = jvm.withNativeAccess().runSource(program);
        assertThat(result.exitCode()).as(result.output()).isZero();
        assertThat(result.output()).doesNotContainIgnoringCase("warning");
        return result.output();
    }
}
