package dev.kernelalloc.secret;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.AllocationException.Reason;
import dev.kernelalloc.PackageAccess;
import dev.kernelalloc.ProtectionException;
import dev.kernelalloc.SecretMemory;
import dev.kernelalloc.SecretMemory.Obtained;
import dev.kernelalloc.SecretMemory.Protection;
import dev.kernelalloc.os.CallState;
import dev.kernelalloc.os.ErrorCode;
import dev.kernelalloc.os.FakeOperatingSystem;
import dev.kernelalloc.os.FakeOperatingSystem.Operation;
import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.OperatingSystem.Advice;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.ForkBehaviour;
import dev.kernelalloc.physical.Guarantee;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;

/** Systems with less to protect with, and systems that refuse: never silently, nothing lost. */
class SecretMemoryFailuresTest {

    private final FakeOperatingSystem os = new FakeOperatingSystem();
    private final long page = os.pageBytes();

    @AfterEach
    void nothingIsLost() {
        os.assertNothingLeaked();
        assertThat(os.lockedBytes()).isZero();
    }

    private SecretMemory allocate(SecretMemory.Builder builder) {
        return PackageAccess.allocate(builder, 32, 1, os);
    }

    private SecretMemory allocate() {
        return allocate(SecretMemory.builder());
    }

    private void withoutHiddenPages() {
        os.refuse(Operation.RESERVE_HIDDEN, () -> new Refusal.NotSupported("none on this system"));
    }

    // ---- systems that have less ---------------------------------------------------------------

    @Test
    void whereThereIsNoHiddenMemoryItIsLockedAndSaysWhy() {
        withoutHiddenPages();
        try (SecretMemory memory = allocate()) {
            assertThat(memory.obtained())
                    .isEqualTo(new Obtained.Locked(Reason.NOT_SUPPORTED, "none on this system"));
            assertThat(memory.guarantees())
                    .containsExactlyInAnyOrder(Guarantee.RESIDENT, Guarantee.LOCKED);
            assertThat(os.lockedBytes()).isEqualTo(page);
            long address = memory.readWrite().address();
            assertThat(os.adviceAt(address))
                    .containsExactlyInAnyOrder(
                            Advice.DONT_FORK, Advice.DONT_DUMP, Advice.DONT_MERGE);
            assertThat(memory.toString()).contains("locked");
        }
    }

