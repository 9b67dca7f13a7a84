package dev.kernelalloc.os;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;

import dev.kernelalloc.os.OperatingSystem.Access;
import dev.kernelalloc.os.OperatingSystem.Advice;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;

/** The calls made on Windows, and what their answers mean, on any system. */
class WindowsTest {

    private static final long PAGE = 4096;
    private static final long GRANULARITY = 65536;
    private static final long LARGE = 2 << 20;
    private static final long PLACE = 0x10010000L;

    private final MemorySegment callState = MemorySegment.NULL;
    private final Answers answers = new Answers();
    private final OperatingSystem windows = new Windows(answers);

    @Test
    void thePageSizeIsTheSystems() {
        assertThat(windows.pageBytes()).isEqualTo(PAGE);
    }

    @Test
    void alignedBlocksKeepTheirSize() {
        assertThat(windows.hasAlignedRealloc()).isFalse();
        assertThatThrownBy(() -> windows.alignedRealloc(PLACE, 100))
                .isInstanceOf(Refusal.NotSupported.class);
    }

    @Test
    void alignedBlocksGoBackThroughTheirOwnFree() throws Refusal {
        assertThat(windows.alignedAlloc(64, 100)).isEqualTo(PLACE);
        windows.alignedFree(PLACE);
        windows.free(PLACE);
        assertThat(answers.calls)
                .containsExactly(
                        "_aligned_malloc 100 64", "_aligned_free 10010000", "free 10010000");
    }

    @Test
    void aHeapWithoutMemoryIsOutOfMemory() {
        answers.errors.add(8);
        assertThatThrownBy(() -> windows.alignedAlloc(64, Long.MAX_VALUE))
                .isInstanceOf(Refusal.OutOfMemory.class)
                .hasMessageContaining("9223372036854775807 bytes");
    }

    @Test
    void reservationsWithinTheGranularityTakeOneCall() throws Refusal {
        assertThat(windows.reserve(PAGE, GRANULARITY, callState)).isEqualTo(PLACE);
        assertThat(answers.calls).containsExactly("VirtualAlloc 0 4096 0x2000 0x1");
    }

    @Test
    void largerAlignmentsAreLookedForAndTriedAgainWhenThePlaceIsTaken() throws Refusal {
        answers.errors.addAll(List.of(0, 0, 487));
        assertThat(windows.reserve(PAGE, 2 * GRANULARITY, callState)).isEqualTo(0x10020000L);
        List<String> attempt =
                List.of(
                        "VirtualAlloc 0 135168 0x2000 0x1",
                        "VirtualFree 10010000 0 0x8000",
                        "VirtualAlloc 10020000 4096 0x2000 0x1");
        assertThat(answers.calls)
                .hasSize(6)
                .startsWith(attempt.toArray(String[]::new))
                .endsWith(attempt.get(2));
    }

    @Test
    void anAlignedPlaceThatIsAlwaysTakenEndsInARefusal() {
        for (int i = 0; i < 16; i++) {
            answers.errors.addAll(List.of(0, 0, 487));
        }
        assertThatThrownBy(() -> windows.reserve(PAGE, 2 * GRANULARITY, callState))
                .isInstanceOf(Refusal.SystemError.class)
                .hasMessageContainingAll("16 attempts", "ERROR_INVALID_ADDRESS (487)");
        assertThat(answers.calls).hasSize(48);
    }

    @Test
    void sizesBeyondTheAddressSpaceAreOutOfMemory() {
        assertThatThrownBy(
                        () -> windows.reserve(Long.MAX_VALUE & -PAGE, 2 * GRANULARITY, callState))
                .isInstanceOf(Refusal.OutOfMemory.class);
        assertThat(answers.calls).isEmpty();
    }

