package dev.kernelalloc.unloading;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.testing.ChildJvm;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** An application that has ended leaves nothing behind. */
@EnabledOnOs(OS.LINUX) // reads /proc/self/status
class UnloadingTest {

    @ParameterizedTest
    @ValueSource(strings = {"parent", "inside"})
    @DisplayName("Five applications that used everything leave no class loader and no range")
    void applications_ended_leaveNothing(String library) throws Exception {
        String output =
                ChildJvm.onClassPath()
                        .withNativeAccess()
                        .with("-Xmx256m", "-XX:+UseSerialGC")
                        // The JDK softly keeps the classes of a record whose methods it linked
                        // last.
                        .with("-XX:SoftRefLRUPolicyMSPerMB=0")
                        .under("env", "MALLOC_ARENA_MAX=1") // or glibc maps 64 MiB for a thread
                        .outputOf(Redeployment.class, library);
        assertThat(output).contains("loaders kept: 0", "library threads: none", "ranges left: 0");
    }
}
