package dev.kernelalloc.physical;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.AdoptedMemory;
import dev.kernelalloc.AllocationException;
import dev.kernelalloc.PackageAccess;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.Platform;
import dev.kernelalloc.testing.CFunctions;
import dev.kernelalloc.testing.ChildJvm;
import dev.kernelalloc.testing.LinuxProcess;
import dev.kernelalloc.testing.PageMoves;

import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicReference;

/** Memory that others have mapped is locked, pinned and resolved in place, and left as it was. */
@EnabledOnOs(OS.LINUX)
class AdoptedMemoryTest {

    private static final long PAGE_BYTES = 4096;
    private static final long BYTES = 64 * PAGE_BYTES;
    private static final long HUGE_BYTES = 2L << 20;
    private static final int MADV_DONTNEED_LOCKED = 24;
    private static final int MADV_COLLAPSE = 25;

    private static final PhysicalRequest LOCKED = PhysicalRequest.ofBytes(BYTES).build();

    private final List<Drift> drifts = new ArrayList<>();

    @AutoClose
    private final PhysicalAllocator physical =
            PhysicalAllocator.builder().onDrift(drifts::add).build();

    private static MemorySegment pages(Arena arena) {
        MemorySegment memory = arena.allocate(BYTES + PAGE_BYTES, PAGE_BYTES);
        return memory.asSlice(0, BYTES);
    }

    private static void assumeFramesAreSeen() {
        assumeTrue(LinuxProcess.seesFrames(), "skipped: frames are hidden from this process");
    }

    @Test
    @DisplayName("Adopted pages keep their contents, are locked, and have the page map's addresses")
    void adopt_memoryOfAnArena_isLockedAndResolved() throws Throwable {
        PageMoves.unlessMoved(
                () -> {
                    assumeFramesAreSeen();
                    try (Arena arena = Arena.ofShared()) {
                        MemorySegment memory = pages(arena);
                        memory.fill((byte) 7);
                        long lockedBefore = LinuxProcess.lockedBytes();
                        AdoptedMemory adopted = physical.adopt(memory, LOCKED);
                        assertThat(LinuxProcess.lockedBytes()).isEqualTo(lockedBefore + BYTES);
                        assertThat(adopted.guarantee()).contains(Guarantee.LOCKED);
                        for (long offset = 0; offset < BYTES; offset += PAGE_BYTES) {
                            assertThat(adopted.addressOf(offset + 3).value())
                                    .isEqualTo(
                                            LinuxProcess.physicalAddress(memory.address() + offset)
                                                    + 3);
                        }
                        List<PhysicalExtent> visited = new ArrayList<>();
                        PhysicalExtent first = adopted.extents().getFirst();
                        adopted.extents(
                                Long.MAX_VALUE,
                                0,
                                (address, bytes) ->
                                        visited.add(
                                                new PhysicalExtent(
                                                        new PhysicalAddress(
                                                                address, first.start().scope()),
                                                        bytes)));
                        assertThat(visited).isEqualTo(adopted.extents());
                        assertThat(adopted.verify().verdict())
                                .isEqualTo(Verification.Verdict.CONFIRMED);
                        assertThat(memory.asByteBuffer().get(5)).isEqualTo((byte) 7);
                        adopted.close();
                        assertThat(LinuxProcess.lockedBytes()).isEqualTo(lockedBefore);
                        assertThat(memory.asByteBuffer().get(5)).isEqualTo((byte) 7);
                        assertThatIllegalStateException().isThrownBy(adopted::close);
                        assertThatIllegalStateException().isThrownBy(() -> adopted.addressOf(0));
                    }
                });
    }

    @Test
    @DisplayName("Adopted memory is pinned on request, and no longer once it is closed")
    void adopt_pinned_isPinnedUntilClosed() {
        try (Arena arena = Arena.ofShared()) {
            long pinnedBefore = LinuxProcess.pinnedBytes();
            AdoptedMemory adopted;
            try {
                adopted =
                        physical.adopt(
                                pages(arena),
                                PhysicalRequest.ofBytes(0).atLeast(Guarantee.NEVER_MOVED).build());
            } catch (AllocationException e) {
                assumeTrue(false, "skipped: pins are refused: " + e.getMessage());
                return;
            }
            assertThat(adopted.pin()).isPresent();
            assertThat(adopted.guarantee()).contains(Guarantee.PINNED);
            assertThat(adopted.verify().lost()).isEmpty();
            adopted.close();
            assertThat(LinuxProcess.pinnedBytes()).isEqualTo(pinnedBefore);
        }
    }