    @Test
    void pagesGoThroughTheirLife() throws Refusal {
        windows.commit(PLACE, PAGE, callState);
        windows.protect(PLACE, PAGE, Access.NONE, callState);
        windows.protect(PLACE, PAGE, Access.READ, callState);
        windows.protect(PLACE, PAGE, Access.READ_WRITE, callState);
        windows.lock(PLACE, PAGE, callState);
        windows.unlock(PLACE, PAGE, callState);
        windows.release(PLACE, PAGE, callState);
        assertThat(answers.calls)
                .containsExactly(
                        "VirtualAlloc 10010000 4096 0x1000 0x4",
                        "VirtualProtect 10010000 4096 0x1",
                        "VirtualProtect 10010000 4096 0x2",
                        "VirtualProtect 10010000 4096 0x4",
                        "VirtualLock 10010000 4096",
                        "VirtualUnlock 10010000 4096",
                        "VirtualFree 10010000 0 0x8000");
    }

    @ParameterizedTest
    @ValueSource(ints = {8, 1450, 1455})
    void aCommitWithoutMemoryIsOutOfMemory(int error) {
        answers.errors.add(error);
        assertThatThrownBy(() -> windows.commit(PLACE, PAGE, callState))
                .isInstanceOf(Refusal.OutOfMemory.class)
                .hasMessageContaining("(" + error + ")");
    }

    @Test
    void aLockBeyondTheWorkingSetGrowsItOnceAndIsRetried() throws Refusal {
        answers.errors.add(1453);
        windows.lock(PLACE, PAGE, callState);
        assertThat(answers.calls)
                .containsExactly(
                        "VirtualLock 10010000 4096",
                        "GetProcessWorkingSetSizeEx -1",
                        "SetProcessWorkingSetSizeEx -1 208896 1417216 0xa",
                        "VirtualLock 10010000 4096");
    }

    @Test
    void aLockBeyondTheGrownWorkingSetIsTheLockLimit() {
        answers.errors.addAll(List.of(1453, 0, 0, 1453));
        assertThatThrownBy(() -> windows.lock(PLACE, PAGE, callState))
                .isInstanceOf(Refusal.LockLimit.class)
                .hasMessageContainingAll(
                        "4096 bytes",
                        "ERROR_WORKING_SET_QUOTA (1453)",
                        "SeIncreaseWorkingSetPrivilege");
        assertThat(answers.calls).hasSize(4);
    }

    @Test
    void aWorkingSetThatMayNotGrowIsTheLockLimit() {
        answers.errors.addAll(List.of(1453, 0, 1314));
        assertThatThrownBy(() -> windows.lock(PLACE, PAGE, callState))
                .isInstanceOf(Refusal.LockLimit.class)
                .hasMessageContainingAll("from 204800 bytes", "ERROR_PRIVILEGE_NOT_HELD (1314)");
    }

    @Test
    void unlockingWhatIsNotLockedIsNoMistake() throws Refusal {
        answers.errors.add(158);
        windows.unlock(PLACE, PAGE, callState);
        answers.errors.add(487);
        assertThatThrownBy(() -> windows.unlock(PLACE, PAGE, callState))
                .isInstanceOf(Refusal.SystemError.class);
    }

    @Test
    void thePrivilegeToGrowTheWorkingSetIsSwitchedOnAndTheCallRepeated() throws Refusal {
        answers.errors.addAll(List.of(1453, 0, 1314));
        answers.held = true;
        windows.lock(PLACE, PAGE, callState);
        assertThat(answers.calls)
                .containsSequence(
                        "SetProcessWorkingSetSizeEx -1 208896 1417216 0xa",
                        "OpenProcessToken -1 0x28",
                        "LookupPrivilegeValueW SeIncreaseWorkingSetPrivilege",
                        "AdjustTokenPrivileges 70 1 2",
                        "CloseHandle 70",
                        "SetProcessWorkingSetSizeEx -1 208896 1417216 0xa",
                        "VirtualLock 10010000 4096");
    }

    @Test
    void aWorkingSetThatTheMemoryDoesNotAllowIsOutOfMemory() {
        answers.errors.addAll(List.of(1453, 0, 1450));
        assertThatThrownBy(() -> windows.lock(PLACE, PAGE, callState))
                .isInstanceOf(Refusal.OutOfMemory.class)
                .hasMessageContainingAll(
                        "from 204800 bytes", "ERROR_NO_SYSTEM_RESOURCES (1450)", "Ask for less");
    }

