package dev.kernelalloc.os;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.os.OperatingSystem.Advice;
import dev.kernelalloc.os.OperatingSystem.HugePool;
import dev.kernelalloc.os.OperatingSystem.MemoryGroup;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** Huge pages, pins, kernel regions, nodes and limits, on the kernel that runs the tests. */
@EnabledOnOs(OS.LINUX)
class LinuxMemoryTest {

    private static final long HUGE_PAGE_BYTES = 2 << 20;

    private final OperatingSystem linux = Platform.current();
    private final long page = linux.pageBytes();
    private final MemorySegment callState = Arena.ofAuto().allocate(CallState.LAYOUT);

    @TempDir private Path directory;

    private interface OnPages {
        void accept(long address) throws Refusal;
    }

    private void withPages(long bytes, OnPages action) throws Refusal {
        long address = linux.reserve(bytes, HUGE_PAGE_BYTES, callState);
        try {
            linux.commit(address, bytes, callState);
            action.accept(address);
        } finally {
            linux.release(address, bytes, callState);
        }
    }

    private static void assume(boolean holds, Refusal refusal) {
        assumeTrue(holds, "skipped: " + refusal.getMessage());
    }

    // ---- huge pages ---------------------------------------------------------------------------

    @Test
    void basePagesAreNotHugeAndCollapseToOneThatIs() throws Refusal {
        withPages(
                HUGE_PAGE_BYTES,
                address -> {
                    linux.advise(address, HUGE_PAGE_BYTES, Advice.BASE_PAGES, callState);
                    linux.populate(address, HUGE_PAGE_BYTES, callState);
                    MemorySegment word = NativeMemory.segment(address + 5 * page, 8);
                    word.set(ValueLayout.JAVA_LONG, 0, 42);
                    try {
                        assertThat(linux.hugeBytes(address, HUGE_PAGE_BYTES, callState)).isZero();
                        linux.advise(address, HUGE_PAGE_BYTES, Advice.HUGE_PAGES, callState);
                        linux.collapse(address, HUGE_PAGE_BYTES, callState);
                    } catch (Refusal.NotSupported | Refusal.OutOfMemory e) {
                        assume(false, e);
                    }
                    assertThat(linux.hugeBytes(address, HUGE_PAGE_BYTES, callState))
                            .isEqualTo(HUGE_PAGE_BYTES);
                    assertThat(word.get(ValueLayout.JAVA_LONG, 0)).isEqualTo(42);
                });
    }

    @Test
    void pagesOfAPoolThatHasNoneAreRefusedWithThePools() throws Refusal {
        HugePool pool = linux.hugePools().stream().findFirst().orElse(null);
        assumeTrue(pool != null, "skipped: this kernel has no huge page pools");
        long tooMuch = (pool.availablePages() + 1) * pool.pageBytes();
        long pageBytes = pool.pageBytes();
        assertThatThrownBy(() -> linux.reserveHuge(tooMuch, 0, pageBytes, pageBytes, callState))
                .isInstanceOf(Refusal.OutOfMemory.class)
                .hasMessageContainingAll("ENOMEM", "vm.nr_hugepages", "free");
    }

    @Test
    void pagesOfAPoolAreHuge() throws Refusal {
        boolean hasSome =
                linux.hugePools().stream()
                        .anyMatch(
                                pool ->
                                        pool.pageBytes() == HUGE_PAGE_BYTES
                                                && pool.availablePages() > 0);
        assumeTrue(hasSome, "skipped: no huge pages of 2 MiB are reserved (vm.nr_hugepages)");
        long address =
                linux.reserveHuge(HUGE_PAGE_BYTES, 0, HUGE_PAGE_BYTES, HUGE_PAGE_BYTES, callState);
        linux.populate(address, HUGE_PAGE_BYTES, callState);
        assertThat(linux.hugeBytes(address, HUGE_PAGE_BYTES, callState)).isEqualTo(HUGE_PAGE_BYTES);
        linux.release(address, HUGE_PAGE_BYTES, callState);
    }

