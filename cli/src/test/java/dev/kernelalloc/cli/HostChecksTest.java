package dev.kernelalloc.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.AllocationException.Reason;
import dev.kernelalloc.cli.Finding.State;
import dev.kernelalloc.physical.PinMethod;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/** What the doctor says of hosts that this machine is not: their files are written for it. */
class HostChecksTest {

    private static final String THP = "/sys/kernel/mm/transparent_hugepage/";

    @TempDir private Path root;
    private Host host;

    @BeforeEach
    void startWithAnOrdinaryProcess() throws IOException {
        host = new Host(root);
        status("0000000000000000", 0);
        write(
                "/proc/self/limits",
                "Max locked memory         8388608              8388608     bytes");
        write("/proc/meminfo", "MemTotal: 1000000 kB\nMemAvailable: 900000 kB\nSwapTotal: 0 kB");
    }

    // ---- pins ---------------------------------------------------------------------------------

    @Test
    void aSysctlIsNamedThatBlocksPins() throws IOException {
        write("/proc/sys/kernel/io_uring_disabled", "2");
        Finding pins = pins(Reason.NOT_PERMITTED);
        assertThat(pins.state()).isEqualTo(State.BAD);
        assertThat(pins.fact()).contains("sysctl kernel.io_uring_disabled=2");
        assertThat(pins.remedies())
                .startsWith("sysctl kernel.io_uring_disabled=0")
                .anyMatch(remedy -> remedy.contains("--cap-add NET_RAW"));
    }

    @Test
    void theSysctlForOthersDoesNotBlockWhoMayAdministrate() throws IOException {
        write("/proc/sys/kernel/io_uring_disabled", "1");
        assertThat(pins(Reason.NOT_PERMITTED).fact()).contains("io_uring_disabled=1");
        status("0000000000200000", 2);
        assertThat(pins(Reason.NOT_PERMITTED).fact()).contains("seccomp");
    }

    @Test
    void aFilterIsNamedThatBlocksPins() throws IOException {
        write("/proc/sys/kernel/io_uring_disabled", "0");
        status("0000000000000000", 2);
        Finding pins = pins(Reason.NOT_PERMITTED);
        assertThat(pins.fact()).contains("seccomp filter");
        assertThat(pins.remedies()).anyMatch(remedy -> remedy.contains("--security-opt seccomp="));
    }

    @Test
    void anAbsentIoUringIsSaidToBeAbsent() {
        assertThat(pins(Reason.NOT_SUPPORTED).fact()).contains("absent");
    }

    @Test
    void theLockLimitIsNamedWhereItBlocksPins() {
        assertThat(pins(Reason.LOCK_LIMIT).remedies()).contains("ulimit -l unlimited");
    }

    @Test
    void whatNothingExplainsIsNotExplained() throws IOException {
        write("/proc/sys/kernel/io_uring_disabled", "0");
        assertThat(pins(Reason.NOT_PERMITTED).fact()).contains("neither a sysctl nor seccomp");
    }

    @Test
    @DisplayName("Pins by AF_XDP are reported as such, with what they take")
    void pins_byAfXdp_areNamed() {
        Trial byXdp =
                new Trial(
                        Need.PINNED,
                        true,
                        "PINNED from base pages, pinned by " + PinMethod.AF_XDP,
                        List.of(),
                        Optional.empty());
        Finding pins = LockChecks.pins(host, Optional.of(byXdp));
        assertThat(pins.state()).isEqualTo(State.OK);
        assertThat(pins.fact()).contains("AF_XDP", "file descriptor");
    }

    private Finding pins(Reason reason) {
        Trial refused = new Trial(Need.PINNED, false, "refused", List.of(), Optional.of(reason));
        return LockChecks.pins(host, Optional.of(refused));
    }

    // ---- limits -------------------------------------------------------------------------------

