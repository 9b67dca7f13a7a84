package dev.kernelalloc.os;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kernelalloc.os.KernelFiles.Content;
import dev.kernelalloc.os.OperatingSystem.MemoryGroup;
import dev.kernelalloc.testing.ChildJvm;

import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.lifecycle.AddLifecycleHook;
import net.jqwik.api.lifecycle.LifecycleContext;
import net.jqwik.api.lifecycle.SkipExecutionHook;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;

/** The one reader of /proc and /sys, and who reads through it, on files that hold anything. */
@EnabledOnOs(OS.LINUX)
class KernelFilesTest {

    private static final String MOUNT = "30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";

    @TempDir private Path directory;

    private void write(String file, String latin1) throws IOException {
        write(directory, file, latin1.getBytes(StandardCharsets.ISO_8859_1));
    }

    private static void write(Path root, String file, byte[] content) throws IOException {
        Path path = root.resolve(file);
        Files.createDirectories(path.getParent());
        Files.write(path, content);
    }

    private KernelFiles files() {
        return KernelFiles.below(directory);
    }

    // ---- contents -----------------------------------------------------------------------------

    @Test
    @DisplayName("A file is read whole, byte by byte, and line by line")
    void read_anyBytes_areChars() throws IOException {
        byte[] bytes = new byte[100_000];
        new Random(1).nextBytes(bytes);
        write(directory, "proc/file", bytes);
        Content content = files().read("/proc/file");
        assertThat(content.text().getBytes(StandardCharsets.ISO_8859_1)).isEqualTo(bytes);
        StringBuilder lines = new StringBuilder();
        files().lines("/proc/file", line -> lines.append(line).append('\n'));
        assertThat(lines.toString().strip()).isEqualTo(content.text().strip());
    }

    @Test
    @DisplayName("What is not there, or is a directory, is not read, and says why")
    void read_missing_isAbsent() throws IOException {
        Files.createDirectories(directory.resolve("proc/self"));
        assertThat(files().read("/proc/none").isAbsent()).isTrue();
        assertThat(files().read("/proc/none").failure()).isEqualTo("ENOENT (2)");
        assertThat(files().read("/proc/self").isRead()).isFalse();
        assertThat(files().read("/proc/self").isTemporary()).isFalse();
    }

    @Test
    @DisplayName("A file without an end is read up to a bound")
    void read_endless_ends() throws IOException {
        Files.createDirectories(directory.resolve("proc"));
        Files.createSymbolicLink(directory.resolve("proc/zero"), Path.of("/dev/zero"));
        assertThat(files().read("/proc/zero").text()).hasSize(KernelFiles.MOST_BYTES);
        assertThat(files().lines("/proc/zero", line -> {}).isRead()).isTrue();
    }

