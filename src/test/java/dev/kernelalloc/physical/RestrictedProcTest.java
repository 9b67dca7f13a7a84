package dev.kernelalloc.physical;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.SecretMemory;
import dev.kernelalloc.testing.ChildJvm;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

/** Processes that see less of /proc than others. */
@EnabledOnOs(OS.LINUX)
class RestrictedProcTest {

    private static final int CANNOT_MOUNT = 77;

    /** What systemd gives a service with {@code ProcSubset=pid}. */
    private static final String[] WITHOUT_MEMINFO = {
        "unshare",
        "-m",
        "--propagation",
        "private",
        "sh",
        "-c",
        "mount -t proc -o subset=pid proc /proc || exit " + CANNOT_MOUNT + "; exec \"$@\"",
        "sh"
    };

    @Test
    @DisplayName("Without /proc/meminfo every kind of request is met as elsewhere")
    void procSubset_everyRequest_isMet() throws Exception {
        assertThat(without(EveryKindOfRequest.class))
                .contains("64 bytes: locked, ", "1 MiB: locked, ", "16 MiB: locked, ")
                .contains(EveryKindOfRequest.NOTHING_LEFT);
    }

    @Test
    @DisplayName("Without /proc/meminfo a secret can be made")
    void procSubset_secret_isMade() throws Exception {
        assertThat(without(MakeSecret.class)).contains("SecretMemory[2097152 bytes");
    }

    private static String without(Class<?> main) throws Exception {
        assumeTrue(
                System.getProperty("user.name").equals("root") && ChildJvm.isInstalled("unshare"),
                "skipped: needs root and unshare (util-linux)");
        ChildJvm.Result result =
                ChildJvm.onModulePath().under(WITHOUT_MEMINFO).withNativeAccess().run(main);
        assumeTrue(
                result.exitCode() != CANNOT_MOUNT,
                "skipped: this kernel, or a container, mounts no proc with subset=pid");
        assertThat(result.exitCode()).as(result.output()).isZero();
        return result.output();
    }

    static final class MakeSecret {
        private MakeSecret() {}

        static void main() {
            try (SecretMemory secret = SecretMemory.allocate(2 << 20)) {
                IO.println(secret);
            }
        }
    }
}