    @Test
    void everyVisibleAncestorInVersion2IsLookedAt() throws IOException {
        write("/proc/self/cgroup", "0::/outer/inner");
        write(
                "/proc/self/mountinfo",
                "31 23 0:28 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw");
        write("/sys/fs/cgroup/outer/inner/memory.max", "max");
        write("/sys/fs/cgroup/outer/memory.max", "104857600");
        write("/sys/fs/cgroup/outer/memory.high", "max");
        write("/sys/fs/cgroup/outer/memory.current", "1048576");
        write("/sys/fs/cgroup/outer/hugetlb.2MB.max", "0");
        write("/sys/fs/cgroup/outer/hugetlb.2MB.rsvd.max", "4194304");
        write("/sys/fs/cgroup/outer/hugetlb.2MB.rsvd.current", "2097152");
        write("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "0");
        List<Finding> groups = all("control group");
        assertThat(groups).hasSize(3);
        assertThat(groups.get(0).fact()).contains("/sys/fs/cgroup/outer uses 1 MiB of 100 MiB");
        assertThat(groups.get(0).remedies())
                .contains("echo <bytes> > /sys/fs/cgroup/outer/memory.max");
        assertThat(groups.get(1).fact()).contains("may use 0 B of the pool of 2 MiB pages");
        assertThat(groups.get(1).state()).isEqualTo(State.WARN);
        assertThat(groups.get(1).remedies()).contains("Kubernetes: resources.limits.hugepages-2Mi");
        assertThat(groups.get(2).fact()).contains("may reserve 4 MiB of the pool", "has 2 MiB");
        assertThat(groups.get(2).state()).isEqualTo(State.OK);
        assertThat(LimitChecks.memoryLimit(host)).isEqualTo(104857600);
    }

    @Test
    void version1HasAHierarchyForEachController() throws IOException {
        write("/proc/self/cgroup", "8:pids:/x\n4:hugetlb,memory:/docker/abc\n0::/");
        write(
                "/proc/self/mountinfo",
                "35 31 0:32 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup"
                        + " rw,memory,hugetlb");
        write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "33554432");
        write("/sys/fs/cgroup/memory/memory.usage_in_bytes", "33000000");
        write("/sys/fs/cgroup/memory/hugetlb.2MB.limit_in_bytes", "9223372036852678656");
        List<Finding> groups = all("control group");
        assertThat(groups).hasSize(1);
        assertThat(groups.getFirst().state()).isEqualTo(State.WARN);
        assertThat(groups.getFirst().fact()).contains("of 32 MiB");
    }

    @Test
    void aLimitThatCannotBeKnownIsSaidToBeUnknown() throws IOException {
        write("/proc/self/cgroup", "0::/../pod");
        write("/proc/self/mountinfo", "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw");
        write("/sys/fs/cgroup/memory.max", "1048576");
        List<Finding> groups = all("control group");
        assertThat(groups.getFirst().state()).isEqualTo(State.UNKNOWN);
        assertThat(groups.getFirst().fact()).contains("/../pod", "limits are unknown");
        assertThat(groups.getFirst().remedies()).anyMatch(remedy -> remedy.contains("limit("));
        assertThat(LimitChecks.memoryLimit(host)).isEqualTo(1048576);
    }

    @Test
    void groupsWithoutALimitAreNotTakenForNone() throws IOException {
        assertThat(one("control group").state()).isEqualTo(State.UNKNOWN);
        write("/proc/self/cgroup", "0::/");
        write("/proc/self/mountinfo", "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw");
        write("/sys/fs/cgroup/cgroup.procs", "1");
        assertThat(one("control groups").fact()).contains("none of the 1 that are visible");
    }

    @Test
    void aJavaHeapThatLeavesLittleIsWarnedOf() {
        assertThat(JavaChecks.heap(900, 1000).state()).isEqualTo(State.WARN);
        assertThat(JavaChecks.heap(250, 1000).state()).isEqualTo(State.OK);
        assertThat(JavaChecks.heap(Long.MAX_VALUE, 1000).fact()).contains("leaves 0 B");
    }

    @Test
    void theLockLimitCountsOnlyForWhoHasNotTheRight() throws IOException {
        assertThat(one("lock limit").state()).isEqualTo(State.WARN);
        write("/proc/self/limits", "Max locked memory         0              0     bytes");
        assertThat(one("lock limit").state()).isEqualTo(State.BAD);
        status("0000000000004000", 0);
        assertThat(one("lock limit").fact()).contains("none, by CAP_IPC_LOCK");
    }

    // ---- pages and what moves them ------------------------------------------------------------

    @Test
    void poolsAreShownForEachNode() throws IOException {
        String pool = "/hugepages/hugepages-2048kB/";
        write("/sys/kernel/mm" + pool + "nr_hugepages", "6");
        for (int node = 0; node < 2; node++) {
            String directory = "/sys/devices/system/node/node" + node;
            write(directory + pool + "nr_hugepages", "3");
            write(directory + pool + "free_hugepages", node + "");
            write(directory + pool + "surplus_hugepages", "0");
        }
        assertThat(one("pool 2 MiB node0").state()).isEqualTo(State.WARN);
        assertThat(one("pool 2 MiB node1").fact()).startsWith("3 pages, 1 free");
        assertThat(one("pool 2 MiB node0").remedies())
                .containsExactly(
                        "echo 64 > /sys/devices/system/node/node0" + pool + "nr_hugepages");
    }

    @Test
    void transparentPagesThatAreOffAreBad() throws IOException {
        assertThat(one("transparent").state()).isEqualTo(State.UNKNOWN);
        write(THP + "enabled", "always madvise [never]");
        assertThat(one("transparent").state()).isEqualTo(State.BAD);
        write(THP + "enabled", "always [madvise] never");
        assertThat(one("transparent").state()).isEqualTo(State.OK);
        Files.writeString(root.resolve("proc/self/status"), "Uid: 0 0 0 0\nTHP_enabled: 0\n");
        assertThat(one("transparent").fact()).contains("disabled for this process");
    }