    @Test
    void whereHiddenMemoryIsForbiddenItIsLockedAndSaysWhy() {
        os.refuse(Operation.RESERVE_HIDDEN, () -> new Refusal.NotPermitted("a filter"));
        try (SecretMemory memory = allocate()) {
            assertThat(memory.obtained())
                    .isEqualTo(new Obtained.Locked(Reason.NOT_PERMITTED, "a filter"));
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = Guarantee.class,
            names = {"HIDDEN", "PINNED"})
    void whoDemandsWhatOnlyHiddenMemoryHasIsRefusedWithoutIt(Guarantee guarantee) {
        withoutHiddenPages();
        assertThatExceptionOfType(AllocationException.class)
                .isThrownBy(() -> allocate(SecretMemory.builder().require(guarantee)))
                .withMessage(
                        "32 bytes of secret memory that is [%s]: none on this system", guarantee)
                .extracting(AllocationException::reason)
                .isEqualTo(Reason.NOT_SUPPORTED);
        assertThat(os.count(Operation.LOCK)).isZero();

        allocate(SecretMemory.builder().require(Guarantee.LOCKED, Guarantee.RESIDENT)).close();
        os.allow(Operation.RESERVE_HIDDEN);
        allocate(SecretMemory.builder().require(guarantee)).close();
    }

    @Test
    void whoWantsZerosInAChildGetsLockedMemoryAndTheReason() {
        try (SecretMemory memory = allocate(SecretMemory.builder().onFork(ForkBehaviour.WIPED))) {
            assertThat(memory.obtained())
                    .isInstanceOfSatisfying(
                            Obtained.Locked.class,
                            locked -> assertThat(locked.whyNotHidden()).contains("shared memory"));
            assertThat(os.adviceAt(memory.readWrite().address()))
                    .containsExactlyInAnyOrder(
                            Advice.WIPE_ON_FORK, Advice.DONT_DUMP, Advice.DONT_MERGE);
        }
    }

    /** As on Windows and macOS. */
    @Test
    void whatASystemDoesNotHaveIsNamedWithTheReason() {
        withoutHiddenPages();
        os.refuse(Operation.ADVISE, () -> new Refusal.NotSupported("not on this system"));
        try (SecretMemory memory = allocate()) {
            assertThat(memory.missing().keySet()).containsExactlyInAnyOrder(Protection.values());
            assertThat(memory.missing().values()).containsOnly("not on this system");
            memory.readWrite().fill((byte) 1);
        }
    }

    // ---- refusals -----------------------------------------------------------------------------

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3})
    void aProtectionThatIsRefusedIsAnException(int nth) {
        for (boolean hidden : new boolean[] {true, false}) {
            if (!hidden) {
                withoutHiddenPages();
            }
            os.refuse(Operation.ADVISE, () -> new Refusal.SystemError("advice: EIO (5)", EIO))
                    .onNth(nth);
            assertThatExceptionOfType(AllocationException.class)
                    .isThrownBy(this::allocate)
                    .withMessageContaining("32 bytes of secret memory: advice: EIO (5)")
                    .extracting(AllocationException::reason)
                    .isEqualTo(Reason.SYSTEM_ERROR);
            os.allow(Operation.ADVISE);
            os.assertNothingLeaked();
        }
    }

    private static final ErrorCode EIO = new ErrorCode(5, "EIO");

    @ParameterizedTest
    @EnumSource(
            value = Operation.class,
            names = {"RESERVE", "COMMIT", "ADVISE", "LOCK", "POPULATE"})
    void whatIsRefusedInPlaceOfHiddenMemoryTellsAlsoWhyItIsNotHidden(Operation refused) {
        withoutHiddenPages();
        assertThat(refusalOf(refused).getCause().getSuppressed())
                .extracting(Throwable::getMessage)
                .containsExactly("none on this system");
    }

    @ParameterizedTest
    @EnumSource(
            value = Operation.class,
            names = {"RESERVE_HIDDEN", "ADVISE", "PROTECT"})
    void whatIsRefusedOfHiddenMemoryIsAnException(Operation refused) {
        assertThat(refusalOf(refused).getCause().getSuppressed()).isEmpty();
        assertThat(os.count(Operation.LOCK)).isZero();
    }

    private AllocationException refusalOf(Operation refused) {
        os.refuse(refused, () -> new Refusal.LockLimit("too much"));
        AllocationException refusal =
                catchThrowableOfType(AllocationException.class, this::allocate);
        assertThat(refusal).hasMessageContaining("too much");
        assertThat(refusal.reason()).isEqualTo(Reason.LOCK_LIMIT);
        os.assertNothingLeaked();
        os.allow(refused);
        return refusal;
    }

    @Test
    void overTheLimitHiddenPagesAreNotReplacedByLockedOnes() {
        os.lockLimit(page);
        try (SecretMemory _ = allocate()) {
            assertThatExceptionOfType(AllocationException.class)
                    .isThrownBy(this::allocate)
                    .extracting(AllocationException::reason)
                    .isEqualTo(Reason.LOCK_LIMIT);
            assertThat(os.count(Operation.LOCK)).isZero();
        }
        allocate().close();
    }

    @Test
    void aQuarterOfTheKernelsMappingsIsTheMost() {
        os.maxMappings(24);
        List<SecretMemory> secrets = new ArrayList<>(List.of(allocate(), allocate()));
        assertThatExceptionOfType(AllocationException.class)
                .isThrownBy(this::allocate)
                .withMessageContaining("has 2 secrets of 3 mappings each")
                .withMessageContaining("vm.max_map_count");
        secrets.removeLast().close();
        secrets.add(allocate());
        secrets.forEach(SecretMemory::close);
    }

    @Test
    void aSwitchThatIsRefusedLeavesNoSegmentAndCanBeTriedAgain() {
        try (SecretMemory memory = allocate()) {
            MemorySegment segment = memory.readWrite();
            segment.set(ValueLayout.JAVA_BYTE, 0, (byte) 7);
            os.refuse(Operation.PROTECT, () -> new Refusal.OutOfMemory("protecting: ENOMEM (12)"));
            for (Runnable use : new Runnable[] {memory::noAccess, memory::readOnly}) {
                assertThatExceptionOfType(ProtectionException.class)
                        .isThrownBy(use::run)
                        .withMessageContaining("stay READ_WRITE, not ")
                        .withMessageContaining("ENOMEM (12)")
                        .extracting(ProtectionException::reason)
                        .isEqualTo(ProtectionException.Reason.NOT_CHANGED);
                assertThat(segment.scope().isAlive()).isFalse();
                assertThat(memory.access()).isEqualTo(SecretMemory.Access.NONE);
            }
            os.allow(Operation.PROTECT);
            assertThat(memory.readOnly().get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 7);
        }
    }

    @Test
    void aCloseThatCannotWriteZerosSaysSoAndGivesThePagesBack() {
        SecretMemory memory = allocate();
        os.refuse(Operation.PROTECT);
        assertThatExceptionOfType(ProtectionException.class)
                .isThrownBy(memory::close)
                .extracting(ProtectionException::reason)
                .isEqualTo(ProtectionException.Reason.NOT_CHANGED);
        assertThatIllegalStateException().isThrownBy(memory::close);
    }

    @Test
    void pagesThatTheSystemDoesNotTakeBackAreZerosAndReported() throws Refusal {
        SecretMemory memory = allocate();
        MemorySegment segment = memory.readWrite().fill((byte) 1);
        os.refuse(Operation.RELEASE);
        assertThatExceptionOfType(ProtectionException.class)
                .isThrownBy(memory::close)
                .withMessageContaining("stays mapped")
                .extracting(ProtectionException::reason)
                .isEqualTo(ProtectionException.Reason.NOT_RELEASED);
        assertThat(segment.scope().isAlive()).isFalse();
        os.allow(Operation.RELEASE);
        long start = segment.address() + segment.byteSize() - 2 * page;
        os.release(start, 3 * page, Arena.ofAuto().allocate(CallState.LAYOUT));
    }

    // ---- zeros --------------------------------------------------------------------------------

    @ParameterizedTest
    @EnumSource(names = {"ABSENT", "WIPED"})
    void everyByteIsZeroWhenThePagesGoBack(ForkBehaviour onFork) {
        List<Boolean> zeros = new ArrayList<>();
        OperatingSystem watched = watchingReleases(zeros);
        SecretMemory memory =
                PackageAccess.allocate(SecretMemory.builder().onFork(onFork), 5000, 8, watched);
        memory.readWrite().fill((byte) 1);
        memory.noAccess();
        memory.close();
        assertThat(zeros).containsExactly(true);
    }

    /** Notes for each release whether what lies between its first and last page is zero. */
    private OperatingSystem watchingReleases(List<Boolean> zeros) {
        return (OperatingSystem)
                Proxy.newProxyInstance(
                        OperatingSystem.class.getClassLoader(),
                        new Class<?>[] {OperatingSystem.class},
                        (_, method, arguments) -> {
                            if (method.getName().equals("release")) {
                                long bytes = (long) arguments[1] - 2 * page;
                                MemorySegment pages =
                                        NativeMemory.segment((long) arguments[0] + page, bytes);
                                byte[] expected = new byte[(int) bytes];
                                zeros.add(pages.mismatch(MemorySegment.ofArray(expected)) == -1);
                            }
                            try {
                                return method.invoke(os, arguments);
                            } catch (InvocationTargetException e) {
                                throw e.getCause();
                            }
                        });
    }
}
