package dev.kernelalloc.physical;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.kernelalloc.AdoptedMemory;
import dev.kernelalloc.AllocationException;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.SharedMemory;
import dev.kernelalloc.os.SharedMemoryPeer;
import dev.kernelalloc.testing.ChildJvm;
import dev.kernelalloc.testing.LinuxProcess;
import dev.kernelalloc.testing.PageMoves;
import dev.kernelalloc.testing.host.HostGuardian;
import dev.kernelalloc.testing.host.HostTest;
import dev.kernelalloc.testing.host.HugePages;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

import java.io.File;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.net.URI;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Memory of two processes: real ones, which are killed. */
@EnabledOnOs(OS.LINUX)
class SharedMemoryTest {

    private static final long PAGE_BYTES = 4096;
    private static final long BYTES = 16 * PAGE_BYTES;
    private static final Duration LONG = Duration.ofMinutes(5);
    private static final int KILLED = 128 + 9;

    private static final int MFD_CLOEXEC = 1;
    private static final int MFD_ALLOW_SEALING = 2;
    private static final int F_ADD_SEALS = 1033;
    private static final int F_SEAL_GROW = 4;
    private static final int F_SEAL_SHRINK = 2;

    private static final PhysicalRequest LOCKED = PhysicalRequest.ofBytes(0).build();

    /** Short, as the path of a socket must be. */
    @TempDir private Path directory;

    private Path socket;

    @BeforeEach
    void nameTheSocket() {
        socket = directory.resolve("s");
    }

    private static void assumeFramesAreSeen() {
        assumeTrue(LinuxProcess.seesFrames(), "skipped: frames are hidden from this process");
    }

    // ---- two processes --------------------------------------------------------------------------

    @Test
    @DisplayName("A process that gets the memory sees the same bytes at the same physical address")
    void sendTo_anotherProcess_bothKnowOnePlaceAndOneIsKilled() throws Throwable {
        PageMoves.unlessMoved(
                () -> {
                    assumeFramesAreSeen();
                    try (SharedMemory shared = SharedMemory.create("one place", BYTES)) {
                        assertOneIsKilled(shared, LOCKED);
                    }
                });
    }

    @HostTest
    @Test
    @DisplayName("The same of pages of the pool, which return to it with the last process")
    void sendTo_hugeMemory_bothKnowOnePlaceAndOneIsKilled() throws Exception {
        try (HostGuardian guardian = HostGuardian.start()) {
            HugePages reserved = HugePages.reserve(guardian, 2);
            assumeTrue(reserved.granted() == 2, "skipped: the pool got no 2 pages");
            long free = HugePages.free();
            PhysicalRequest huge =
                    PhysicalRequest.ofBytes(0).atLeast(Guarantee.NEVER_SWAPPED_AND_HUGE).build();
            try (SharedMemory shared = SharedMemory.createHuge("huge place", HugePages.BYTES + 1)) {
                assertThat(shared.memory().byteSize()).isEqualTo(2 * HugePages.BYTES);
                assertThat(HugePages.free()).isEqualTo(free - 2);
                assertThatExceptionOfType(AllocationException.class)
                        .isThrownBy(() -> SharedMemory.createHuge("too much", HugePages.BYTES))
                        .withMessageContaining("pool");
                assertOneIsKilled(shared, huge);
            }
            assertThat(HugePages.free()).isEqualTo(free);
        }
    }

    private void assertOneIsKilled(SharedMemory shared, PhysicalRequest request) throws Exception {
        MemorySegment memory = shared.memory();
        memory.set(JAVA_BYTE, 0, (byte) 7);
        try (PhysicalAllocator physical = PhysicalAllocator.create();
                AdoptedMemory adopted = physical.adopt(memory, request)) {
            ChildJvm.Result other = whileOtherRuns(Other.class, () -> shared.sendTo(socket, LONG));
            assertThat(other.exitCode()).as(other.output()).isEqualTo(KILLED);
            assertThat(other.output())
                    .contains("first byte 7")
                    .contains("extents " + adopted.extents())
                    .contains("verify CONFIRMED");
            assertThat(memory.get(JAVA_BYTE, memory.byteSize() - 1)).isEqualTo((byte) 8);
            assertThat(adopted.verify().verdict()).isEqualTo(Verification.Verdict.CONFIRMED);
            assertThat(adopted.guarantee()).containsAll(request.least());
        }
    }