    @Test
    void theBasePageIsReadWhereTheKernelPutsIt() throws IOException {
        ByteBuffer auxiliary = ByteBuffer.allocate(4 * Long.BYTES).order(ByteOrder.nativeOrder());
        auxiliary.putLong(6).putLong(65536).putLong(0).putLong(0);
        Files.write(root.resolve("proc/self/auxv"), auxiliary.array());
        assertThat(one("base page").fact()).isEqualTo("64 KiB");
    }

    @Test
    void whatMovesPagesIsWarnedOf() throws IOException {
        write("/sys/kernel/mm/ksm/run", "1");
        write("/proc/sys/vm/compact_unevictable_allowed", "0");
        assertThat(one("merging").state()).isEqualTo(State.WARN);
        assertThat(one("compaction").state()).isEqualTo(State.OK);
        assertThat(one("numa balancing").state()).isEqualTo(State.UNKNOWN);
    }

    // ---- rights and the machine ---------------------------------------------------------------

    @Test
    void capabilitiesAreNamedTheShorterWay() {
        assertThat(new Capabilities(0)).hasToString("none");
        assertThat(new Capabilities(0x1ffffffffffL)).hasToString("all");
        assertThat(new Capabilities(0x1fffeffffffL)).hasToString("all but SYS_RESOURCE");
        assertThat(new Capabilities(1L << 14 | 1L << 21)).hasToString("IPC_LOCK, SYS_ADMIN");
    }

    @Test
    void missingCapabilitiesAreAskedForByContainerFlags() throws IOException {
        status("0000000000004000", 0);
        assertThat(one("capabilities").remedies())
                .contains("docker run --cap-add SYS_ADMIN --cap-add SYS_NICE");
    }

    @Test
    void rightsOverAUserNamespaceOfItsOwnAreNotTakenForRights() throws IOException {
        status("000001ffffffffff", 0);
        Path namespace = host.at("/proc/self/ns/user");
        Files.createDirectories(namespace.getParent());
        Files.createSymbolicLink(namespace, Path.of("user:[4026532000]"));
        assertThat(one("user").state()).isEqualTo(State.WARN);
        assertThat(one("capabilities").state()).isEqualTo(State.WARN);
        assertThat(one("lock limit").fact()).isEqualTo("8 MiB");
    }

    @Test
    void signsOfAContainerAreShown() throws IOException {
        assertThat(one("container").fact()).isEqualTo("no sign of one");
        write("/run/.containerenv", "");
        write("/proc/self/cgroup", "0::/kubepods/pod1");
        assertThat(one("container").fact()).contains(".containerenv", "kubepods");
    }

    @Test
    void aSandboxThatPretendsToBeLinuxIsBad() throws IOException {
        write("/proc/version", "Linux version 4.4.0 gVisor");
        assertThat(one("kernel").state()).isEqualTo(State.BAD);
    }

    @Test
    void groupsOfAnIommuAreWarnedOf() throws IOException {
        write("/sys/kernel/iommu_groups/0/type", "DMA");
        assertThat(one("iommu").state()).isEqualTo(State.WARN);
    }

    @Test
    void aProcessorWithoutFlagsDoesNotTellOfAHypervisor() throws IOException {
        assertThat(one("hypervisor").state()).isEqualTo(State.UNKNOWN);
        write("/proc/cpuinfo", "flags\t\t: fpu hypervisor lahf_lm");
        assertThat(one("hypervisor").state()).isEqualTo(State.WARN);
        write("/proc/cpuinfo", "flags\t\t: fpu lahf_lm");
        assertThat(one("hypervisor").state()).isEqualTo(State.OK);
    }

    @Test
    void anotherSystemIsOneLine() throws IOException {
        Files.delete(root.resolve("proc/self/status"));
        assertThat(findings())
                .filteredOn(finding -> finding.topic() != Finding.Topic.JAVA)
                .singleElement()
                .satisfies(finding -> assertThat(finding.state()).isEqualTo(State.UNKNOWN));
    }

    /** Of such a file, the kernel gives nothing to who reads it byte by byte. */
    @Test
    @EnabledOnOs(OS.LINUX)
    void settingsOfThisMachineAreReadAsAWhole() {
        assertThat(Host.ofThisMachine().text("/proc/sys/vm/max_map_count").orElseThrow())
                .matches("\\d{2,}");
    }

    private Finding one(String name) {
        return all(name).getFirst();
    }

    private List<Finding> all(String name) {
        return findings().stream().filter(finding -> finding.name().equals(name)).toList();
    }

    private List<Finding> findings() {
        return Examination.findings(host, Map.of(), OptionalLong.empty());
    }

    private void status(String capabilities, int seccomp) throws IOException {
        write(
                "/proc/self/status",
                "Uid:\t1000\t1000\t1000\t1000\nCapEff:\t%s\nSeccomp:\t%d\nTHP_enabled:\t1"
                        .formatted(capabilities, seccomp));
    }

    private void write(String path, String text) throws IOException {
        Path file = host.at(path);
        Files.createDirectories(file.getParent());
        Files.writeString(file, text + "\n");
    }
}