    @ParameterizedTest
    @CsvSource({
        "5, job object",
        "487, is not committed",
        "998, is not committed",
        "1314, whoami /priv",
        "1450, kept from being paged out|Ask for less",
        "1455, Enlarge the page file"
    })
    void everyErrorOfALockIsExplained(int error, String remedy) {
        answers.errors.add(error);
        assertThatThrownBy(() -> windows.lock(PLACE, PAGE, callState))
                .isInstanceOf(Refusal.class)
                .hasMessageContaining("locking 4096 bytes at 0x10010000")
                .hasMessageContaining("(" + error + ")")
                .satisfies(
                        thrown ->
                                assertThat(remedy.split("\\|"))
                                        .anyMatch(text -> thrown.getMessage().contains(text)));
    }

    // ---- large pages --------------------------------------------------------------------------

    @Test
    void largePagesAreReservedAndCommittedInOneCall() throws Refusal {
        assertThat(windows.largePageBytes()).isEqualTo(LARGE);
        assertThat(windows.reserveLarge(LARGE, LARGE, callState)).isEqualTo(PLACE);
        assertThat(answers.calls).containsExactly("VirtualAlloc 0 2097152 0x20003000 0x4");
    }

    @Test
    void thePrivilegeForLargePagesIsSwitchedOnWhenItIsMissed() throws Refusal {
        answers.held = true;
        answers.errors.add(1314);
        assertThat(windows.reserveLarge(LARGE, LARGE, callState)).isEqualTo(PLACE);
        assertThat(answers.calls)
                .containsExactly(
                        "VirtualAlloc 0 2097152 0x20003000 0x4",
                        "OpenProcessToken -1 0x28",
                        "LookupPrivilegeValueW SeLockMemoryPrivilege",
                        "AdjustTokenPrivileges 70 1 2",
                        "CloseHandle 70",
                        "VirtualAlloc 0 2097152 0x20003000 0x4");
    }

    /** The function succeeds, and only the error code says that it has done nothing. */
    @Test
    void aPrivilegeThatIsNotHeldIsRecognised() {
        answers.errors.add(1314);
        assertThatThrownBy(() -> windows.reserveLarge(LARGE, LARGE, callState))
                .isInstanceOf(Refusal.NotPermitted.class)
                .hasMessageContainingAll(
                        "ERROR_NOT_ALL_ASSIGNED (1300)",
                        "SeLockMemoryPrivilege",
                        "\"Lock pages in memory\" in secpol.msc",
                        "sign in again");
        assertThat(answers.calls).endsWith("CloseHandle 70").hasSize(5);
    }

    @ParameterizedTest
    @CsvSource({"1, OpenProcessToken", "2, LookupPrivilegeValueW", "3, AdjustTokenPrivileges"})
    void aTokenThatCannotBeReadOrChangedIsRefusedAndClosed(int failing, String call) {
        answers.errors.add(1314);
        for (int i = 1; i < failing; i++) {
            answers.errors.add(0);
        }
        answers.errors.add(5);
        assertThatThrownBy(() -> windows.reserveLarge(LARGE, LARGE, callState))
                .isInstanceOf(Refusal.class)
                .hasMessageContainingAll("SeLockMemoryPrivilege", "ERROR_ACCESS_DENIED (5)");
        assertThat(answers.calls).filteredOn(made -> made.startsWith(call)).hasSize(1);
        assertThat(answers.calls.contains("CloseHandle 70")).isEqualTo(failing > 1);
    }

    @Test
    void largerAlignmentsOfLargePagesAreLookedForAndTriedAgainWhenThePlaceIsTaken() throws Refusal {
        answers.errors.addAll(List.of(0, 0, 0, 0, 487));
        long address = windows.reserveLarge(LARGE, 2 * LARGE, callState);
        assertThat(address % (2 * LARGE)).isZero();
        assertThat(answers.calls)
                .hasSize(10)
                .endsWith("VirtualAlloc %x 2097152 0x20003000 0x4".formatted(address));
    }