    @Test
    @DisplayName("Memory outlives the process that created it")
    void receive_creatorIsKilled_memoryStays() throws Throwable {
        PageMoves.unlessMoved(
                () -> {
                    assumeFramesAreSeen();
                    SharedMemory[] received = new SharedMemory[1];
                    ChildJvm.Result creator =
                            whileOtherRuns(
                                    Creator.class,
                                    () -> received[0] = SharedMemory.receive(socket, LONG));
                    assertThat(creator.exitCode()).as(creator.output()).isEqualTo(KILLED);
                    try (SharedMemory shared = received[0];
                            PhysicalAllocator physical = PhysicalAllocator.create();
                            AdoptedMemory adopted = physical.adopt(shared.memory(), LOCKED)) {
                        assertThat(shared.memory().get(JAVA_BYTE, 1)).isEqualTo((byte) 9);
                        assertThat(creator.output()).contains("extents " + adopted.extents());
                        assertThat(adopted.verify().verdict())
                                .isEqualTo(Verification.Verdict.CONFIRMED);
                    }
                    assertThat(socket).doesNotExist();
                });
    }

    private interface Body {
        void run() throws IOException;
    }

    private ChildJvm.Result whileOtherRuns(Class<?> program, Body body) throws Exception {
        return whileOtherRuns(ChildJvm.onModulePath(), program, body);
    }

    private ChildJvm.Result whileOtherRuns(ChildJvm child, Class<?> program, Body body)
            throws Exception {
        try (ExecutorService runner = Executors.newSingleThreadExecutor()) {
            Future<ChildJvm.Result> other =
                    runner.submit(
                            () ->
                                    child.with("--enable-native-access=dev.kernelalloc")
                                            .run(program, socket.toString()));
            body.run();
            return other.get();
        }
    }

    /** Receives memory, adopts it, writes to it, and is killed. */
    static final class Other {

        private Other() {}

        static void main(String[] arguments) throws Throwable {
            Path socket = Path.of(arguments[0]);
            PhysicalAllocator physical = PhysicalAllocator.create();
            // guide: receive
            SharedMemory shared = SharedMemory.receive(socket, Duration.ofSeconds(30));
            AdoptedMemory adopted = physical.adopt(shared.memory(), PhysicalRequest.DEFAULT);
            // end
            MemorySegment memory = shared.memory();
            IO.println("first byte " + memory.get(JAVA_BYTE, 0));
            IO.println("extents " + adopted.extents());
            IO.println("verify " + adopted.verify().verdict());
            memory.set(JAVA_BYTE, memory.byteSize() - 1, (byte) 8);
            killThisProcess();
        }
    }

    /** Creates memory, adopts and sends it, and is killed. */
    static final class Creator {

        private Creator() {}

        static void main(String[] arguments) throws Throwable {
            Path socket = Path.of(arguments[0]);
            PhysicalAllocator physical = PhysicalAllocator.create();
            // guide: send
            SharedMemory shared = SharedMemory.create("frames", 1 << 20);
            AdoptedMemory adopted = physical.adopt(shared.memory(), PhysicalRequest.DEFAULT);
            shared.sendTo(socket, Duration.ofSeconds(30));
            // end
            shared.memory().set(JAVA_BYTE, 1, (byte) 9);
            IO.println("extents " + adopted.extents());
            killThisProcess();
        }
    }

    private static void killThisProcess() throws Throwable {
        int sigkill = 9;
        call("kill", (int) ProcessHandle.current().pid(), sigkill);
    }

    // ---- what is safe ---------------------------------------------------------------------------

    @Test
    @DisplayName("No process can truncate the memory, or make it larger")
    void descriptor_truncated_isRefusedByTheKernel() throws Throwable {
        try (SharedMemory shared = SharedMemory.create("sealed", BYTES)) {
            assertThat(call("ftruncate", shared.descriptor(), 0L)).isEqualTo(-1);
            assertThat(call("ftruncate", shared.descriptor(), 2 * BYTES)).isEqualTo(-1);
            assertThat(shared.memory().get(JAVA_BYTE, BYTES - 1)).isZero();
        }
    }