    @Test
    @DisplayName(
            "A page that native code replaces is a drift, and has its new address from then on")
    void verify_replacedPage_isADrift() throws Throwable {
        PageMoves.unlessMoved(
                () -> {
                    assumeFramesAreSeen();
                    try (Arena arena = Arena.ofShared()) {
                        drifts.clear();
                        MemorySegment memory = pages(arena);
                        try (AdoptedMemory adopted = physical.adopt(memory, LOCKED)) {
                            MemorySegment page = memory.asSlice(5 * PAGE_BYTES, PAGE_BYTES);
                            assertThat(CFunctions.madvise(page, MADV_DONTNEED_LOCKED)).isZero();
                            assertThat(adopted.verify().drifts()).hasSize(1);
                            assertThatExceptionOfType(PhysicalAddressException.class)
                                    .isThrownBy(() -> adopted.addressOf(5 * PAGE_BYTES));
                            page.fill((byte) 1);
                            adopted.verify();
                            assertThat(adopted.addressOf(5 * PAGE_BYTES).value())
                                    .isEqualTo(LinuxProcess.physicalAddress(page.address()));
                            assertThat(drifts).hasSize(2);
                        }
                    }
                });
    }

    @Test
    @DisplayName("Memory that was locked before stays locked")
    void close_memoryLockedBefore_keepsItsLock() throws Throwable {
        try (Arena arena = Arena.ofShared()) {
            MemorySegment memory = pages(arena);
            assertThat(call("mlock", memory)).isZero();
            physical.adopt(memory, LOCKED).close();
            assertThat(LinuxProcess.mappingFlags(memory.address())).contains("lo");
            assertThat(call("munlock", memory)).isZero();
        }
    }

    @Test
    @DisplayName("Pages of two adoptions, of two allocators, stay locked until both are closed")
    void close_pagesAdoptedTwice_keepTheirLock() throws IOException {
        try (Arena arena = Arena.ofShared();
                PhysicalAllocator other = PhysicalAllocator.create()) {
            MemorySegment memory = pages(arena);
            MemorySegment middle = memory.asSlice(8 * PAGE_BYTES, 8 * PAGE_BYTES);
            MemorySegment second = memory.asSlice(12 * PAGE_BYTES, 8 * PAGE_BYTES);
            long lockedBefore = LinuxProcess.lockedBytes();
            AdoptedMemory whole = physical.adopt(memory, LOCKED);
            AdoptedMemory one = other.adopt(middle, LOCKED);
            AdoptedMemory two = physical.adopt(second, LOCKED);
            AdoptedMemory unlocked =
                    physical.adopt(
                            memory,
                            PhysicalRequest.ofBytes(BYTES).atLeast(Guarantee.RESIDENT).build());
            whole.close();
            assertThat(LinuxProcess.lockedBytes()).isEqualTo(lockedBefore + 12 * PAGE_BYTES);
            assertThat(LinuxProcess.mappingFlags(middle.address())).contains("lo");
            assertThat(one.verify().lost()).isEmpty();
            assertThat(two.verify().lost()).isEmpty();
            one.close();
            assertThat(LinuxProcess.lockedBytes()).isEqualTo(lockedBefore + 8 * PAGE_BYTES);
            two.close();
            assertThat(LinuxProcess.lockedBytes()).isEqualTo(lockedBefore);
            unlocked.close();
        }
    }

    @Test
    @DisplayName("Closing the adoption of memory that is gone leaves the lock of what is there now")
    void close_placeMappedAnew_keepsTheLockOfOthers() throws Throwable {
        PhysicalRequest request = PhysicalRequest.ofBytes(HUGE_BYTES).build();
        try (PhysicalAllocator other = PhysicalAllocator.create()) {
            MemorySegment place = other.allocate(request);
            other.free(place);
            other.trim();
            MemorySegment memory = map(place);
            assumeTrue(
                    memory.address() == place.address(),
                    "skipped: the place is still mapped by the allocator");
            AdoptedMemory adopted = physical.adopt(memory, LOCKED);
            assertThat(call("munmap", memory)).isZero();
            MemorySegment theirs = other.allocate(request);
            long locked = LinuxProcess.lockedBytes();
            adopted.close();
            assertThat(LinuxProcess.lockedBytes()).isEqualTo(locked);
            assertThat(LinuxProcess.mappingFlags(theirs.address())).contains("lo");
            other.free(theirs);
            assumeTrue(
                    theirs.asOverlappingSlice(memory).isPresent(),
                    "skipped: the new memory is mapped elsewhere");
        }
    }