    @Test
    void pagesThatAreMovedKeepTheirContentsAndLeaveNothingBehind() throws Refusal {
        long from = linux.reserve(4 * page, page, callState);
        linux.commit(from, 4 * page, callState);
        NativeMemory.segment(from + page, 8).set(ValueLayout.JAVA_LONG, 0, 42);
        long to = linux.reserve(2 * page, page, callState);

        linux.move(from + page, to, 2 * page, callState);

        assertThat(NativeMemory.segment(to, 8).get(ValueLayout.JAVA_LONG, 0)).isEqualTo(42);
        linux.releasePart(from, page, callState);
        linux.releasePart(from + 3 * page, page, callState);
        linux.release(to, 2 * page, callState);
    }

    @Test
    void poolsAreReadFromTheFilesOfTheSystem() throws Exception {
        Path pool = directory.resolve("sys/kernel/mm/hugepages/hugepages-2048kB");
        Path onNode = directory.resolve("sys/devices/system/node/node1/hugepages/hugepages-2048kB");
        Files.createDirectories(pool);
        Files.createDirectories(onNode);
        Files.createDirectories(directory.resolve("sys/kernel/mm/hugepages/hugepages-1048576kB"));
        Files.writeString(directory.resolve("sys/devices/system/node/online"), "0-1\n");
        write("sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages", "0\n");
        Files.writeString(pool.resolve("nr_hugepages"), "10\n");
        Files.writeString(pool.resolve("free_hugepages"), "7\n");
        Files.writeString(pool.resolve("resv_hugepages"), "3\n");
        Files.writeString(pool.resolve("nr_overcommit_hugepages"), "5\n");
        Files.writeString(pool.resolve("surplus_hugepages"), "1\n");
        Files.writeString(onNode.resolve("free_hugepages"), "6\n");

        assertThat(HugePools.read(KernelFiles.below(directory)))
                .containsExactly(
                        new HugePool(1L << 30, 0, 0, 0, 0, Map.of()),
                        new HugePool(HUGE_PAGE_BYTES, 10, 7, 3, 4, Map.of(1, 6L)));
        assertThat(HugePools.read(KernelFiles.below(directory)).getLast().availablePages())
                .isEqualTo(8);
        assertThat(HugePools.read(KernelFiles.below(directory.resolve("nowhere")))).isEmpty();
    }

    // ---- pins ---------------------------------------------------------------------------------

    @Test
    void pinsCountApartFromLocksUntilTheyEnd() throws Refusal {
        long pinned = linux.pinBudget().lockedBytes();
        long locked = linux.lockBudget().lockedBytes();
        withPages(
                4 * page,
                address -> {
                    linux.populate(address, 4 * page, callState);
                    try {
                        int pin = linux.pin(address, 4 * page, callState);
                        assertThat(linux.pinBudget().lockedBytes()).isEqualTo(pinned + 4 * page);
                        assertThat(linux.lockBudget().lockedBytes()).isEqualTo(locked);
                        int other = linux.pin(address, page, callState);
                        assertThat(other).isNotEqualTo(pin);
                        linux.unpin(pin, callState);
                        linux.unpin(other, callState);
                    } catch (Refusal.NotPermitted | Refusal.NotSupported e) {
                        assume(false, e);
                    }
                    assertThat(linux.pinBudget().lockedBytes()).isEqualTo(pinned);
                });
    }

    @Test
    void pagesThatCannotBeWrittenAreNotPinned() throws Refusal {
        withPages(
                page,
                address -> {
                    linux.protect(address, page, OperatingSystem.Access.READ, callState);
                    assertThatThrownBy(() -> linux.pin(address, page, callState))
                            .isInstanceOfAny(
                                    Refusal.NotSupported.class, Refusal.NotPermitted.class);
                });
    }

    @Test
    void aKernelRegionIsZerosAndGivenBackAsAWhole() throws Refusal {
        long bytes = 64 << 10;
        try {
            long address = linux.kernelRegion(bytes, callState);
            MemorySegment region = NativeMemory.segment(address, bytes);
            assertThat(region.mismatch(MemorySegment.ofArray(new byte[(int) bytes]))).isEqualTo(-1);
            region.fill((byte) 1);
            linux.release(address, bytes, callState);
        } catch (Refusal.NotPermitted | Refusal.NotSupported e) {
            assume(false, e);
        }
    }