    @Test
    @DisplayName("A descriptor that another process could truncate is refused, and none is left")
    void ofDescriptor_notSealed_isRefused() throws Throwable {
        int unsealed = memfd(MFD_CLOEXEC | MFD_ALLOW_SEALING);
        assertThat(call("ftruncate", unsealed, BYTES)).isZero();
        int before = openDescriptors();
        assertRefused(unsealed);
        assertThat(call("fcntl", unsealed, F_ADD_SEALS, F_SEAL_GROW)).isZero();
        assertRefused(unsealed);
        int pipe = call("eventfd", 0, 0);
        assertRefused(pipe);
        call("close", pipe);
        assertRefused(pipe);
        assertRefused(-1);
        assertThat(openDescriptors()).isEqualTo(before);
        call("close", unsealed);
    }

    @Test
    @DisplayName("Of a sparse file, more than the machine has is refused before any of it is taken")
    void adopt_sparseFileLargerThanMemory_isRefusedAtOnce() throws Throwable {
        int sparse = memfd(MFD_CLOEXEC | MFD_ALLOW_SEALING);
        assertThat(call("ftruncate", sparse, 1L << 40)).isZero();
        assertThat(call("fcntl", sparse, F_ADD_SEALS, F_SEAL_SHRINK)).isZero();
        try (SharedMemory shared = SharedMemory.ofDescriptor(sparse);
                PhysicalAllocator physical = PhysicalAllocator.create()) {
            MemorySegment memory = shared.memory();
            memory.asSlice(0, BYTES).fill((byte) 1);
            assertThatExceptionOfType(AllocationException.class)
                    .isThrownBy(() -> physical.adopt(memory, PhysicalRequest.DEFAULT))
                    .withMessageContaining("would end a process");
            assertThat(LinuxProcess.residentBytes(memory.address())).isEqualTo(BYTES);
        }
        call("close", sparse);
    }

