package dev.kernelalloc.secret;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.SecretMemory;
import dev.kernelalloc.physical.ForkBehaviour;
import dev.kernelalloc.testing.CFunctions;
import dev.kernelalloc.testing.ChildJvm;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** What only a process of its own can show: its end, its core dump, its limits. */
@EnabledOnOs(OS.LINUX)
class SecretMemoryProcessTest {

    // ---- guards -------------------------------------------------------------------------------

    @ParameterizedTest
    @ValueSource(strings = {"behind", "before", "after noAccess", "into readOnly"})
    void nativeCodeThatGoesTooFarEndsTheProcess(String where) throws Exception {
        ChildJvm.Result result =
                ChildJvm.onModulePath()
                        .withNativeAccess()
                        .with("-XX:-CreateCoredumpOnCrash", "-XX:ErrorFile=/dev/null")
                        .run(GoTooFar.class, where);
        assertThat(result.output()).contains("going too far", "SIGSEGV").doesNotContain("survived");
        assertThat(result.exitCode()).isNotZero();
    }

    static final class GoTooFar {
        private GoTooFar() {}

        static void main(String[] where) {
            SecretMemory memory = SecretMemory.allocate(32);
            MemorySegment block = memory.readWrite();
            long end = block.address() + block.byteSize();
            long address =
                    switch (where[0]) {
                        case "behind" -> end;
                        case "before" -> end - 4096 - 1;
                        default -> block.address();
                    };
            switch (where[0]) {
                case "after noAccess" -> memory.noAccess();
                case "into readOnly" -> memory.readOnly();
                default -> {}
            }
            IO.println("going too far");
            CFunctions.memset(MemorySegment.ofAddress(address), 1, 1);
            IO.println("survived");
        }
    }

    // ---- core dumps ---------------------------------------------------------------------------

    /** Secrets as they are not to be found in any string or class. */
    private static final String ORDINARY = "ordinary-7d1c0f";

    private static final String SECRET = "secret-93ab5e";

    @ParameterizedTest
    @ValueSource(strings = {"ABSENT", "WIPED"})
    void aCoreDumpHoldsOrdinaryMemoryAndNoSecret(String onFork) throws Exception {
        String pattern = Files.readString(Path.of("/proc/sys/kernel/core_pattern")).strip();
        assumeTrue(
                pattern.startsWith("core"),
                "skipped: core dumps go elsewhere, kernel.core_pattern=" + pattern);
        String script =
                """
                ulimit -c unlimited && "$@"
                echo "core files: $(ls | grep -c ^core)"
                for text in %s %s; do echo "$text found: $(grep -a -c $text core*)"; done
                """
                        .formatted(ORDINARY, SECRET);
        ChildJvm.Result result =
                ChildJvm.onModulePath()
                        .under("sh", "-c", script, "sh")
                        .withNativeAccess()
                        .with("-Xmx16m", "-XX:+UseSerialGC")
                        .run(DumpCore.class, onFork);
        assumeTrue(
                result.output().contains("core files: 1"),
                () -> "skipped: no core dump is written here: " + result.output());
        assertThat(result.output())
                .contains(SECRET + " found: 0")
                .containsPattern(ORDINARY + " found: [1-9]");
    }

    static final class DumpCore {
        private DumpCore() {}

        static void main(String[] onFork) throws Exception {
            MemorySegment ordinary = Arena.global().allocate(64);
            write("nseho`sx,6e0b1g", ordinary);
            SecretMemory memory =
                    SecretMemory.builder().onFork(ForkBehaviour.valueOf(onFork[0])).allocate(64);
            write("rdbsdu,82`c4d", memory.readWrite());
            new ProcessBuilder("kill", "-ABRT", "" + ProcessHandle.current().pid())
                    .start()
                    .waitFor();
            Thread.currentThread().join();
        }

        /** Each character is one bit away from the one that is written. */
        private static void write(String disguised, MemorySegment to) {
            for (int i = 0; i < disguised.length(); i++) {
                to.set(ValueLayout.JAVA_BYTE, i, (byte) (disguised.charAt(i) ^ 1));
            }
        }
    }

    // ---- limits -------------------------------------------------------------------------------

    @Test
    void withNothingToLockItIsAnExplainedException() throws Exception {
        String output = limitedTo(0).outputOf(FillTheLimit.class, "ABSENT");
        assertThat(output)
                .contains("0 secrets, then LOCK_LIMIT: 32 bytes of secret memory: ")
                .contains("may lock 0 (hard limit 0)")
                .contains("ulimit -l", "LimitMEMLOCK=", "--ulimit memlock", "CAP_IPC_LOCK")
                .contains("locked at the end: 0 kB");
    }

    @ParameterizedTest
    @ValueSource(strings = {"ABSENT", "WIPED"})
    void upToTheLimitItWorksAndBeyondItNothingIsLost(String onFork) throws Exception {
        String output = limitedTo(64 << 10).outputOf(FillTheLimit.class, onFork);
        assertThat(output)
                .contains("16 secrets, then LOCK_LIMIT: 32 bytes of secret memory: ")
                .contains("has locked 65536 bytes and may lock 65536 (hard limit 65536)")
                .contains("one closed, one more works")
                .contains("locked at the end: 0 kB");
    }

    private static ChildJvm limitedTo(long bytes) {
        assumeTrue(ChildJvm.isInstalled("prlimit"), "skipped: needs prlimit (util-linux)");
        return ChildJvm.onModulePath()
                .under("prlimit", "--memlock=" + bytes)
                .unprivileged()
                .withNativeAccess();
    }

    static final class FillTheLimit {
        private FillTheLimit() {}

        static void main(String[] onFork) throws IOException {
            SecretMemory.Builder builder =
                    SecretMemory.builder().onFork(ForkBehaviour.valueOf(onFork[0]));
            List<SecretMemory> secrets = new ArrayList<>();
            try {
                while (true) {
                    secrets.add(builder.allocate(32));
                }
            } catch (AllocationException e) {
                IO.println(
                        "%d secrets, then %s: %s"
                                .formatted(secrets.size(), e.reason(), e.getMessage()));
            }
            if (!secrets.isEmpty()) {
                secrets.removeLast().close();
                secrets.add(builder.allocate(32));
                IO.println("one closed, one more works");
            }
            secrets.forEach(SecretMemory::close);
            Files.lines(Path.of("/proc/self/status"))
                    .filter(line -> line.startsWith("VmLck:"))
                    .forEach(line -> IO.println("locked at the end: " + line.split("\\s+", 2)[1]));
        }
    }
}
