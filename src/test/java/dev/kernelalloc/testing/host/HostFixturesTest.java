package dev.kernelalloc.testing.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.kernelalloc.testing.Await;
import dev.kernelalloc.testing.ChildJvm;

import org.junit.jupiter.api.Test;

import java.nio.file.Path;

/** That the tools do to this machine what they say, and undo it. */
@HostTest
class HostFixturesTest {

    @Test
    void whenTheJvmIsKilledASettingOfTheKernelIsChangedBack() throws Exception {
        Path setting = Path.of("/sys/kernel/mm/ksm/sleep_millisecs");
        String former = HostGuardian.read(setting);
        ChildJvm.Result result = HostGuardianTest.killedWhileItHolds(setting, "4321");
        assertThat(result.output()).contains("holds 4321");
        Await.until(
                setting + " is " + former + " again",
                () -> HostGuardian.read(setting).equals(former));
    }

    @Test
    void reservedHugePagesAreThereAndAreGivenBack() {
        long before = HugePages.inPool();
        try (HostGuardian guardian = HostGuardian.start()) {
            HugePages reserved = HugePages.reserve(guardian, 4);
            assertThat(HugePages.inPool()).isEqualTo(before + reserved.granted());
            long free = HugePages.free();
            try (Mapping mapping = Mapping.ofHugePages(reserved.granted())) {
                mapping.segment().fill((byte) 1);
                assertThat(HugePages.free()).isEqualTo(free - reserved.granted());
            }
            assertThat(HugePages.free()).isEqualTo(free);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> HugePages.reserve(guardian, 33))
                    .withMessageContaining("33 huge pages");
        }
        assertThat(HugePages.inPool()).isEqualTo(before);
    }

    @Test
    void hugePagesInUseAreGivenBackWhenTheyNoLongerAre() {
        long before = HugePages.inPool();
        Mapping mapping;
        try (HostGuardian guardian = HostGuardian.start()) {
            HugePages.reserve(guardian, 1);
            mapping = Mapping.ofHugePages(1);
        }
        mapping.close();
        assertThat(HugePages.inPool()).isEqualTo(before);
    }

    @Test
    void aProcessThatOutgrowsItsCageIsKilledAloneAndTheCageGoes() throws Exception {
        MemoryCage cage;
        try (HostGuardian guardian = HostGuardian.start()) {
            cage = MemoryCage.make(guardian, 256L << 20);
            ChildJvm.Result fits = inside(cage, 16L << 20);
            assertThat(fits.output()).contains("populated 16777216 bytes");
            assertThat(fits.exitCode()).isZero();
            assertThat(cage.kills()).isZero();

            ChildJvm.Result tooLarge = inside(cage, 512L << 20);
            assertThat(tooLarge.exitCode()).isEqualTo(128 + 9);
            assertThat(tooLarge.output()).doesNotContain("populated");
            assertThat(cage.kills()).isOne();
            assertThat(cage.peakBytes()).isBetween(16L << 20, 256L << 20);
        }
        assertThat(cage.directory()).doesNotExist();
    }

    @Test
    void whatIsStillInACageAtTheEndIsKilled() throws Exception {
        Process victim;
        MemoryCage cage;
        try (HostGuardian guardian = HostGuardian.start()) {
            cage = MemoryCage.make(guardian, 64L << 20);
            victim = new ProcessBuilder(cage.prefixed("cat")).start();
            Await.until("it is inside", () -> cage.contains(victim.pid()));
        }
        assertThat(victim.waitFor()).isEqualTo(128 + 9);
        assertThat(cage.directory()).doesNotExist();
    }

    private static ChildJvm.Result inside(MemoryCage cage, long bytes) throws Exception {
        return ChildJvm.onModulePath()
                .under(cage.prefix())
                .withNativeAccess()
                .with("-Xmx32m", "-XX:+UseSerialGC")
                .run(Populate.class, "" + bytes);
    }

    static final class Populate {
        private Populate() {}

        static void main(String[] bytes) {
            try (Mapping mapping = Mapping.of(Long.parseLong(bytes[0]))) {
                IO.println("populated " + mapping.bytes() + " bytes");
            }
        }
    }
}
