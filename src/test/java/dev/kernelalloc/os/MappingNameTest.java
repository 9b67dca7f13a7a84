package dev.kernelalloc.os;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;

/** Names in the process map: what the kernel takes, and what is made of its refusals. */
@EnabledOnOs(OS.LINUX)
class MappingNameTest {

    private static final int EINVAL = 22;
    private static final int EBADF = 9;
    private static final long ERRNO =
            CallState.LAYOUT.byteOffset(PathElement.groupElement("errno"));

    private final MemorySegment callState = Arena.ofAuto().allocate(CallState.LAYOUT);

    @ParameterizedTest
    @CsvSource({
        "orders, orders",
        "a[b]$c\\d`e, a_b__c_d_e",
        "Bestände, Best_nde",
        "'two words', 'two words'"
    })
    void whatTheKernelRefusesInANameIsReplaced(String tag, String shown) {
        assertThat(MappingName.textOf(tag)).isEqualTo("kernel-alloc:" + shown);
    }

    @Test
    void aLongTagLosesItsEnd() {
        assertThat(MappingName.textOf("x".repeat(500))).hasSize(79).endsWith("xxx");
        assertThat(MappingName.textOf("\t\n\u007f")).isEqualTo("kernel-alloc:___");
    }

    @Test
    void aKernelWithoutNamesIsAskedOnce() {
        FakeOperatingSystem os = new FakeOperatingSystem();
        MappingName name = new MappingName(os, "orders");
        name.assign(1 << 20, 4096);
        name.assign(1 << 20, 4096);
        assertThat(os.namings()).isOne();
    }

    @Test
    void aRefusalOfSomePagesIsNotOneOfAll() {
        int[] calls = {0};
        Linux linux =
                new Linux(
                        new LinuxCalls() {
                            @Override
                            public int prctl(
                                    int option,
                                    long what,
                                    long address,
                                    long bytes,
                                    MemorySegment text,
                                    MemorySegment state) {
                                calls[0]++;
                                state.set(ValueLayout.JAVA_INT, ERRNO, EBADF); // pages of a file
                                return -1;
                            }
                        });
        MappingName name = new MappingName(linux, "orders");
        name.assign(1 << 20, 4096);
        name.assign(1 << 20, 4096);
        assertThat(calls[0]).isEqualTo(2);
    }

    @Test
    void theKernelShowsTheNameUntilItIsTakenOff() throws Refusal, IOException {
        Linux linux = new Linux();
        long page = linux.pageBytes();
        long address = linux.reserve(4 * page, page, callState);
        linux.commit(address, 4 * page, callState);
        try {
            assumeNames(linux, address);
            MappingName name = new MappingName(linux, "a [test]");
            name.assign(address + page, 2 * page);
            assertThat(mapping(address + page)).endsWith("[anon:kernel-alloc:a _test_]");
            assertThat(mapping(address)).doesNotContain("kernel-alloc");
            assertThat(mapping(address + 3 * page)).doesNotContain("kernel-alloc");
            name.clear(address + page, 2 * page);
            assertThat(mapping(address + page)).doesNotContain("kernel-alloc");
        } finally {
            linux.release(address, 4 * page, callState);
        }
    }

    @Test
    void aKernelWithoutNamesSaysWhichOptionItLacks() throws Refusal {
        Linux linux = new Linux();
        long address = linux.reserve(linux.pageBytes(), linux.pageBytes(), callState);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment forbidden = arena.allocateFrom("a]"); // EINVAL, whichever kernel it is
            assertThatThrownBy(() -> linux.name(address, linux.pageBytes(), forbidden, callState))
                    .isInstanceOf(Refusal.NotSupported.class)
                    .hasMessageContaining("EINVAL (" + EINVAL + ")")
                    .hasMessageContaining("CONFIG_ANON_VMA_NAME");
        } finally {
            linux.release(address, linux.pageBytes(), callState);
        }
    }

    private void assumeNames(Linux linux, long address) {
        try {
            linux.name(address, linux.pageBytes(), MemorySegment.NULL, callState);
        } catch (Refusal e) {
            assumeTrue(false, "skipped: " + e.getMessage());
        }
    }

    private static String mapping(long address) throws IOException {
        return Files.readAllLines(Path.of("/proc/self/maps")).stream()
                .filter(line -> covers(line, address))
                .findFirst()
                .orElseThrow();
    }

    private static boolean covers(String line, long address) {
        String[] range = line.substring(0, line.indexOf(' ')).split("-");
        return Long.parseUnsignedLong(range[0], 16) <= address
                && address < Long.parseUnsignedLong(range[1], 16);
    }
}
