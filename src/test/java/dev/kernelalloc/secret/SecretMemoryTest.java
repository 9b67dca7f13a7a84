package dev.kernelalloc.secret;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.ProtectionException;
import dev.kernelalloc.SecretMemory;
import dev.kernelalloc.SecretMemory.Access;
import dev.kernelalloc.SecretMemory.Obtained;
import dev.kernelalloc.physical.ForkBehaviour;
import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.testing.CFunctions;
import dev.kernelalloc.testing.CLibrary;
import dev.kernelalloc.testing.LinuxProcess;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.stream.Stream;

class SecretMemoryTest {

    private static final long PAGE_BYTES = 4096;
    private static final byte[] SECRET =
            "correct horse battery staple".getBytes(StandardCharsets.UTF_8);

    // ---- what it is ---------------------------------------------------------------------------

    @Test
    void whereTheKernelCanHideItItIsHidden() {
        try (SecretMemory memory = hidden(32)) {
            assertThat(memory.obtained()).isEqualTo(new Obtained.Hidden());
            assertThat(memory.guarantees())
                    .containsExactlyInAnyOrder(
                            Guarantee.RESIDENT,
                            Guarantee.LOCKED,
                            Guarantee.PINNED,
                            Guarantee.HIDDEN);
            assertThat(memory.missing()).isEmpty();
            assertThat(memory.access()).isEqualTo(Access.NONE);
            assertThat(memory).hasToString("SecretMemory[32 bytes, hidden, no access]");
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"ABSENT", "WIPED"})
    void thePagesAreLockedNotDumpedNotInheritedAndNeverExecutable(ForkBehaviour onFork) {
        assumeLinux();
        try (SecretMemory memory = SecretMemory.builder().onFork(onFork).allocate(32)) {
            long address = memory.readWrite().address();
            assertThat(LinuxProcess.mappingFlags(address))
                    .contains("rd", "wr", "lo", "dd", onFork == ForkBehaviour.ABSENT ? "dc" : "wf")
                    .doesNotContain("ex", "mg");
            assertThat(LinuxProcess.isPresent(address)).isTrue();
            memory.readOnly();
            assertThat(LinuxProcess.mappingFlags(address)).contains("rd").doesNotContain("wr");
            memory.noAccess();
            assertThat(LinuxProcess.mappingFlags(address)).doesNotContain("rd", "wr");
        }
    }

    @Test
    void lockedBytesAreBackAtTheStartWhenItIsClosed() {
        assumeLinux();
        long before = LinuxProcess.lockedBytes();
        for (ForkBehaviour onFork : List.of(ForkBehaviour.ABSENT, ForkBehaviour.WIPED)) {
            long address;
            try (SecretMemory memory = SecretMemory.builder().onFork(onFork).allocate(4081)) {
                address = memory.readOnly().address();
                assertThat(LinuxProcess.lockedBytes()).isEqualTo(before + 2 * PAGE_BYTES);
            }
            assertThat(LinuxProcess.lockedBytes()).isEqualTo(before);
            assertThat(LinuxProcess.isMapped(address)).isFalse();
        }
    }

    @ParameterizedTest
    @CsvSource({
        "0, 1",
        "1, 1",
        "32, 1",
        "31, 8",
        "4080, 1",
        "4081, 1",
        "4080, 4096",
        "4096, 4096",
        "5000, 16",
        "1, 4096"
    })
    void theBlockIsAlignedZeroAndEndsAtTheGuardAsNearAsItsAlignmentAllows(
            long bytes, long alignment) {
        try (SecretMemory memory = SecretMemory.builder().allocate(bytes, alignment)) {
            MemorySegment segment = memory.readWrite();
            assertThat(segment.byteSize()).isEqualTo(bytes);
            assertThat(segment.address() % alignment).isZero();
            assertThat(segment.mismatch(MemorySegment.ofArray(new byte[(int) bytes])))
                    .isEqualTo(-1);
            segment.fill((byte) -1);
            long end = segment.address() + bytes;
            long guard = Math.ceilDiv(end, PAGE_BYTES) * PAGE_BYTES;
            assertThat(guard - end).isBetween(0L, alignment - 1);
            if (LinuxProcess.isThis()) {
                assertThat(LinuxProcess.mappingFlags(guard)).doesNotContain("rd", "wr");
            }
        }
    }