    @Test
    @DisplayName("Memory whose arena is closed before its lock is refused, and no other is locked")
    void adopt_arenaClosedBeforeTheLock_locksNothing() {
        ReplacedMemory memory = new ReplacedMemory("lock");
        try (PhysicalAllocator own =
                PackageAccess.build(PhysicalAllocator.builder(), memory.system)) {
            assertThatIllegalStateException().isThrownBy(() -> own.adopt(memory.first, LOCKED));
            assertThat(LinuxProcess.mappingFlags(memory.second.address())).doesNotContain("lo");
        }
        memory.unmap();
    }

    @Test
    @DisplayName("An allocator that is closed during adopt does not return the adoption")
    void adopt_allocatorClosedBeforeTheLock_isRefused() {
        AtomicReference<PhysicalAllocator> closing = new AtomicReference<>();
        OperatingSystem system =
                (OperatingSystem)
                        Proxy.newProxyInstance(
                                OperatingSystem.class.getClassLoader(),
                                new Class<?>[] {OperatingSystem.class},
                                (_, method, arguments) -> {
                                    if (method.getName().equals("lock")) {
                                        closing.get().close();
                                    }
                                    return ReplacedMemory.invoke(method, arguments);
                                });
        closing.set(PackageAccess.build(PhysicalAllocator.builder(), system));
        long lockedBefore = LinuxProcess.lockedBytes();
        try (Arena arena = Arena.ofShared()) {
            assertThatIllegalStateException()
                    .isThrownBy(() -> closing.get().adopt(pages(arena), LOCKED));
            assertThat(LinuxProcess.lockedBytes()).isEqualTo(lockedBefore);
        }
    }

    @Test
    @DisplayName("An arena that is closed before its unlock leaves what is mapped there locked")
    void close_arenaClosedBeforeTheUnlock_unlocksNothing() throws Throwable {
        ReplacedMemory memory = new ReplacedMemory("unlock");
        try (PhysicalAllocator own =
                PackageAccess.build(PhysicalAllocator.builder(), memory.system)) {
            AdoptedMemory adopted = own.adopt(memory.first, LOCKED);
            adopted.close();
            assertThat(LinuxProcess.mappingFlags(memory.second.address())).contains("lo");
        }
        memory.unmap();
    }

    @Test
    @DisplayName(
            "An adoption whose arena is closed takes over no lock of what is mapped there next")
    void close_arenaOfAnotherAdoptionIsClosed_unlocks() throws Throwable {
        ReplacedMemory memory = new ReplacedMemory("nothing");
        AdoptedMemory dead = physical.adopt(memory.first, LOCKED);
        memory.replace(false);
        physical.adopt(memory.second, LOCKED).close();
        assertThat(LinuxProcess.mappingFlags(memory.second.address())).doesNotContain("lo");
        dead.close();
        memory.unmap();
    }

    @Test
    @DisplayName("Memory that is confined to another thread is neither adopted nor closed")
    void adopt_confinedToAnotherThread_isRefused() throws Exception {
        try (Arena arena = Arena.ofConfined();
                ExecutorService other = Executors.newSingleThreadExecutor()) {
            MemorySegment memory = pages(arena);
            AdoptedMemory adopted = physical.adopt(memory, LOCKED);
            for (Runnable use :
                    List.<Runnable>of(() -> physical.adopt(memory, LOCKED), adopted::close)) {
                assertThatExceptionOfType(ExecutionException.class)
                        .isThrownBy(() -> other.submit(use).get())
                        .withCauseInstanceOf(WrongThreadException.class);
            }
            adopted.close();
        }
    }

    /**
     * Memory of an arena, and a system that closes it right before a call on it: at its place other
     * memory is mapped, and locked if the call is an unlock.
     */
    private static final class ReplacedMemory {

        private static final long PLACE = 2L << 40;

        private final Arena arena = Arena.ofShared();
        private final MemorySegment place;
        private final MemorySegment first;
        private final OperatingSystem system;
        private MemorySegment second = MemorySegment.NULL;