    @Test
    void aKernelRegionLargerThanTheKernelGivesIsRefused() {
        assertThatThrownBy(() -> linux.kernelRegion(1L << 50, callState))
                .isInstanceOf(Refusal.class)
                .hasMessageContaining("kernel region of 1125899906842624 bytes");
    }

    // ---- nodes --------------------------------------------------------------------------------

    @Test
    void pagesAreOfTheNodeTheyWereBoundTo() throws Refusal {
        withPages(
                page,
                address -> {
                    try {
                        linux.bind(address, page, 0, true, callState);
                        linux.populate(address, page, callState);
                        assertThat(linux.nodeOf(address, callState)).isZero();
                    } catch (Refusal.NotSupported | Refusal.NotPermitted e) {
                        assume(false, e);
                    }
                });
    }

    @Test
    void nodesThatDoNotExistAreRefused() throws Refusal {
        withPages(
                page,
                address -> {
                    for (int node : new int[] {1023, 1024, 1 << 20}) {
                        assertThatThrownBy(() -> linux.bind(address, page, node, true, callState))
                                .isInstanceOfAny(
                                        Refusal.NotSupported.class, Refusal.NotPermitted.class)
                                .hasMessageContaining("node " + node);
                    }
                });
    }

    // ---- limits -------------------------------------------------------------------------------

    @Test
    void groupsOfVersionTwoAreReadUpToTheTop() throws Exception {
        write("proc/self/cgroup", "0::/a/b\n");
        write(
                "proc/self/mountinfo",
                "22 1 0:20 / /proc rw - proc proc rw\n"
                    + "30 1 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n");
        write("sys/fs/cgroup/a/b/memory.max", "max\n");
        write("sys/fs/cgroup/a/memory.max", "1000\n");
        write("sys/fs/cgroup/a/memory.high", "800\n");
        write("sys/fs/cgroup/a/memory.current", "700\n");
        write(
                "sys/fs/cgroup/a/memory.stat",
                "anon 400\nactive_file 100\ninactive_file 50\nslab 3\n");

        assertThat(groups(directory))
                .containsExactly(new MemoryGroup("/sys/fs/cgroup/a", 800, 700, 150));
        assertThat(groups(directory).getFirst().availableBytes()).isEqualTo(250);
    }

    @Test
    void groupsOfVersionOneAreReadWhereTheContainerSeesThem() throws Exception {
        write("proc/self/cgroup", "7:pids:/\n4:memory:/docker/abc/inner\n0::/\n");
        write(
                "proc/self/mountinfo",
                "33 1 0:28 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
        write("sys/fs/cgroup/memory/inner/memory.limit_in_bytes", "9223372036854771712\n");
        write("sys/fs/cgroup/memory/memory.limit_in_bytes", "5000\n");
        write("sys/fs/cgroup/memory/memory.usage_in_bytes", "4000\n");
        write(
                "sys/fs/cgroup/memory/memory.stat",
                "inactive_file 1\ntotal_inactive_file 300\ntotal_active_file 200\n");

        assertThat(groups(directory))
                .containsExactly(new MemoryGroup("/sys/fs/cgroup/memory", 5000, 4000, 500));
    }

    @Test
    void withoutGroupsThereIsNoLimit() throws Refusal {
        assertThat(groups(directory)).isEmpty();
        assertThat(linux.memoryGroups(Long.MAX_VALUE)).allMatch(group -> group.limitBytes() > 0);
    }

    private void write(String file, String text) throws IOException {
        Path path = directory.resolve(file);
        Files.createDirectories(path.getParent());
        Files.writeString(path, text);
    }

    private static List<OperatingSystem.MemoryGroup> groups(Path root) throws Refusal {
        return new MemoryGroups(KernelFiles.below(root)).read(Long.MAX_VALUE);
    }
}