    @Test
    void aPlaceForLargePagesThatIsAlwaysTakenEndsInARefusal() {
        for (int i = 0; i < 16; i++) {
            answers.errors.addAll(List.of(0, 0, 0, 0, 487));
        }
        assertThatThrownBy(() -> windows.reserveLarge(LARGE, 2 * LARGE, callState))
                .isInstanceOf(Refusal.SystemError.class)
                .hasMessageContaining("ERROR_INVALID_ADDRESS (487)");
        assertThat(answers.calls).hasSize(80);
    }

    @ParameterizedTest
    @CsvSource({
        "1450, Fragmented, memory is fragmented",
        "87, NotSupported, Wine",
        "8, OutOfMemory, no memory",
        "1455, OutOfMemory, Enlarge the page file"
    })
    void everyErrorOfLargePagesIsExplained(int error, String kind, String remedy) {
        answers.errors.add(error);
        assertThatThrownBy(() -> windows.reserveLarge(LARGE, LARGE, callState))
                .extracting(thrown -> thrown.getClass().getSimpleName())
                .isEqualTo(kind);
        answers.errors.add(error);
        assertThatThrownBy(() -> windows.reserveLarge(LARGE, LARGE, callState))
                .hasMessageContainingAll("2097152 bytes", "(" + error + ")", remedy);
    }

    @Test
    void thereIsNoForkAndOtherAdviceIsNotSupported() throws Refusal {
        windows.advise(PLACE, PAGE, Advice.DONT_FORK, callState);
        for (Advice advice : List.of(Advice.DONT_MERGE, Advice.DONT_DUMP)) {
            assertThatThrownBy(() -> windows.advise(PLACE, PAGE, advice, callState))
                    .isInstanceOf(Refusal.NotSupported.class);
        }
        assertThat(answers.calls).isEmpty();
    }

    @Test
    void theLimitsAreUnknownUntilTheyAreMetAndMemoryIsWhatTheSystemTells() throws Refusal {
        assertThat(windows.lockBudget().remainingBytes()).isEqualTo(Long.MAX_VALUE);
        assertThat(windows.availableBytes()).isEqualTo(1L << 33);
    }

    /** A class of handles is linked as a whole, and one missing function fails it. */
    @Test
    void noFunctionOfAnotherSystemIsLinked() {
        JavaClasses classes =
                new ClassFileImporter()
                        .importPath(
                                Path.of(
                                        System.getProperty("project.basedir", ""),
                                        "target",
                                        "classes"));
        noClasses()
                .that()
                .haveNameMatching(".*\\.Windows.*")
                .should()
                .dependOnClassesThat()
                .haveNameMatching(".*\\.(Posix|Linux|Mac)Calls.*")
                .check(classes);
    }

    /**
     * Records every call. Each fails with the next of {@link #errors}; 0, or none left, is success.
     */
    private static final class Answers implements WindowsCalls {

        private final List<String> calls = new ArrayList<>();
        private final Queue<Integer> errors = new ArrayDeque<>();
        private int lastError;
        private boolean held;

        private int answer(String call) {
            calls.add(call);
            int error = errors.isEmpty() ? 0 : errors.remove();
            if (error == 0) {
                return 1;
            }
            lastError = error;
            return 0;
        }

        private static String range(String name, long address, long bytes) {
            return name + " " + Long.toHexString(address) + " " + bytes;
        }

        private static String hex(int value) {
            return " 0x" + Integer.toHexString(value);
        }

        @Override
        public int lastError(MemorySegment callState) {
            return lastError;
        }

        @Override
        public long alignedMalloc(long bytes, long alignment) {
            return answer("_aligned_malloc " + bytes + " " + alignment) * PLACE;
        }

        @Override
        public void alignedFree(long address) {
            calls.add("_aligned_free " + Long.toHexString(address));
        }

        @Override
        public void free(long address) {
            calls.add("free " + Long.toHexString(address));
        }

