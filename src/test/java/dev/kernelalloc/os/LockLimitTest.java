package dev.kernelalloc.os;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.testing.ChildJvm;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Without the capability that lifts the limit, in a child of another user. */
@EnabledOnOs(OS.LINUX)
class LockLimitTest {

    @BeforeEach
    void needsAToolToSetTheLimit() {
        assumeTrue(ChildJvm.isInstalled("prlimit"), "skipped: needs prlimit (util-linux)");
    }

    private static ChildJvm child(long lockLimitBytes) {
        return ChildJvm.onModulePath()
                .under("prlimit", "--memlock=" + lockLimitBytes)
                .unprivileged()
                .withNativeAccess();
    }

    @Test
    void lockingBeyondTheLimitNamesTheNumbersAndTheRemedies() throws Exception {
        ChildJvm.Result result = child(65536).run(LockTwice.class);

        assertThat(result.exitCode()).as(result.output()).isZero();
        assertThat(result.output())
                .contains(
                        "LockBudget[lockedBytes=0, softLimitBytes=65536, hardLimitBytes=65536,"
                                + " exempt=false]")
                .contains("locked 32768, remaining 32768")
                .contains("LockLimit: locking 65536 bytes at 0x", "ENOMEM (12)")
                .contains("has locked 32768 bytes and may lock 65536 (hard limit 65536)")
                .contains("ulimit -l", "LimitMEMLOCK=", "--ulimit memlock", "CAP_IPC_LOCK")
                .contains("locked 32768 after");
    }

    @Test
    void aLimitOfNothingIsTheSameRefusal() throws Exception {
        ChildJvm.Result result = child(0).run(LockTwice.class);

        assertThat(result.exitCode()).as(result.output()).isOne();
        assertThat(result.output())
                .contains(
                        "LockLimit: locking 32768 bytes", "EPERM (1)", "may lock 0 (hard limit 0)");
    }

    @Test
    void theCapabilityLiftsTheLimit() throws Exception {
        ChildJvm.Result result =
                ChildJvm.onModulePath()
                        .under("prlimit", "--memlock=65536")
                        .withNativeAccess()
                        .run(LockTwice.class);

        assumeTrue(result.output().contains("exempt=true"), "these tests run without CAP_IPC_LOCK");
        assertThat(result.output()).contains("locked 98304 after").doesNotContain("LockLimit");
    }

    @Test
    void theCapabilityOfAnotherUserNamespaceLiftsNothing() throws Exception {
        assumeTrue(ChildJvm.isInstalled("unshare"), "needs unshare (util-linux)");
        ChildJvm.Result result =
                ChildJvm.onModulePath()
                        .under("prlimit", "--memlock=65536", "unshare", "--user", "--map-root-user")
                        .withNativeAccess()
                        .run(LockTwice.class);

        assumeTrue(!result.output().startsWith("unshare:"), "user namespaces are forbidden here");
        assertThat(result.output())
                .contains("exempt=false", "has locked 32768 bytes and may lock 65536");
    }

    @Test
    void frameFlagsAndCountsAreForRoot() throws Exception {
        ChildJvm.Result result = child(65536).run(ReadFrames.class);

        assertThat(result.exitCode()).as(result.output()).isZero();
        assertThat(result.output())
                .contains("NotPermitted: opening /proc/kpageflags: EACCES (13)")
                .contains("NotPermitted: opening /proc/kpagecount: EACCES (13)")
                .contains("run as user 0");
    }

    static final class LockTwice {

        private LockTwice() {}

        public static void main(String[] arguments) throws Refusal {
            OperatingSystem system = Platform.current();
            MemorySegment callState = Arena.global().allocate(CallState.LAYOUT);
            System.out.println(system.lockBudget());
            long address = system.reserve(1 << 17, system.pageBytes(), callState);
            system.commit(address, 1 << 17, callState);
            system.lock(address, 1 << 15, callState);
            OperatingSystem.LockBudget budget = system.lockBudget();
            System.out.println(
                    "locked " + budget.lockedBytes() + ", remaining " + budget.remainingBytes());
            try {
                system.lock(address + (1 << 16), 1 << 16, callState);
            } catch (Refusal.LockLimit refusal) {
                System.out.println(refusal);
            }
            System.out.println("locked " + system.lockBudget().lockedBytes() + " after");
        }
    }

    static final class ReadFrames {

        private ReadFrames() {}

        public static void main(String[] arguments) throws Refusal {
            OperatingSystem system = Platform.current();
            MemorySegment callState = Arena.global().allocate(CallState.LAYOUT);
            MemorySegment entry = Arena.global().allocate(8, 8);
            try {
                system.readFrameFlags(1, entry, callState);
            } catch (Refusal.NotPermitted refusal) {
                System.out.println(refusal);
            }
            try {
                system.readFrameCounts(1, entry, callState);
            } catch (Refusal.NotPermitted refusal) {
                System.out.println(refusal);
            }
        }
    }
}