        @SuppressWarnings("restricted")
        private ReplacedMemory(String call) {
            place = MemorySegment.ofAddress(PLACE).reinterpret(BYTES);
            first = mapAt(place).reinterpret(arena, memory -> call("munmap", memory));
            system =
                    (OperatingSystem)
                            Proxy.newProxyInstance(
                                    OperatingSystem.class.getClassLoader(),
                                    new Class<?>[] {OperatingSystem.class},
                                    (_, method, arguments) -> {
                                        if (method.getName().equals(call)) {
                                            replace(call.equals("unlock"));
                                        }
                                        return invoke(method, arguments);
                                    });
        }

        private static Object invoke(Method method, Object[] arguments) throws Throwable {
            try {
                return method.invoke(Platform.current(), arguments);
            } catch (InvocationTargetException e) {
                throw e.getCause();
            }
        }

        private void replace(boolean locked) {
            arena.close();
            second = mapAt(place);
            if (locked) {
                call("mlock", second);
            }
        }

        private void unmap() {
            call("munmap", second);
        }

        private static MemorySegment mapAt(MemorySegment place) {
            try {
                MemorySegment memory = map(place);
                assertThat(memory.address()).isEqualTo(place.address());
                return memory;
            } catch (Throwable e) {
                throw new AssertionError(e);
            }
        }

        private static void call(String function, MemorySegment memory) {
            try {
                assertThat(AdoptedMemoryTest.call(function, memory)).isZero();
            } catch (Throwable e) {
                throw new AssertionError(e);
            }
        }
    }

    /** Maps pages at an address that is free. */
    private static MemorySegment map(MemorySegment place) throws Throwable {
        int privateAnonymousFixedNoReplace = 0x100022;
        return map(place, place.byteSize(), privateAnonymousFixedNoReplace);
    }

    @SuppressWarnings("restricted")
    private static MemorySegment map(MemorySegment place, long bytes, int flags) throws Throwable {
        Linker linker = Linker.nativeLinker();
        MethodHandle mmap =
                linker.downcallHandle(
                        linker.defaultLookup().findOrThrow("mmap"),
                        FunctionDescriptor.of(
                                ValueLayout.ADDRESS,
                                ValueLayout.ADDRESS,
                                ValueLayout.JAVA_LONG,
                                ValueLayout.JAVA_INT,
                                ValueLayout.JAVA_INT,
                                ValueLayout.JAVA_INT,
                                ValueLayout.JAVA_LONG));
        int readWrite = 3;
        MemorySegment mapped =
                (MemorySegment) mmap.invokeExact(place, bytes, readWrite, flags, -1, 0L);
        return mapped.reinterpret(bytes);
    }

    @Test
    @DisplayName("An adoption outlives its allocator, and is verified as before")
    void verify_allocatorClosed_isConfirmed() throws Throwable {
        PageMoves.unlessMoved(
                () -> {
                    assumeFramesAreSeen();
                    try (Arena arena = Arena.ofShared()) {
                        PhysicalAllocator closed = PhysicalAllocator.create();
                        try (AdoptedMemory adopted = closed.adopt(pages(arena), LOCKED)) {
                            closed.close();
                            assertThat(adopted.verify().verdict())
                                    .isEqualTo(Verification.Verdict.CONFIRMED);
                        }
                    }
                });
    }

    @Test
    @DisplayName("More than the machine has is refused before any of it is taken")
    void adopt_moreThanThereIs_isRefusedAtOnce() throws Throwable {
        int privateAnonymousNoReserve = 0x4022;
        MemorySegment sparse = map(MemorySegment.NULL, 1L << 40, privateAnonymousNoReserve);
        sparse.asSlice(0, 2 << 20).fill((byte) 1); // some of it is there
        try (PhysicalAllocator physical = PhysicalAllocator.create()) {
            assertThatExceptionOfType(AllocationException.class)
                    .isThrownBy(() -> physical.adopt(sparse, PhysicalRequest.DEFAULT))
                    .withMessageContaining("would end a process")
                    .satisfies(
                            e ->
                                    assertThat(e.reason())
                                            .isEqualTo(AllocationException.Reason.OUT_OF_MEMORY));
            assertThat(LinuxProcess.residentBytes(sparse.address())).isLessThan(64 << 20);
        }
        assertThat(call("munmap", sparse)).isZero();
    }

