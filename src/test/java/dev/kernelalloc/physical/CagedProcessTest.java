package dev.kernelalloc.physical;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.SecretMemory;
import dev.kernelalloc.testing.Await;
import dev.kernelalloc.testing.ChildJvm;
import dev.kernelalloc.testing.LinuxProcess;
import dev.kernelalloc.testing.ProcessSettings;
import dev.kernelalloc.testing.host.HostGuardian;
import dev.kernelalloc.testing.host.HostTest;
import dev.kernelalloc.testing.host.MemoryCage;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** What the kernel would answer with SIGKILL is an exception, and the process goes on. */
@HostTest
class CagedProcessTest {

    private static final long CAGE_BYTES = 256L << 20;
    private static final long TOO_MANY_BYTES = 2 * CAGE_BYTES;

    /** How more is asked for than the cage allows. */
    enum Way {
        ONE_BLOCK,
        MANY_BLOCKS,
        ONE_SECRET,
        MANY_SECRETS,
        PINNED,
        HUGE,
        CONTIGUOUS,
        REGIONS_OF_THE_KERNEL
    }

    @ParameterizedTest
    @EnumSource
    void moreThanACageAllowsIsRefused(Way way) throws Exception {
        assertThat(inCage(AskForTooMuch.class, way.name()))
                .contains("OUT_OF_MEMORY", "and goes on", "left: 0 locked, 0 kept from children")
                .containsPattern(
                        switch (way) {
                            case PINNED -> "the first from base pages";
                            case HUGE, CONTIGUOUS -> "the first from .*(huge|MiB) pages";
                            case REGIONS_OF_THE_KERNEL -> "the first from a kernel region";
                            case ONE_BLOCK, MANY_BLOCKS -> "physical' could not provide";
                            case ONE_SECRET, MANY_SECRETS -> "bytes of secret memory";
                        });
    }

    @Test
    void everyKindOfRequestIsMetOrRefusedInACage() throws Exception {
        assertThat(inCage(EveryKindOfRequest.class))
                .contains("64 bytes: locked, ", EveryKindOfRequest.NOTHING_LEFT);
    }

    /** In a namespace of its own, which ends with the process. */
    private static final String[] BESIDE_A_LATIN_1_MOUNT = {
        "unshare",
        "-m",
        "--propagation",
        "private",
        "sh",
        "-c",
        """
        d=$(mktemp -d) && m="$d/$(printf 'caf\\351')" && mkdir "$m" && mount -t tmpfs none "$m" \\
            || exit 1
        "$@"; r=$?
        umount "$m"; rmdir "$m" "$d"; exit $r
        """,
        "sh"
    };

    @Test
    @DisplayName("A mount whose name is not UTF-8 hides no limit of a control group")
    void mount_inLatin1_hidesNoLimit() throws Exception {
        assertThat(inCage(BESIDE_A_LATIN_1_MOUNT, AskForTooMuch.class, Way.ONE_BLOCK.name()))
                .contains("OUT_OF_MEMORY", "the control group", "and goes on");
    }

    private static String inCage(Class<?> main, String... arguments) throws Exception {
        return inCage(new String[0], main, arguments);
    }

    private static String inCage(String[] under, Class<?> main, String... arguments)
            throws Exception {
        try (HostGuardian guardian = HostGuardian.start()) {
            MemoryCage cage = MemoryCage.make(guardian, CAGE_BYTES);
            ChildJvm.Result result =
                    ChildJvm.onModulePath()
                            .under(cage.prefix())
                            .under(under)
                            .withNativeAccess()
                            .with("-Xmx32m", "-XX:+UseSerialGC")
                            .run(main, arguments);
            assertThat(result.exitCode()).as(result.output()).isZero();
            assertThat(cage.kills()).isZero();
            return result.output();
        }
    }

    static final class AskForTooMuch {

        private static final long PART_BYTES = 1L << 20;

        private AskForTooMuch() {}

        private static PhysicalRequest.Builder part() {
            return PhysicalRequest.ofBytes(PART_BYTES);
        }

        private static void takeTooMany(
                PhysicalAllocator physical, PhysicalRequest part, List<MemorySegment> blocks) {
            for (long done = 0; done < TOO_MANY_BYTES; done += PART_BYTES) {
                blocks.add(physical.allocate(part));
                if (blocks.size() == 1) {
                    IO.println(
                            "the first from " + physical.provenance(blocks.getFirst()).backing());
                }
            }
        }

        /** A worker of the kernel frees a region some time after its io_uring was closed. */
        private static boolean isServed(PhysicalAllocator physical) {
            Optional<MemorySegment> block = physical.tryAllocate(4096, 4096);
            block.ifPresent(physical::free);
            return block.isPresent();
        }

        static void main(String[] way) {
            List<SecretMemory> secrets = new ArrayList<>();
            List<MemorySegment> blocks = new ArrayList<>();
            try (PhysicalAllocator physical = PhysicalAllocator.create()) {
                try {
                    switch (Way.valueOf(way[0])) {
                        case ONE_BLOCK -> blocks.add(physical.allocate(TOO_MANY_BYTES, 4096));
                        case MANY_BLOCKS -> {
                            for (long done = 0; done < TOO_MANY_BYTES; done += PART_BYTES) {
                                blocks.add(physical.allocate(PART_BYTES, 4096));
                            }
                        }
                        case PINNED ->
                                takeTooMany(
                                        physical,
                                        part().atLeast(Guarantee.NEVER_MOVED).build(),
                                        blocks);
                        case HUGE ->
                                takeTooMany(
                                        physical,
                                        part().pages(PagePolicy.HUGE_ONLY).build(),
                                        blocks);
                        case CONTIGUOUS ->
                                takeTooMany(physical, part().contiguous().build(), blocks);
                        case REGIONS_OF_THE_KERNEL -> {
                            ProcessSettings.forbidHugePages();
                            takeTooMany(physical, part().contiguous().build(), blocks);
                        }
                        case ONE_SECRET -> secrets.add(SecretMemory.allocate(TOO_MANY_BYTES));
                        case MANY_SECRETS -> {
                            for (long done = 0; done < TOO_MANY_BYTES; done += PART_BYTES) {
                                secrets.add(SecretMemory.allocate(PART_BYTES));
                            }
                        }
                    }
                    IO.println("not refused");
                } catch (AllocationException e) {
                    IO.println(e.reason() + ": " + e.getMessage());
                }
                blocks.forEach(physical::free);
                secrets.forEach(SecretMemory::close);
                if (Way.valueOf(way[0]) == Way.REGIONS_OF_THE_KERNEL) {
                    Await.until("the kernel has freed its regions", () -> isServed(physical));
                }
                physical.free(physical.allocate(4096, 4096));
                IO.println("and goes on");
            }
            IO.println(
                    "left: %d locked, %d kept from children"
                            .formatted(
                                    LinuxProcess.lockedBytes(),
                                    LinuxProcess.bytesKeptFromChildren()));
        }
    }
}
