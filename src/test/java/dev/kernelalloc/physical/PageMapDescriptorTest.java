package dev.kernelalloc.physical;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.testing.LinuxProcess;
import dev.kernelalloc.testing.PageMoves;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import java.util.stream.Stream;

/** Other code of the process closes the descriptor of the page map, or gives it to a file. */
@EnabledOnOs(OS.LINUX)
@SuppressWarnings("restricted")
class PageMapDescriptorTest {

    private static final Path DESCRIPTORS = Path.of("/proc/self/fd");
    private static final PhysicalRequest REQUEST = PhysicalRequest.ofBytes(64 << 10).build();

    private static final MethodHandle OPEN =
            Linker.nativeLinker()
                    .downcallHandle(
                            Linker.nativeLinker().defaultLookup().findOrThrow("open"),
                            FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT),
                            Linker.Option.firstVariadicArg(2));
    private static final MethodHandle DUP2 =
            function("dup2", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
    private static final MethodHandle CLOSE =
            function("close", FunctionDescriptor.of(JAVA_INT, JAVA_INT));

    private int descriptor;
    private PhysicalAllocator physical;

    @BeforeEach
    void create() throws IOException {
        assumeTrue(LinuxProcess.seesFrames(), "skipped: frames are hidden from this process");
        Set<Integer> before = pageMaps();
        physical = PhysicalAllocator.create();
        Set<Integer> opened = pageMaps();
        opened.removeAll(before);
        assertThat(opened).as("the page map is opened once").hasSize(1);
        descriptor = opened.iterator().next();
    }

    @AfterEach
    void close() {
        if (physical != null) {
            physical.close();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"/dev/zero", "/dev/urandom"})
    @DisplayName("Addresses are the page map's after another file has taken its descriptor")
    void addressOf_descriptorReused_isThePageMaps(String other) throws Throwable {
        MemorySegment before = physical.allocate(REQUEST).fill((byte) 1);
        become(other, descriptor);
        MemorySegment after = physical.allocate(REQUEST).fill((byte) 1);

        requireRightAddresses(before, after);
        physical.free(before);
        physical.free(after);
        physical.close();
        physical = null;
        assertThat(target(descriptor)).as("the other file is not closed").isEqualTo(other);
        close(descriptor);
    }

    @Test
    @DisplayName("Addresses are the page map's after its descriptor was closed")
    void addressOf_descriptorClosed_isThePageMaps() throws Throwable {
        MemorySegment before = physical.allocate(REQUEST).fill((byte) 1);
        close(descriptor);
        MemorySegment after = physical.allocate(REQUEST).fill((byte) 1);

        requireRightAddresses(before, after);
        physical.free(before);
        physical.free(after);
    }

    private void requireRightAddresses(MemorySegment... blocks) throws Throwable {
        PageMoves.unlessMoved(
                () -> {
                    assertThat(physical.verify().unverifiable()).isEmpty();
                    for (MemorySegment block : blocks) {
                        assertThat(physical.addressOf(block).value())
                                .isEqualTo(LinuxProcess.physicalAddress(block.address()));
                    }
                });
    }

    @Test
    @DisplayName("A descriptor that the caller has given and closed is said to be missing")
    void addressOf_givenDescriptorClosed_isExplained() throws Throwable {
        int given = open("/proc/self/pagemap");
        try (PhysicalAllocator other = PhysicalAllocator.builder().pageMap(given).build()) {
            become("/dev/zero", given);
            MemorySegment block = other.allocate(REQUEST).fill((byte) 1);
            assertThatExceptionOfType(PhysicalAddressException.class)
                    .isThrownBy(() -> other.addressOf(block))
                    .withMessageContaining("the file descriptor " + given)
                    .withMessageContaining("keep it open")
                    .extracting(PhysicalAddressException::reason)
                    .isEqualTo(PhysicalAddressException.Reason.HIDDEN);
            assertThat(other.verify().verdict()).isEqualTo(Verification.Verdict.NOT_VERIFIABLE);
            other.free(block);
        }
        close(given);
    }

    private static Set<Integer> pageMaps() throws IOException {
        Set<Integer> found = new HashSet<>();
        try (Stream<Path> all = Files.list(DESCRIPTORS)) {
            for (Path one : (Iterable<Path>) all::iterator) {
                int number = Integer.parseInt(one.getFileName().toString());
                if (target(number).endsWith("/pagemap")) {
                    found.add(number);
                }
            }
        }
        return found;
    }

    private static String target(int number) throws IOException {
        try {
            return Files.readSymbolicLink(DESCRIPTORS.resolve("" + number)).toString();
        } catch (NoSuchFileException e) {
            return ""; // closed between the looks
        }
    }

    private static void become(String file, int number) throws Throwable {
        int opened = open(file);
        assertThat((int) DUP2.invokeExact(opened, number)).isEqualTo(number);
        close(opened);
    }

    private static int open(String file) throws Throwable {
        try (Arena arena = Arena.ofConfined()) {
            int opened = (int) OPEN.invokeExact(arena.allocateFrom(file), 0);
            assertThat(opened).as("open %s", file).isNotNegative();
            return opened;
        }
    }

    private static void close(int number) throws Throwable {
        assertThat((int) CLOSE.invokeExact(number)).isZero();
    }

    private static MethodHandle function(String name, FunctionDescriptor descriptor) {
        Linker linker = Linker.nativeLinker();
        return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), descriptor);
    }
}