    @ParameterizedTest
    @CsvSource({
        "7, 7",
        "' 12 ', 12",
        "9223372036854775807, 9223372036854775807",
        "9223372036854775808, 9223372036854775807",
        "18446744073709551615, 9223372036854775807",
        "99999999999999999999999999, 9223372036854775807",
        "0000000000000000000000000000000001, 1"
    })
    @DisplayName("Numbers of any length are read, and those beyond a long as the largest one")
    void number_digits_saturates(String text, long number) {
        assertThat(KernelFiles.number(text)).hasValue(number);
        assertThat(KernelFiles.kibibytes(text + " kB"))
                .hasValue(number > Long.MAX_VALUE >> 10 ? Long.MAX_VALUE : number << 10);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "max", "-1", "+1", "1.5", "0x10", "1e3", "٣", "1 2", "kB"})
    @DisplayName("What is no number is none")
    void number_other_isEmpty(String text) {
        assertThat(KernelFiles.number(text)).isEmpty();
    }

    @Test
    @DisplayName("An interrupted call is made again, and a shortage is told apart from absence")
    void read_errors_areToldApart() throws IOException {
        write("proc/file", "12\n");
        for (int errno : new int[] {Linux.EMFILE, Linux.ENFILE, Linux.EAGAIN, Posix.ENOMEM}) {
            Content content = new KernelFiles(new Failing(errno, 0), files().root()).read("/x");
            assertThat(content.isTemporary()).isTrue();
            assertThat(content.isAbsent()).isFalse();
        }
        Content content =
                new KernelFiles(new Failing(0, Linux.EINTR), files().root()).read("/proc/file");
        assertThat(content.number()).hasValue(12);
    }

    /** Opening fails, or the first reading. */
    private static final class Failing implements LinuxCalls {

        private final int opening;
        private int reading;

        Failing(int opening, int reading) {
            this.opening = opening;
            this.reading = reading;
        }

        @Override
        public int open(MemorySegment path, int flags, MemorySegment callState) {
            return opening == 0
                    ? LinuxCalls.super.open(path, flags, callState)
                    : failed(callState, opening);
        }

        @Override
        public long pread(
                int file,
                MemorySegment buffer,
                long bytes,
                long position,
                MemorySegment callState) {
            if (reading == 0) {
                return LinuxCalls.super.pread(file, buffer, bytes, position, callState);
            }
            int errno = reading;
            reading = 0;
            return failed(callState, errno);
        }

        private static int failed(MemorySegment callState, int errno) {
            CallState.LAYOUT
                    .varHandle(java.lang.foreign.MemoryLayout.PathElement.groupElement("errno"))
                    .set(callState, 0L, errno);
            return -1;
        }
    }

    // ---- control groups -----------------------------------------------------------------------

    private List<MemoryGroup> groups() throws Refusal {
        return groups(files());
    }

    private static List<MemoryGroup> groups(KernelFiles files) throws Refusal {
        return new MemoryGroups(files).read(Long.MAX_VALUE);
    }

    @Test
    @DisplayName("A process that is moved to another group has that one's limit at once")
    void memoryGroups_processMoved_areTheNewOnes() throws Exception {
        write("proc/self/cgroup", "0::/a\n");
        write("proc/self/mountinfo", MOUNT);
        write("sys/fs/cgroup/a/memory.max", "1000\n");
        write("sys/fs/cgroup/b/memory.max", "2000\n");
        MemoryGroups groups = new MemoryGroups(files());
        assertThat(groups.read(0).getFirst().limitBytes()).isEqualTo(1000);
        write("sys/fs/cgroup/a/memory.max", "1500\n");
        assertThat(groups.read(0).getFirst().limitBytes()).isEqualTo(1500);
        write("proc/self/cgroup", "0::/b\n");
        assertThat(groups.read(0).getFirst().limitBytes()).isEqualTo(2000);
    }

    @Test
    @DisplayName("What could be reclaimed is counted only where it matters")
    void memoryGroups_enoughLeft_reclaimableIsNotRead() throws Exception {
        write("proc/self/cgroup", "0::/a\n");
        write("proc/self/mountinfo", MOUNT);
        write("sys/fs/cgroup/a/memory.max", "1000\n");
        write("sys/fs/cgroup/a/memory.current", "600\n");
        write("sys/fs/cgroup/a/memory.stat", "inactive_file 100\nactive_file 50\n");
        MemoryGroups groups = new MemoryGroups(files());
        assertThat(groups.read(400).getFirst().availableBytes()).isEqualTo(400);
        assertThat(groups.read(401).getFirst().availableBytes()).isEqualTo(550);
    }

    @Test
    @DisplayName("A record is read whole, whether it fits one call or not")
    void readRecord_ofAnyLength_isTheWholeFile() throws Exception {
        for (int length : new int[] {0, 1, 4095, 4096, 4097, 100_000}) {
            write("record", "x".repeat(length));
            assertThat(files().readRecord("/record").text()).hasSize(length);
        }
        assertThat(files().readRecord("/nothing").isAbsent()).isTrue();
    }

    @Test
    @DisplayName("A mount whose name is not UTF-8 hides no limit")
    void memoryGroups_latin1Mount_areRead() throws Exception {
        write("proc/self/cgroup", "0::/a\n");
        write("proc/self/mountinfo", "29 1 0:9 / /tmp/caf\u00e9 rw - tmpfs none rw\n" + MOUNT);
        write("sys/fs/cgroup/a/memory.max", "1000\n");
        assertThat(groups())
                .hasSize(1)
                .first()
                .extracting(MemoryGroup::limitBytes)
                .isEqualTo(1000L);
    }

    @Test
    @DisplayName("A control group and a mount point may have any name")
    void memoryGroups_namesOfAnyBytes_areRead() throws Exception {
        String name = "p\u00f6d \u20ac\n\t".replace("\n", "");
        Path mount = directory.resolve("mnt/my groups");
        Path group = Files.createDirectories(mount.resolve(name));
        Files.writeString(group.resolve("memory.max"), "1000\n");
        write(
                directory,
                "proc/self/cgroup",
                ("0::/" + name + "\n").getBytes(StandardCharsets.UTF_8));
        write("proc/self/mountinfo", "30 1 0:26 / /mnt/my\\040groups rw - cgroup2 cgroup2 rw\n");
        assertThat(groups())
                .hasSize(1)
                .first()
                .extracting(MemoryGroup::limitBytes)
                .isEqualTo(1000L);
        assertThat(groups().getFirst().name()).contains("my groups/p\u00f6d \u20ac\\x09");
    }

    @Test
    @DisplayName("In the C locale as well, out of every allocation")
    void memoryGroups_cLocale_areRead() throws Exception {
        Path group = Files.createDirectories(directory.resolve("sys/fs/cgroup/p\u00f6d"));
        Files.writeString(group.resolve("memory.max"), "1000\n");
        write(directory, "proc/self/cgroup", "0::/p\u00f6d\n".getBytes(StandardCharsets.UTF_8));
        write("proc/self/mountinfo", MOUNT);
        String output =
                ChildJvm.onModulePath()
                        .under("env", "LC_ALL=C")
                        .withNativeAccess()
                        .with("-Dfile.encoding=US-ASCII")
                        .outputOf(ReadGroups.class, directory.toString());
        assertThat(output).contains("limit 1000");
    }

    static final class ReadGroups {
        private ReadGroups() {}

        static void main(String[] root) throws Exception {
            KernelFiles files = KernelFiles.below(Path.of(root[0]));
            for (MemoryGroup group : new MemoryGroups(files).read(Long.MAX_VALUE)) {
                IO.println("limit " + group.limitBytes());
            }
        }
    }

    @Test
    @DisplayName("Of two mounts the one is taken that shows the group, and a group counts once")
    void memoryGroups_twoMounts_areMerged() throws Exception {
        write("proc/self/cgroup", "0::/a/b\n");
        write(
                "proc/self/mountinfo",
                "29 1 0:26 /other /mnt rw - cgroup2 cgroup2 rw\n"
                        + MOUNT
                        + "31 1 0:26 /a /mnt/a rw - cgroup2 cgroup2 rw\n");
        write("mnt/memory.max", "1\n");
        write("mnt/a/b/memory.max", "800\n");
        write("sys/fs/cgroup/a/memory.max", "1000\n");
        write("sys/fs/cgroup/a/b/memory.max", "800\n");
        assertThat(groups()).extracting(MemoryGroup::limitBytes).containsExactly(800L, 1000L);
    }

    @Test
    @DisplayName("Where the own group is outside of what is mounted, the mount's top stands for it")
    void memoryGroups_outsideOfTheMount_areCareful() throws Exception {
        write("proc/self/cgroup", "0::/../pod\n");
        write("proc/self/mountinfo", MOUNT);
        write("sys/fs/cgroup/memory.max", "1000\n");
        write("sys/fs/pod/memory.max", "7\n");
        assertThat(groups()).extracting(MemoryGroup::limitBytes).containsExactly(1000L);
        assertThat(ControlGroups.of(files(), "memory").unknown().getFirst())
                .contains("/../pod", "limits are unknown");
    }

    @Test
    @DisplayName("A mount of the namespace's parent shows a sibling")
    void memoryGroups_mountOfTheParent_showsASibling() throws Exception {
        write("proc/self/cgroup", "0::/../pod\n");
        write("proc/self/mountinfo", "30 1 0:26 /.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
        write("sys/fs/cgroup/pod/memory.max", "1000\n");
        assertThat(groups()).extracting(MemoryGroup::limitBytes).containsExactly(1000L);
        assertThat(ControlGroups.of(files(), "memory").unknown()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({"1, 1", "1, 100", "100, 1"})
    @DisplayName("A damaged path or repeated lines make no more groups than the kernel can have")
    void controlGroups_ofDamagedFiles_areNoMoreThanThereCanBe(int lines, int mounts)
            throws Exception {
        for (int depth : new int[] {2047, 5000}) {
            String path = "/a".repeat(depth);
            write("proc/self/cgroup", ("0::" + path + "\n").repeat(lines));
            write("proc/self/mountinfo", MOUNT.repeat(mounts));
            ControlGroups groups = ControlGroups.of(files(), "memory");
            if (depth == 2047) {
                assertThat(groups.groups()).hasSize(depth + 1);
                assertThat(groups.unknown()).isEmpty();
            } else {
                assertThat(groups.groups()).isEmpty();
                assertThat(groups.unknown())
                        .containsExactly("/proc/self/cgroup is malformed: path of 10000 bytes");
            }
        }
        write("proc/self/cgroup", "0::/a\n");
        write("proc/self/mountinfo", MOUNT.replace("/sys", "/sys".repeat(2000)));
        ControlGroups groups = ControlGroups.of(files(), "memory");
        assertThat(groups.groups()).isEmpty();
        assertThat(groups.unknown()).hasSize(1);
    }

    @Test
    @DisplayName("A removed group still has its ancestors' limits")
    void memoryGroups_removedGroup_hasAncestors() throws Exception {
        write("proc/self/cgroup", "0::/a/gone (deleted)\n");
        write("proc/self/mountinfo", MOUNT);
        write("sys/fs/cgroup/a/memory.max", "1000\n");
        assertThat(groups()).extracting(MemoryGroup::limitBytes).containsExactly(1000L);
    }

    @Test
    @DisplayName("Malformed counters, and those beyond a long, reclaim nothing and limit nothing")
    void memoryGroups_malformedCounters_areTotal() throws Exception {
        write("proc/self/cgroup", "0::/a\n");
        write("proc/self/mountinfo", MOUNT);
        write("sys/fs/cgroup/a/memory.max", "1000\n");
        write("sys/fs/cgroup/a/memory.current", "18446744073709551615\n");
        write("sys/fs/cgroup/a/memory.stat", "inactive_file x\nactive_file 12 13\nfile\n\u0000");
        assertThat(groups().getFirst().availableBytes()).isZero();
        assertThat(groups().getFirst().reclaimableBytes()).isZero();
        write("sys/fs/cgroup/a/memory.max", "18446744073709551615\n");
        assertThat(groups()).isEmpty();
        write("sys/fs/cgroup/a/memory.max", "many\n");
        assertThat(
                        ControlGroups.of(files(), "memory")
                                .groups()
                                .getFirst()
                                .limit("memory.max")
                                .unknown())
                .hasValueSatisfying(text -> assertThat(text).contains("malformed"));
    }

    @Test
    @DisplayName("A limit that cannot be read for want of descriptors is not taken for none")
    void memoryGroups_shortage_isARefusal() {
        KernelFiles short_ = new KernelFiles(new Failing(Linux.EMFILE, 0), files().root());
        assertThatThrownBy(() -> groups(short_))
                .isInstanceOf(Refusal.Shortage.class)
                .hasMessageContainingAll("EMFILE (24)", "ulimit -n");
    }

    @ParameterizedTest
    @CsvSource({"true, max, current", "false, limit_in_bytes, usage_in_bytes"})
    @DisplayName("Both limits on pages of a pool are read, of both versions")
    void allowance_bothLimits_leastCounts(boolean version2, String max, String current)
            throws Exception {
        write("proc/self/cgroup", version2 ? "0::/a\n" : "8:hugetlb:/a\n0::/\n");
        write(
                "proc/self/mountinfo",
                version2 ? MOUNT : "33 1 0:28 / /sys/fs/cgroup rw - cgroup none rw,hugetlb\n");
        String group = "sys/fs/cgroup/a/hugetlb.2MB.";
        assertThat(HugePools.allowance(files(), 2 << 20).leftBytes()).isEqualTo(Long.MAX_VALUE);
        write(group + max, (8 << 20) + "\n");
        write(group + current, (2 << 20) + "\n");
        assertThat(HugePools.allowance(files(), 2 << 20).leftBytes()).isEqualTo(6 << 20);
        write(group + "rsvd." + max, (4 << 20) + "\n");
        write(group + "rsvd." + current, (2 << 20) + "\n");
        assertThat(HugePools.allowance(files(), 2 << 20).leftBytes()).isEqualTo(2 << 20);
        assertThat(HugePools.allowance(files(), 2 << 20).file())
                .endsWith("hugetlb.2MB.rsvd." + max);
        assertThat(HugePools.allowance(files(), 1 << 30).leftBytes()).isEqualTo(Long.MAX_VALUE);
    }

    // ---- nodes --------------------------------------------------------------------------------

    @Test
    @DisplayName("Of a node what is free counts, and the cached files that are reclaimable")
    void availableBytesOfNode_countsFreePagesAndFiles() throws Exception {
        write(
                "sys/devices/system/node/node1/meminfo",
                """
                Node 1 MemTotal:       1000 kB
                Node 1 MemFree:         300 kB
                Node 1 Active(anon):    200 kB
                Node 1 Active(file):     20 kB
                Node 1 Inactive(file):   10 kB
                """);
        Proc proc = new Proc(files());
        assertThat(proc.availableBytesOfNode(1)).isEqualTo(330 << 10);
        assertThatExceptionOfType(Refusal.class).isThrownBy(() -> proc.availableBytesOfNode(2));
    }

    // ---- anything at all ----------------------------------------------------------------------

    private static final Map<String, String> ORDINARY =
            Map.ofEntries(
                    Map.entry("proc/self/status", "VmLck:\t 8 kB\nVmPin:\t 0 kB\nCapEff:\t00f\n"),
                    Map.entry(
                            "proc/self/limits", "Max locked memory   8388608   8388608   bytes\n"),
                    Map.entry("proc/meminfo", "MemTotal: 100 kB\nMemAvailable:   90 kB\n"),
                    Map.entry(
                            "sys/devices/system/node/node0/meminfo",
                            "Node 0 MemFree: 7 kB\nNode 0 Active(file): 2 kB\n"
                                    + "Node 0 Inactive(file):  1 kB\n"),
                    Map.entry("proc/cpuinfo", "processor : 0\nflags\t\t: fpu hypervisor\n"),
                    Map.entry("proc/sys/vm/max_map_count", "65530\n"),
                    Map.entry("proc/self/cgroup", "8:hugetlb:/a\n4:memory:/a\n0::/a/b\n"),
                    Map.entry(
                            "proc/self/mountinfo",
                            "33 1 0:28 / /v1 rw - cgroup cgroup rw,memory,hugetlb\n" + MOUNT),
                    Map.entry("v1/a/memory.limit_in_bytes", "1000\n"),
                    Map.entry("v1/a/memory.usage_in_bytes", "100\n"),
                    Map.entry("v1/a/memory.stat", "total_inactive_file 1\ntotal_active_file 2\n"),
                    Map.entry("v1/a/hugetlb.2MB.limit_in_bytes", "4194304\n"),
                    Map.entry("v1/a/hugetlb.2MB.usage_in_bytes", "2097152\n"),
                    Map.entry("sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "3\n"),
                    Map.entry("sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "2\n"),
                    Map.entry("sys/devices/system/node/online", "0-1,3\n"));

    /** What becomes of a file. */
    private record Damage(String file, int kind, long seed) {

        void to(Path root) throws IOException {
            byte[] content = ORDINARY.get(file).getBytes(StandardCharsets.ISO_8859_1);
            Random random = new Random(seed);
            Path path = root.resolve(file);
            switch (kind) {
                case 0 -> Files.delete(path);
                case 1 -> Files.write(path, Arrays.copyOf(content, random.nextInt(content.length)));
                case 2 -> {
                    byte[] binary = new byte[random.nextInt(300)];
                    random.nextBytes(binary);
                    Files.write(path, binary);
                }
                case 3 -> {
                    for (int i = 0; i < 3; i++) {
                        content[random.nextInt(content.length)] = (byte) random.nextInt();
                    }
                    Files.write(path, content);
                }
                case 4 ->
                        Files.writeString(
                                path,
                                new String(content, StandardCharsets.ISO_8859_1)
                                        .replaceAll("[0-9]+", "9".repeat(random.nextInt(40))));
                case 5 -> {
                    byte[] many = new byte[1 << 20];
                    for (int i = 0; i < many.length; i++) {
                        many[i] = content[i % content.length];
                    }
                    Files.write(path, many);
                }
                default -> {
                    Files.delete(path);
                    Files.createDirectory(path);
                }
            }
        }
    }

    @Provide
    Arbitrary<List<Damage>> damages() {
        return Combinators.combine(
                        Arbitraries.of(ORDINARY.keySet()),
                        Arbitraries.integers().between(0, 6),
                        Arbitraries.longs())
                .as(Damage::new)
                .list()
                .uniqueElements(Damage::file)
                .ofMinSize(1)
                .ofMaxSize(5);
    }

    /** JUnit's condition on the class is not jqwik's. */
    static final class OnLinux implements SkipExecutionHook {

        @Override
        public SkipResult shouldBeSkipped(LifecycleContext context) {
            return OS.LINUX.isCurrentOs()
                    ? SkipResult.doNotSkip()
                    : SkipResult.skip("skipped: it reads files by the calls of Linux");
        }
    }

    @Property
    @AddLifecycleHook(OnLinux.class)
    void whateverTheFilesHoldNothingButARefusalComesOut(@ForAll("damages") List<Damage> damages)
            throws IOException {
        Path root = Files.createTempDirectory("kernel-files");
        try {
            for (var file : ORDINARY.entrySet()) {
                write(root, file.getKey(), file.getValue().getBytes(StandardCharsets.ISO_8859_1));
            }
            for (Damage damage : damages) {
                damage.to(root);
            }
            KernelFiles files = KernelFiles.below(root);
            Proc proc = new Proc(files);
            answers(() -> assertThat(proc.lockBudget().remainingBytes()).isNotNegative());
            answers(() -> assertThat(proc.pinBudget().remainingBytes()).isNotNegative());
            answers(() -> assertThat(proc.availableBytes()).isNotNegative());
            answers(() -> assertThat(proc.availableBytesOfNode(0)).isNotNegative());
            answers(() -> assertThat(proc.machine()).isNotNull());
            answers(() -> assertThat(proc.maxMappings()).isNotNegative());
            answers(() -> assertThat(groups(files)).allMatch(group -> group.availableBytes() >= 0));
            answers(
                    () ->
                            assertThat(HugePools.read(files))
                                    .allMatch(pool -> pool.availablePages() >= 0));
            answers(
                    () ->
                            assertThat(HugePools.allowance(files, 2 << 20).leftBytes())
                                    .isNotNegative());
        } finally {
            delete(root);
        }
    }

    private interface Question {
        void ask() throws Refusal;
    }

    private static void answers(Question question) {
        try {
            question.ask();
        } catch (Refusal refusal) {
            assertThat(refusal.getMessage()).isNotBlank();
        }
    }

    private static void delete(Path root) {
        try (Stream<Path> files = Files.walk(root)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