    @Test
    @DisplayName("What was locked before stays locked, after a refusal and after closing")
    void adopt_lockedInPart_changesNoLockOfTheProgram() throws Throwable {
        assumeFramesAreSeen();
        try (Arena arena = Arena.ofShared()) {
            MemorySegment memory = pages(arena);
            MemorySegment part = memory.asSlice(8 * PAGE_BYTES, 8 * PAGE_BYTES);
            assertThat(call("mlock", part)).isZero();
            long lockedBefore = LinuxProcess.lockedBytes();
            PhysicalRequest elsewhere =
                    PhysicalRequest.ofBytes(BYTES).contiguous().within(0, 1 << 20).build();
            assertThatExceptionOfType(AllocationException.class)
                    .isThrownBy(() -> physical.adopt(memory, elsewhere));
            assertThat(LinuxProcess.mappingFlags(part.address())).contains("lo");
            AdoptedMemory adopted = physical.adopt(memory, LOCKED);
            assertThat(LinuxProcess.lockedBytes())
                    .isEqualTo(lockedBefore + BYTES - part.byteSize());
            adopted.close();
            assertThat(LinuxProcess.mappingFlags(part.address())).contains("lo");
            assertThat(LinuxProcess.lockedBytes()).isEqualTo(lockedBefore);
            assertThat(call("munlock", part)).isZero();
        }
    }

    @Test
    @DisplayName("Huge pages are promised only of memory that begins and ends at them")
    void adopt_halvesOfHugePages_areNotHuge() throws Throwable {
        try (Arena arena = Arena.ofShared()) {
            MemorySegment memory = arena.allocate(4 * HUGE_BYTES, HUGE_BYTES).fill((byte) 1);
            int advised = CFunctions.madvise(memory, MADV_COLLAPSE);
            assumeTrue(advised == 0, "skipped: no transparent huge pages");
            PhysicalRequest huge =
                    PhysicalRequest.ofBytes(0).atLeast(Guarantee.NEVER_SWAPPED_AND_HUGE).build();
            MemorySegment halves = memory.asSlice(HUGE_BYTES / 2, HUGE_BYTES);
            assertThatExceptionOfType(AllocationException.class)
                    .isThrownBy(() -> physical.adopt(halves, huge))
                    .withMessageContaining("without [HUGE]");
        }
    }

    @Test
    @DisplayName("Memory that is closed during an audit has lost nothing")
    void close_duringAnAudit_isNoLoss() throws Exception {
        List<LostGuarantee> lost = Collections.synchronizedList(new ArrayList<>());
        try (Arena arena = Arena.ofShared();
                ExecutorService auditor = Executors.newSingleThreadExecutor();
                PhysicalAllocator audited =
                        PhysicalAllocator.builder().onGuaranteeLost(lost::add).build()) {
            MemorySegment memory = pages(arena);
            for (int round = 0; round < 200; round++) {
                AdoptedMemory adopted = audited.adopt(memory, LOCKED);
                CountDownLatch begun = new CountDownLatch(1);
                Future<?> audits =
                        auditor.submit(
                                () -> {
                                    while (true) {
                                        adopted.verify();
                                        begun.countDown();
                                    }
                                });
                begun.await();
                adopted.close();
                assertThatExceptionOfType(ExecutionException.class)
                        .isThrownBy(audits::get)
                        .withCauseInstanceOf(IllegalStateException.class);
            }
        }
        assertThat(lost).isEmpty();
    }

    @Test
    @SuppressWarnings("restricted")
    @DisplayName("What is not memory is refused")
    void adopt_deviceMapping_isRefused() throws Exception {
        String line =
                Files.readAllLines(Path.of("/proc/self/maps")).stream()
                        .filter(one -> one.endsWith("[vvar]"))
                        .findFirst()
                        .orElse("");
        assumeTrue(!line.isEmpty(), "skipped: this kernel maps no vvar");
        long address = Long.parseUnsignedLong(line.substring(0, line.indexOf('-')), 16);
        MemorySegment device = MemorySegment.ofAddress(address).reinterpret(PAGE_BYTES);
        assertThatExceptionOfType(AllocationException.class)
                .isThrownBy(() -> physical.adopt(device, LOCKED))
                .withMessageContaining("a device is mapped there");
    }

    @Test
    @DisplayName("Memory whose arena was closed has no addresses, and closing is still possible")
    void close_afterTheMemory_endsPinsOnly() {
        long lockedBefore = LinuxProcess.lockedBytes();
        Arena arena = Arena.ofShared();
        AdoptedMemory adopted = physical.adopt(pages(arena), LOCKED);
        arena.close();
        assertThatIllegalStateException().isThrownBy(() -> adopted.addressOf(0));
        assertThatIllegalStateException().isThrownBy(adopted::verify);
        adopted.close();
        assertThat(LinuxProcess.lockedBytes()).isLessThanOrEqualTo(lockedBefore + BYTES);
    }