        @Override
        public long virtualAlloc(
                long address, long bytes, int type, int protection, MemorySegment callState) {
            int succeeded =
                    answer(range("VirtualAlloc", address, bytes) + hex(type) + hex(protection));
            return succeeded * (address == 0 ? PLACE : address);
        }

        @Override
        public int virtualFree(long address, long bytes, int type, MemorySegment callState) {
            return answer(range("VirtualFree", address, bytes) + hex(type));
        }

        @Override
        public int virtualProtect(
                long address,
                long bytes,
                int protection,
                MemorySegment old,
                MemorySegment callState) {
            old.set(ValueLayout.JAVA_INT, 0, 4);
            return answer(range("VirtualProtect", address, bytes) + hex(protection));
        }

        @Override
        public int virtualLock(MemorySegment memory, MemorySegment callState) {
            return answer(range("VirtualLock", memory.address(), memory.byteSize()));
        }

        @Override
        public int virtualUnlock(MemorySegment memory, MemorySegment callState) {
            return answer(range("VirtualUnlock", memory.address(), memory.byteSize()));
        }

        @Override
        public int getProcessWorkingSetSizeEx(
                long process,
                MemorySegment minimum,
                MemorySegment maximum,
                MemorySegment flags,
                MemorySegment state) {
            minimum.set(ValueLayout.JAVA_LONG, 0, 50 * PAGE);
            maximum.set(ValueLayout.JAVA_LONG, 0, 345 * PAGE);
            flags.set(ValueLayout.JAVA_INT, 0, 0xa);
            return answer("GetProcessWorkingSetSizeEx " + process);
        }

        @Override
        public int setProcessWorkingSetSizeEx(
                long process, long minimum, long maximum, int flags, MemorySegment callState) {
            return answer(
                    "SetProcessWorkingSetSizeEx "
                            + process
                            + " "
                            + minimum
                            + " "
                            + maximum
                            + hex(flags));
        }

        @Override
        public int openProcessToken(
                long process, int access, MemorySegment token, MemorySegment callState) {
            token.set(ValueLayout.JAVA_LONG, 0, 70);
            return answer("OpenProcessToken " + process + hex(access));
        }

        @Override
        public int lookupPrivilegeValue(
                MemorySegment name, MemorySegment luid, MemorySegment callState) {
            luid.set(ValueLayout.JAVA_INT, 0, 4);
            luid.set(ValueLayout.JAVA_INT, 4, -1);
            return answer("LookupPrivilegeValueW " + name.getString(0, StandardCharsets.UTF_16LE));
        }

        @Override
        public int adjustTokenPrivileges(
                long token, MemorySegment privileges, MemorySegment callState) {
            assertThat(privileges.byteSize()).isEqualTo(16);
            assertThat(privileges.get(ValueLayout.JAVA_INT, 4)).isEqualTo(4);
            assertThat(privileges.get(ValueLayout.JAVA_INT, 8)).isEqualTo(-1);
            int succeeded =
                    answer(
                            "AdjustTokenPrivileges %d %d %d"
                                    .formatted(
                                            token,
                                            privileges.get(ValueLayout.JAVA_INT, 0),
                                            privileges.get(ValueLayout.JAVA_INT, 12)));
            if (succeeded != 0) {
                lastError = held ? 0 : 1300;
            }
            return succeeded;
        }

        @Override
        public int closeHandle(long handle) {
            calls.add("CloseHandle " + handle);
            return 1;
        }

        @Override
        public long getLargePageMinimum() {
            return LARGE;
        }

        @Override
        public void getSystemInfo(MemorySegment systemInfo) {
            systemInfo.set(ValueLayout.JAVA_INT, 4, (int) PAGE);
            systemInfo.set(ValueLayout.JAVA_INT, 40, (int) GRANULARITY);
        }

        @Override
        public int globalMemoryStatusEx(MemorySegment status) {
            assertThat(status.get(ValueLayout.JAVA_INT, 0)).isEqualTo(64);
            status.set(ValueLayout.JAVA_LONG, 16, 1L << 33);
            return 1;
        }
    }
}