    private static void assertRefused(int descriptor) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> SharedMemory.ofDescriptor(descriptor))
                .withMessageContaining("descriptor=" + descriptor);
    }

    @Test
    @DisplayName("Memory by a descriptor is the same memory, and lives after the first is closed")
    void ofDescriptor_ofSharedMemory_isTheSame() {
        int before = openDescriptors();
        SharedMemory first = SharedMemory.create("first", 1);
        SharedMemory second = SharedMemory.ofDescriptor(first.descriptor());
        assertThat(second.memory().byteSize()).isEqualTo(PAGE_BYTES);
        first.memory().set(JAVA_INT, 0, 42);
        first.close();
        assertThat(second.memory().get(JAVA_INT, 0)).isEqualTo(42);
        second.close();
        assertThat(openDescriptors()).isEqualTo(before);
    }

    @Test
    @DisplayName("An unsealed file that another process sends is refused, and closed")
    void receive_unsealedFile_isRefused() throws Throwable {
        int unsealed = memfd(MFD_CLOEXEC | MFD_ALLOW_SEALING);
        int before = openDescriptors();
        try (ExecutorService runner = Executors.newSingleThreadExecutor()) {
            Future<SharedMemory> receiver = runner.submit(() -> SharedMemory.receive(socket, LONG));
            SharedMemoryPeer.send(socket.toString(), unsealed, LONG);
            assertThat(receiver)
                    .failsWithin(LONG)
                    .withThrowableThat()
                    .withCauseInstanceOf(IOException.class)
                    .withMessageContaining("F_SEAL_SHRINK");
        }
        assertThat(openDescriptors()).isEqualTo(before);
        call("close", unsealed);
    }

    @Test
    @DisplayName("A descriptor that other code has closed is not sent, whatever has its number now")
    void sendTo_descriptorOfAnotherFile_isRefused() throws Throwable {
        SharedMemory shared = SharedMemory.create("closed by a stranger", BYTES);
        int number = shared.descriptor();
        assertThat(call("close", number)).isZero();
        int stranger = memfd(MFD_CLOEXEC);
        assertThat(stranger).isEqualTo(number);
        assertThatIllegalStateException()
                .isThrownBy(() -> shared.sendTo(socket, Duration.ZERO))
                .withMessageContaining("closed by other code");
        shared.close();
        assertThat(call("ftruncate", stranger, 1L)).as("the stranger's file is open").isZero();
        call("close", stranger);
    }

    @Test
    @DisplayName("A descriptor in a message of no bytes is closed, and the next sender is heard")
    void receive_descriptorInEmptyMessage_isClosed() throws Throwable {
        int stranger = memfd(MFD_CLOEXEC);
        int before = openDescriptors();
        try (ExecutorService runner = Executors.newSingleThreadExecutor();
                SharedMemory shared = SharedMemory.create("with bytes", BYTES)) {
            Future<SharedMemory> receiver = runner.submit(() -> SharedMemory.receive(socket, LONG));
            try (SharedMemoryPeer peer = SharedMemoryPeer.connect(socket.toString())) {
                peer.send(0, stranger);
            }
            shared.sendTo(socket, LONG);
            receiver.get().close();
        }
        assertThat(openDescriptors()).isEqualTo(before);
        call("close", stranger);
    }

    @Test
    @DisplayName("A process without a descriptor left does not blame the sender")
    void receive_noDescriptorLeft_namesTheLimit() throws Exception {
        try (SharedMemory shared = SharedMemory.create("one too many", BYTES)) {
            ChildJvm.Result other =
                    whileOtherRuns(
                            Exhausted.class,
                            () -> {
                                shared.sendTo(socket, LONG);
                                try (SharedMemoryPeer peer =
                                        SharedMemoryPeer.connect(socket + "2")) {
                                    peer.send(1, shared.descriptor());
                                }
                            });
            assertThat(other.output()).contains("ulimit -n").doesNotContain("sent no descriptor");
        }
    }

    /** Receives memory, and then more, for which it has no descriptor left. */
    static final class Exhausted {

        private static final int RLIMIT_NOFILE = 7;
        private static final int FEW = 300;

        private Exhausted() {}

        static void main(String[] arguments) throws Throwable {
            Duration patience = Duration.ofMinutes(5);
            SharedMemory.receive(Path.of(arguments[0]), patience).close(); // loads the classes
            MemorySegment limits = Arena.global().allocate(JAVA_LONG, 2);
            limits.setAtIndex(JAVA_LONG, 0, FEW);
            limits.setAtIndex(JAVA_LONG, 1, FEW);
            call("setrlimit", RLIMIT_NOFILE, limits.address());
            int last = 0;
            while (last >= 0) {
                last = call("eventfd", 0, 0);
            }
            call("close", FEW - 1); // for the socket
            call("close", FEW - 2); // and the connection
            try {
                SharedMemory.receive(Path.of(arguments[0] + "2"), patience).close();
            } catch (IOException e) {
                IO.println(e.getMessage());
            }
        }
    }

    @Test
    @DisplayName("A process of another user that listens at the path gets nothing")
    void sendTo_processOfAnotherUser_isRefused() throws Exception {
        assumeTrue(
                System.getProperty("user.name").equals("root"),
                "skipped: needs root to run a process of another user");
        Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxrwxrwx"));
        ChildJvm.Result other =
                whileOtherRuns(
                        ChildJvm.onModulePath().unprivileged(),
                        Stranger.class,
                        () -> {
                            try (SharedMemory shared = SharedMemory.create("own", BYTES)) {
                                assertThatExceptionOfType(IOException.class)
                                        .isThrownBy(() -> shared.sendTo(socket, LONG))
                                        .withMessageContaining("uid=65534 own=0");
                            }
                            try (SharedMemoryPeer peer =
                                    SharedMemoryPeer.connect(socket.toString())) {
                                peer.send(1, -1);
                            }
                        });
        assertThat(other.output()).contains("sent no descriptor");
    }

    /** Receives what another user sends. */
    static final class Stranger {

        private Stranger() {}

        static void main(String[] arguments) {
            try (SharedMemory received =
                    SharedMemory.receive(Path.of(arguments[0]), Duration.ofSeconds(30))) {
                IO.println("received " + received);
            } catch (IOException e) {
                IO.println(e.getMessage());
            }
        }
    }

    // ---- waiting --------------------------------------------------------------------------------

    @Test
    @DisplayName("Without another process, waiting ends in an exception, and leaves no file")
    void sendToAndReceive_alone_timeOut() {
        int before = openDescriptors();
        try (SharedMemory shared = SharedMemory.create("alone", BYTES)) {
            assertThatExceptionOfType(IOException.class)
                    .isThrownBy(() -> shared.sendTo(socket, Duration.ofMillis(5)))
                    .withMessageContaining("no process received");
            assertThatExceptionOfType(IOException.class)
                    .isThrownBy(() -> SharedMemory.receive(socket, Duration.ofMillis(5)))
                    .withMessageContaining("the time is up");
            assertThat(socket).doesNotExist();
            Path nowhere = directory.resolve("missing").resolve("s");
            assertThatExceptionOfType(IOException.class)
                    .isThrownBy(
                            () -> SharedMemory.receive(nowhere, Duration.ofSeconds(Long.MAX_VALUE)))
                    .withMessageContaining("ENOENT");
            Path tooLong = Path.of("/" + "x".repeat(107));
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> shared.sendTo(tooLong, Duration.ZERO));
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> SharedMemory.receive(tooLong, Duration.ZERO));
        }
        assertThat(openDescriptors()).isEqualTo(before);
    }

    @Test
    @DisplayName("A negative time tries once")
    void sendToAndReceive_negativeTime_tryOnce() {
        Duration least = Duration.ofSeconds(Long.MIN_VALUE);
        try (SharedMemory shared = SharedMemory.create("late", BYTES)) {
            assertThatExceptionOfType(IOException.class)
                    .isThrownBy(() -> shared.sendTo(socket, least))
                    .withMessageContaining("no process received");
            assertThatExceptionOfType(IOException.class)
                    .isThrownBy(() -> SharedMemory.receive(socket, least))
                    .withMessageContaining("the time is up");
        }
    }

    @Test
    @DisplayName("A path of another file system is refused, and no socket made of its name")
    void sendToAndReceive_pathOfAnotherFileSystem_areRefused() {
        Path foreign = FileSystems.getFileSystem(URI.create("jrt:/")).getPath(socket.toString());
        try (SharedMemory shared = SharedMemory.create("elsewhere", BYTES)) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> shared.sendTo(foreign, Duration.ZERO))
                    .withMessageContaining("fileSystem=jrt");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> SharedMemory.receive(foreign, Duration.ZERO))
                    .withMessageContaining("fileSystem=jrt");
        }
    }

    @Test
    @DisplayName("A file in the socket's place is not replaced")
    void receive_fileThere_isRefusedAndKept() throws IOException {
        Files.writeString(socket, "a file");
        assertThatExceptionOfType(IOException.class)
                .isThrownBy(() -> SharedMemory.receive(socket, LONG))
                .withMessageContaining("a file is there");
        assertThat(socket).hasContent("a file");
    }

    @Test
    @DisplayName("A file that another process put in the socket's place is not removed")
    void receive_socketReplaced_keepsTheOtherFile() throws Exception {
        try (ExecutorService runner = Executors.newSingleThreadExecutor()) {
            Future<SharedMemory> receiver = runner.submit(() -> SharedMemory.receive(socket, LONG));
            SharedMemoryPeer.connect(socket.toString()).close();
            Files.delete(socket);
            Files.writeString(socket, "of another");
            receiver.cancel(true);
        }
        assertThat(socket).hasContent("of another");
    }

    @Test
    @DisplayName("A process that connects and sends nothing does not keep others from sending")
    void receive_silentPeer_nextSenderIsHeard() throws Exception {
        try (ExecutorService runner = Executors.newSingleThreadExecutor();
                SharedMemory shared = SharedMemory.create("second", BYTES)) {
            Future<SharedMemory> receiver = runner.submit(() -> SharedMemory.receive(socket, LONG));
            try (SharedMemoryPeer _ = SharedMemoryPeer.connect(socket.toString())) {
                shared.sendTo(socket, LONG);
                receiver.get().close();
            }
        }
    }

    @Test
    @DisplayName("A sender whose receiver ends first sends to the next receiver")
    void sendTo_receiverEnds_sendsToTheNext() throws Exception {
        try (ExecutorService runner = Executors.newSingleThreadExecutor();
                SharedMemory shared = SharedMemory.create("patient", BYTES)) {
            Future<?> sender;
            try (SharedMemoryPeer peer = SharedMemoryPeer.listen(socket.toString())) {
                sender = runner.submit(() -> sent(shared));
                peer.acceptAndClose();
                peer.acceptAndClose();
                Files.delete(socket);
            }
            SharedMemory.receive(socket, LONG).close();
            sender.get();
        }
    }

    @Test
    @DisplayName("Senders at the same time all send, to one receiver after the other")
    void sendTo_concurrently_allSend() throws Exception {
        int senders = 4;
        try (ExecutorService runner = Executors.newFixedThreadPool(senders);
                SharedMemory shared = SharedMemory.create("crowd", BYTES)) {
            List<Future<?>> all = new ArrayList<>();
            for (int i = 0; i < senders; i++) {
                all.add(runner.submit(() -> sent(shared)));
            }
            for (int i = 0; i < senders; i++) {
                SharedMemory.receive(socket, LONG).close();
            }
            for (Future<?> sender : all) {
                sender.get();
            }
        }
    }

    private boolean sent(SharedMemory shared) throws IOException {
        shared.sendTo(socket, LONG);
        return true;
    }

    @Test
    @DisplayName("An interrupt ends the waiting")
    void receive_interrupted_ends() {
        Thread.currentThread().interrupt();
        assertThatExceptionOfType(InterruptedIOException.class)
                .isThrownBy(() -> SharedMemory.receive(socket, LONG));
        assertThat(socket).doesNotExist();
    }

    // ---- life -----------------------------------------------------------------------------------

    @Test
    @DisplayName("Closed memory is dead, has no descriptor, and is closed once")
    void close_twice_isRefused() {
        SharedMemory shared = SharedMemory.create("short", BYTES);
        MemorySegment memory = shared.memory();
        assertThat(LinuxProcess.permissions(memory.address())).isEqualTo("rw-s");
        shared.close();
        assertThatIllegalStateException().isThrownBy(() -> memory.get(JAVA_BYTE, 0));
        assertThatIllegalStateException().isThrownBy(shared::descriptor);
        assertThatIllegalStateException().isThrownBy(() -> shared.sendTo(socket, LONG));
        assertThatIllegalStateException().isThrownBy(shared::close);
        assertThat(shared.toString()).isEqualTo("SharedMemory[closed, was " + BYTES + " bytes]");
    }

    @Test
    @DisplayName("A size or a name that cannot be is refused")
    void create_badArguments_areRefused() {
        assertThatIllegalArgumentException().isThrownBy(() -> SharedMemory.create("none", 0));
        assertThatIllegalArgumentException().isThrownBy(() -> SharedMemory.create("a\0b", 1));
        String tooLong = "ä".repeat(125);
        assertThatIllegalArgumentException().isThrownBy(() -> SharedMemory.create(tooLong, 1));
        SharedMemory.create("ä".repeat(124), 1).close();
        assertThatExceptionOfType(AllocationException.class)
                .isThrownBy(() -> SharedMemory.create("huge", Long.MAX_VALUE))
                .satisfies(
                        e ->
                                assertThat(e.reason())
                                        .isEqualTo(AllocationException.Reason.OUT_OF_MEMORY));
    }

    // ---- calls ----------------------------------------------------------------------------------

    private static int openDescriptors() {
        String[] open = new File("/proc/self/fd").list();
        return open.length;
    }

    @SuppressWarnings("restricted")
    private static int memfd(int flags) throws Throwable {
        try (Arena arena = Arena.ofConfined()) {
            return (int)
                    Linker.nativeLinker()
                            .downcallHandle(
                                    Linker.nativeLinker()
                                            .defaultLookup()
                                            .findOrThrow("memfd_create"),
                                    FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT))
                            .invokeExact(arena.allocateFrom("of the test"), flags);
        }
    }

    @SuppressWarnings("restricted")
    private static int call(String function, Object... arguments) throws Throwable {
        MemoryLayout[] layouts = new MemoryLayout[arguments.length];
        for (int i = 0; i < arguments.length; i++) {
            layouts[i] = arguments[i] instanceof Long ? JAVA_LONG : JAVA_INT;
        }
        return (int)
                Linker.nativeLinker()
                        .downcallHandle(
                                Linker.nativeLinker().defaultLookup().findOrThrow(function),
                                FunctionDescriptor.of(JAVA_INT, layouts))
                        .invokeWithArguments(arguments);
    }
}