    @Test
    @DisplayName("What does not meet the request is refused, and not left locked")
    void adopt_notAsRequested_isRefused() {
        assumeFramesAreSeen();
        long lockedBefore = LinuxProcess.lockedBytes();
        try (Arena arena = Arena.ofShared()) {
            MemorySegment memory = pages(arena);
            PhysicalRequest elsewhere =
                    PhysicalRequest.ofBytes(BYTES).contiguous().within(0, 1 << 20).build();
            assertThatExceptionOfType(AllocationException.class)
                    .isThrownBy(() -> physical.adopt(memory, elsewhere))
                    .withMessageContaining("longest run");
            assertThat(LinuxProcess.lockedBytes()).isEqualTo(lockedBefore);
            long above = Long.highestOneBit(memory.address()) << 1;
            assertThatExceptionOfType(AllocationException.class)
                    .isThrownBy(
                            () ->
                                    physical.adopt(
                                            memory,
                                            PhysicalRequest.ofBytes(BYTES).aligned(above).build()))
                    .withMessageContaining("mapped at");
            MemorySegment shifted = memory.asSlice(8, PAGE_BYTES);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> physical.adopt(shifted, LOCKED))
                    .withMessageContaining("ends at pages");
            MemorySegment readOnly = memory.asReadOnly();
            assertThatIllegalArgumentException().isThrownBy(() -> physical.adopt(readOnly, LOCKED));
        }
        MemorySegment own = physical.allocate(LOCKED);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> physical.adopt(own, LOCKED))
                .withMessageContaining("not this allocator's");
        physical.free(own);
    }

    // ---- memory that two processes share --------------------------------------------------------

    @Test
    @DisplayName(
            "Two processes that adopt a shared file know the same place, and one's end is none")
    void adopt_memoryOfTwoProcesses_isAtOnePlaceAndOutlivesOne() throws Throwable {
        PageMoves.unlessMoved(
                () -> {
                    assumeFramesAreSeen();
                    Path directory = Path.of("/dev/shm");
                    assumeTrue(Files.isWritable(directory), "skipped: /dev/shm is not writable");
                    Path file = Files.createTempFile(directory, "adopted", null);
                    try (Arena arena = Arena.ofShared()) {
                        MemorySegment memory = map(file, arena);
                        memory.fill((byte) 1);
                        try (AdoptedMemory adopted = physical.adopt(memory, LOCKED)) {
                            ChildJvm.Result result =
                                    ChildJvm.onModulePath()
                                            .withNativeAccess()
                                            .run(Other.class, file.toString());
                            assertThat(result.exitCode()).as(result.output()).isEqualTo(3);
                            assertThat(result.output())
                                    .contains("extents " + adopted.extents())
                                    .contains("verify CONFIRMED");
                            assertThat(memory.get(ValueLayout.JAVA_BYTE, BYTES - 1))
                                    .isEqualTo((byte) 2);
                            assertThat(adopted.verify().verdict())
                                    .isEqualTo(Verification.Verdict.CONFIRMED);
                        }
                    } finally {
                        Files.delete(file);
                    }
                });
    }

    private static MemorySegment map(Path file, Arena arena) throws IOException {
        try (FileChannel channel =
                FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            return channel.map(FileChannel.MapMode.READ_WRITE, 0, BYTES, arena);
        }
    }

    /** Adopts the file too, and dies without closing anything. */
    static final class Other {

        private Other() {}

        static void main(String[] file) throws Exception {
            MemorySegment memory = map(Path.of(file[0]), Arena.global());
            AdoptedMemory adopted = PhysicalAllocator.create().adopt(memory, LOCKED);
            IO.println("extents " + adopted.extents());
            IO.println("verify " + adopted.verify().verdict());
            memory.set(ValueLayout.JAVA_BYTE, BYTES - 1, (byte) 2);
            Runtime.getRuntime().halt(3);
        }
    }

    // ---- calls ----------------------------------------------------------------------------------

    @SuppressWarnings("restricted")
    private static int call(String function, MemorySegment pages) throws Throwable {
        return (int)
                Linker.nativeLinker()
                        .downcallHandle(
                                Linker.nativeLinker().defaultLookup().findOrThrow(function),
                                FunctionDescriptor.of(
                                        ValueLayout.JAVA_INT,
                                        ValueLayout.ADDRESS,
                                        ValueLayout.JAVA_LONG))
                        .invokeExact(pages, pages.byteSize());
    }
}