    @Test
    void whatCannotBeAskedForIsRefusedWithItsValues() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> SecretMemory.allocate(-1))
                .withMessageContaining("byteSize=-1");
        for (long alignment : new long[] {0, -8, 3, 8192, Long.MIN_VALUE}) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> SecretMemory.builder().allocate(8, alignment))
                    .withMessageContaining("byteAlignment=" + alignment);
        }
        assertThatExceptionOfType(AllocationException.class)
                .isThrownBy(() -> SecretMemory.allocate(Long.MAX_VALUE))
                .extracting(AllocationException::reason)
                .isEqualTo(AllocationException.Reason.OUT_OF_MEMORY);
        assertThatExceptionOfType(AllocationException.class)
                .isThrownBy(() -> SecretMemory.allocate(1L << 50))
                .withMessageContaining("the machine has about")
                .extracting(AllocationException::reason)
                .isEqualTo(AllocationException.Reason.OUT_OF_MEMORY);
        assertThatIllegalArgumentException()
                .isThrownBy(
                        () ->
                                SecretMemory.builder()
                                        .require(Guarantee.HIDDEN)
                                        .onFork(ForkBehaviour.WIPED)
                                        .allocate(8))
                .withMessageContaining("HIDDEN");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> SecretMemory.builder().onFork(ForkBehaviour.COPIED))
                .withMessageContaining("COPIED");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> SecretMemory.builder().require(Guarantee.HUGE))
                .withMessageContaining("never HUGE");
    }

    // ---- access -------------------------------------------------------------------------------

    @Test
    void contentsSurviveEverySwitchAndSegmentsDoNot() {
        try (SecretMemory memory = SecretMemory.allocate(SECRET.length)) {
            MemorySegment writable = memory.readWrite();
            writable.copyFrom(MemorySegment.ofArray(SECRET));
            MemorySegment readable = memory.readOnly();
            assertDead(writable);
            assertThat(readable.toArray(ValueLayout.JAVA_BYTE)).isEqualTo(SECRET);
            assertThat(readable.isReadOnly()).isTrue();
            memory.noAccess();
            assertDead(readable);
            assertDead(readable.asSlice(3, 2));
            assertThat(memory.readWrite().toArray(ValueLayout.JAVA_BYTE)).isEqualTo(SECRET);
        }
    }

    @Test
    void aBufferOverTheSegmentDiesWithIt() {
        try (SecretMemory memory = SecretMemory.allocate(8)) {
            ByteBuffer buffer = memory.readWrite().asByteBuffer();
            buffer.put(0, (byte) 1);
            memory.noAccess();
            assertThatIllegalStateException().isThrownBy(() -> buffer.get(0));
            assertThatIllegalStateException().isThrownBy(() -> buffer.put(0, (byte) 2));
        }
    }

    @Test
    void openingItAgainForTheSameIsTheSameSegment() {
        try (SecretMemory memory = SecretMemory.allocate(8)) {
            assertThat(memory.readWrite()).isSameAs(memory.readWrite());
            assertThat(memory.access()).isEqualTo(Access.READ_WRITE);
            assertThat(memory.readOnly()).isSameAs(memory.readOnly());
            assertThat(memory.access()).isEqualTo(Access.READ);
            memory.noAccess();
            memory.noAccess();
            assertThat(memory.access()).isEqualTo(Access.NONE);
        }
    }

    @Test
    void writingToWhatIsReadOnlyThrows() {
        try (SecretMemory memory = SecretMemory.allocate(8)) {
            MemorySegment readable = memory.readOnly();
            assertThatExceptionOfType(IllegalArgumentException.class)
                    .isThrownBy(() -> readable.set(ValueLayout.JAVA_BYTE, 0, (byte) 1));
        }
    }

    @Test
    void closedItRefusesEverythingAndItsSegmentIsDead() {
        SecretMemory memory = SecretMemory.allocate(8);
        MemorySegment segment = memory.readWrite();
        memory.close();
        assertDead(segment);
        Stream.<Consumer<SecretMemory>>of(
                        SecretMemory::readOnly,
                        SecretMemory::readWrite,
                        SecretMemory::noAccess,
                        SecretMemory::close,
                        closed -> closed.contentEquals(MemorySegment.NULL))
                .forEach(
                        use ->
                                assertThatIllegalStateException()
                                        .isThrownBy(() -> use.accept(memory))
                                        .withMessageContaining("already closed"));
        assertThat(memory.access()).isEqualTo(Access.NONE);
        assertThat(memory.byteSize()).isEqualTo(8);
        assertThat(memory.toString()).contains("closed");
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void aSegmentInUseByANativeFunctionKeepsItOpen(boolean shared) {
        try (SecretMemory memory = (shared ? builder().shared() : builder()).allocate(2 * 4, 4)) {
            MemorySegment numbers = memory.readWrite();
            numbers.setAtIndex(ValueLayout.JAVA_INT, 0, 2);
            numbers.setAtIndex(ValueLayout.JAVA_INT, 1, 1);
            CFunctions.qsort(
                    numbers,
                    (a, b) -> {
                        for (Runnable use :
                                new Runnable[] {
                                    memory::noAccess, memory::readOnly, memory::close
                                }) {
                            assertThatIllegalStateException()
                                    .isThrownBy(use::run)
                                    .withMessageContaining("native function");
                        }
                        return Integer.compare(a, b);
                    });
            assertThat(numbers.getAtIndex(ValueLayout.JAVA_INT, 0)).isEqualTo(1);
            memory.noAccess();
            assertDead(numbers);
        }
    }

    // ---- threads ------------------------------------------------------------------------------

    @Test
    void confinedItIsForTheThreadThatMadeIt() throws Exception {
        try (SecretMemory memory = SecretMemory.allocate(8)) {
            MemorySegment segment = memory.readWrite();
            Stream.<Runnable>of(
                            memory::readOnly,
                            memory::readWrite,
                            memory::noAccess,
                            memory::close,
                            () -> memory.contentEquals(MemorySegment.NULL),
                            () -> segment.get(ValueLayout.JAVA_BYTE, 0))
                    .forEach(
                            use ->
                                    assertThat(thrownElsewhere(use))
                                            .isInstanceOf(WrongThreadException.class));
            segment.set(ValueLayout.JAVA_BYTE, 0, (byte) 1);
        }
    }

    @Test
    void sharedItIsForAllAndASwitchEndsTheSegmentsOfOthers() {
        SecretMemory memory = builder().shared().allocate(8);
        MemorySegment segment = memory.readWrite();
        Runnable writeAndSwitch =
                () -> {
                    segment.set(ValueLayout.JAVA_BYTE, 0, (byte) 5);
                    memory.readOnly();
                };
        assertThat(thrownElsewhere(writeAndSwitch)).isNull();
        assertDead(segment);
        assertThat(memory.readOnly().get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 5);
        assertThat(thrownElsewhere(memory::close)).isNull();
        assertThatIllegalStateException().isThrownBy(memory::readOnly);
    }

    @Test
    void aThreadThatReadsWhileAnotherSwitchesGetsValuesOrAnException() throws Exception {
        try (SecretMemory memory = builder().shared().allocate(8)) {
            AtomicReference<Throwable> unexpected = new AtomicReference<>();
            Thread reader =
                    Thread.ofPlatform()
                            .start(
                                    () -> {
                                        long alive = 0;
                                        while (alive < 2_000 && unexpected.get() == null) {
                                            try {
                                                MemorySegment segment = memory.readOnly();
                                                if (segment.get(ValueLayout.JAVA_BYTE, 7) != 0) {
                                                    throw new AssertionError("not what is there");
                                                }
                                                alive++;
                                            } catch (IllegalStateException dead) {
                                                // switched in between
                                            } catch (Throwable e) {
                                                unexpected.set(e);
                                            }
                                        }
                                    });
            while (reader.isAlive()) {
                memory.noAccess();
                Thread.onSpinWait();
            }
            reader.join();
            assertThat(unexpected.get()).isNull();
        }
    }

    // ---- comparing ----------------------------------------------------------------------------

    @Test
    void equalIsWhatHasTheSameSizeAndBytes() {
        try (SecretMemory memory = SecretMemory.allocate(SECRET.length)) {
            memory.readWrite().copyFrom(MemorySegment.ofArray(SECRET));
            memory.readOnly();
            assertThat(memory.contentEquals(MemorySegment.ofArray(SECRET))).isTrue();
            for (int i = 0; i < SECRET.length; i++) {
                byte[] other = SECRET.clone();
                other[i] ^= (byte) 0x80;
                assertThat(memory.contentEquals(MemorySegment.ofArray(other))).isFalse();
            }
            assertThat(memory.contentEquals(MemorySegment.ofArray(new byte[0]))).isFalse();
            assertThat(
                            memory.contentEquals(
                                    MemorySegment.ofArray(SECRET).asSlice(0, SECRET.length - 1)))
                    .isFalse();
            memory.noAccess();
            assertThatIllegalStateException()
                    .isThrownBy(() -> memory.contentEquals(MemorySegment.ofArray(SECRET)))
                    .withMessageContaining("readOnly()");
        }
    }

    // ---- overruns -----------------------------------------------------------------------------

    @ParameterizedTest
    @CsvSource({
        "-1, 1 bytes before its first",
        "-4, 4 bytes before",
        "30, 1 bytes behind its last",
        "31, 2 bytes behind"
    })
    void anOverrunThatNoGuardStopsIsReportedByTheNextSwitch(long offset, String where) {
        SecretMemory memory = builder().allocate(30, 8);
        MemorySegment segment = memory.readWrite();
        MemorySegment beside =
                CFunctions.withSize(MemorySegment.ofAddress(segment.address() + offset), 1);
        beside.set(ValueLayout.JAVA_BYTE, 0, (byte) ~beside.get(ValueLayout.JAVA_BYTE, 0));

        overrunIn(memory::noAccess, where);
        assertThat(memory.access()).isEqualTo(Access.NONE);
        assertDead(segment);
        overrunIn(memory::close, where);
        assertThatIllegalStateException().isThrownBy(memory::close);
        if (LinuxProcess.isThis()) {
            assertThat(LinuxProcess.isMapped(segment.address())).isFalse();
        }
    }

    private static void overrunIn(Runnable use, String where) {
        assertThatExceptionOfType(ProtectionException.class)
                .isThrownBy(use::run)
                .withMessageContaining(where)
                .withMessageContaining("30 bytes")
                .extracting(ProtectionException::reason)
                .isEqualTo(ProtectionException.Reason.OVERRUN);
    }

    // ---- other processes ----------------------------------------------------------------------

    /**
     * The answer of wait(2) for a child that reads a byte: its exit code times 256, or a signal.
     */
    private static final String READ_IN_A_CHILD =
            """
            #include <signal.h>
            #include <sys/prctl.h>
            #include <sys/wait.h>
            #include <unistd.h>
            int read_in_a_child(const unsigned char *byte) {
                pid_t child = fork();
                if (child == 0) {
                    signal(SIGSEGV, SIG_DFL);
                    prctl(PR_SET_DUMPABLE, 0);
                    _exit(*(volatile const unsigned char *) byte);
                }
                int status = -1;
                waitpid(child, &status, 0);
                return status;
            }
            """;

    @Test
    void aForkedChildHasNoneOfItOrZeros() throws Throwable {
        assumeLinux();
        try (Arena arena = Arena.ofConfined();
                SecretMemory absent = SecretMemory.allocate(8);
                SecretMemory wiped = builder().onFork(ForkBehaviour.WIPED).allocate(8)) {
            MethodHandle readInAChild =
                    CLibrary.compile(READ_IN_A_CHILD, arena)
                            .function(
                                    "read_in_a_child",
                                    FunctionDescriptor.of(
                                            ValueLayout.JAVA_INT, ValueLayout.ADDRESS));
            MemorySegment ordinary = arena.allocate(8).fill((byte) 42);
            assertThat((int) readInAChild.invokeExact(ordinary)).isEqualTo(42 << 8);
            assertThat((int) readInAChild.invokeExact(absent.readWrite().fill((byte) 42)) & 0x7f)
                    .as("signal")
                    .isEqualTo(11);
            assertThat((int) readInAChild.invokeExact(wiped.readWrite().fill((byte) 42))).isZero();
        }
    }

    @Test
    void anotherProcessCannotReadWhatIsHidden() throws Exception {
        try (Arena arena = Arena.ofConfined();
                SecretMemory memory = hidden(SECRET.length)) {
            MemorySegment ordinary = arena.allocate(SECRET.length);
            ordinary.copyFrom(MemorySegment.ofArray(SECRET));
            MemorySegment segment = memory.readWrite();
            segment.copyFrom(MemorySegment.ofArray(SECRET));

            assumeTrue(
                    readByAnother(ordinary).contains("horse"),
                    "skipped: this process may not be read by another one at all");
            assertThat(readByAnother(segment))
                    .doesNotContain("horse")
                    .contains("Input/output error");
            assertThat(LinuxProcess.readByKernel(ordinary.address(), 8)).isPresent();
            assertThat(LinuxProcess.readByKernel(segment.address(), 8)).isEmpty();
        }
    }

    /** What dd(1) prints of this process's memory, with its errors. */
    private static String readByAnother(MemorySegment memory) throws Exception {
        Process dd =
                new ProcessBuilder(
                                "dd",
                                "if=/proc/" + ProcessHandle.current().pid() + "/mem",
                                "bs=" + memory.byteSize(),
                                "count=1",
                                "iflag=skip_bytes",
                                "skip=" + memory.address(),
                                "status=none")
                        .redirectErrorStream(true)
                        .start();
        String output = new String(dd.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        dd.waitFor();
        return output;
    }

    private static SecretMemory.Builder builder() {
        return SecretMemory.builder();
    }

    private static SecretMemory hidden(long bytes) {
        SecretMemory memory = SecretMemory.allocate(bytes);
        if (memory.obtained() instanceof Obtained.Locked(_, String why)) {
            memory.close();
            assumeTrue(false, "skipped: " + why);
        }
        return memory;
    }

    private static void assumeLinux() {
        assumeTrue(LinuxProcess.isThis(), "skipped: /proc is Linux's");
    }

    private static void assertDead(MemorySegment segment) {
        assertThat(segment.scope().isAlive()).isFalse();
        assertThatIllegalStateException().isThrownBy(() -> segment.get(ValueLayout.JAVA_BYTE, 0));
    }

    private static Throwable thrownElsewhere(Runnable use) {
        AtomicReference<Throwable> thrown = new AtomicReference<>();
        Thread thread =
                Thread.ofPlatform()
                        .start(
                                () -> {
                                    try {
                                        use.run();
                                    } catch (Throwable e) {
                                        thrown.set(e);
                                    }
                                });
        try {
            thread.join();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
        return thrown.get();
    }
}
