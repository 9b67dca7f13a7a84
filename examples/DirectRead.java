import dev.kernelalloc.AllocationException;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.struct.Access;
import dev.kernelalloc.struct.C;
import dev.kernelalloc.struct.CType;
import dev.kernelalloc.struct.Length;
import dev.kernelalloc.struct.MemoryOrder;
import dev.kernelalloc.struct.Struct;
import dev.kernelalloc.struct.StructType;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

// Reads a file past the page cache: O_DIRECT reads through io_uring, straight into locked, aligned
// blocks that are registered, and so pinned, once. The same file is also read in the ordinary way,
// and both must return the written data. The interface is described in io_uring(7) and
// io_uring_setup(2). Run it on Linux, optionally with a directory of another file system, by
//
//     java --enable-native-access=ALL-UNNAMED -cp target/classes examples/DirectRead.java
// [directory]

/** The numbers of linux/io_uring.h and of the C library that are used here. */
interface Uring {
    long IORING_OFF_SQ_RING = 0;
    long IORING_OFF_CQ_RING = 0x800_0000;
    long IORING_OFF_SQES = 0x1000_0000;
    int IORING_REGISTER_BUFFERS = 0;
    int IORING_OP_READ_FIXED = 4;
    int IORING_ENTER_GETEVENTS = 1;
    int __NR_io_uring_setup = 425;
    int __NR_io_uring_enter = 426;
    int __NR_io_uring_register = 427;

    int O_RDONLY = 0;
    int O_CLOEXEC = 0x80000;
    int O_DIRECT = System.getProperty("os.arch").equals("aarch64") ? 0x10000 : 0x4000;
    int PROT_READ = 1;
    int PROT_WRITE = 2;
    int MAP_SHARED = 1;
    int POSIX_FADV_DONTNEED = 4;
    int EPERM = 1;
    int EINTR = 4;
    int ENOMEM = 12;
    int EINVAL = 22;
    int ENOSYS = 38;
}

/** The offsets of the fields of the submission ring. */
record IoSqringOffsets(
        int head,
        int tail,
        int ringMask,
        int ringEntries,
        int flags,
        int dropped,
        int array,
        int resv1,
        long resv2) {}

/** The offsets of the fields of the completion ring. */
record IoCqringOffsets(
        int head,
        int tail,
        int ringMask,
        int ringEntries,
        int overflow,
        int cqes,
        int flags,
        int resv1,
        long resv2) {}

/** The kernel's answer when it creates a ring. */
record IoUringParams(
        int sqEntries,
        int cqEntries,
        int flags,
        int sqThreadCpu,
        int sqThreadIdle,
        int features,
        int wqFd,
        @Length(3) int[] resv,
        IoSqringOffsets sqOff,
        IoCqringOffsets cqOff) {}

/** A submission: an operation for the kernel. Members that are not declared here stay zero. */
@Struct(size = 64)
record IoUringSqe(
        byte opcode,
        byte flags,
        short ioprio,
        int fd,
        long off,
        long addr,
        int len,
        int rwFlags,
        long userData,
        short bufIndex) {}

/** A completion: {@code res} is the number of bytes, or a negative errno. */
record IoUringCqe(long userData, int res, int flags) {}

/** A buffer to register. */
record Iovec(MemorySegment iovBase, @C(CType.SIZE_T) long iovLen) {}

/**
 * A head or a tail of a ring. The one who moves it publishes with a release store what it counts;
 * the other sees that after an acquire load (io_uring(7), "memory ordering").
 */
interface RingIndex {
    @Access(MemoryOrder.ACQUIRE_RELEASE)
    int value();

    void value(int value);
}

static final StructType<IoUringParams> PARAMS =
        StructType.of(MethodHandles.lookup(), IoUringParams.class);
static final StructType<IoUringSqe> SQE = StructType.of(MethodHandles.lookup(), IoUringSqe.class);
static final StructType<IoUringCqe> CQE = StructType.of(MethodHandles.lookup(), IoUringCqe.class);
static final StructType<Iovec> IOVEC = StructType.of(MethodHandles.lookup(), Iovec.class);
static final StructType<RingIndex> INDEX = StructType.of(MethodHandles.lookup(), RingIndex.class);

static final int FILE_BYTES = 32 << 20;
static final int BUFFERS = 8;

/** Offset, length and address of a direct read are multiples of the device's block: 4 KiB do. */
static final int BUFFER_BYTES = 256 << 10;

static final int ALIGNMENT = 4096;

void main(String[] arguments) throws IOException {
    if (!System.getProperty("os.name").equals("Linux")) {
        IO.println("This example needs io_uring, on Linux.");
        return;
    }
    Path file =
            arguments.length > 0
                    ? Files.createTempFile(Path.of(arguments[0]), "direct-read", null)
                    : Files.createTempFile("direct-read", null);
    try (Arena arena = Arena.ofConfined()) {
        MemorySegment content = arena.allocate(FILE_BYTES, ALIGNMENT);
        SplittableRandom random = new SplittableRandom(42);
        for (long offset = 0; offset < FILE_BYTES; offset += Long.BYTES) {
            content.set(ValueLayout.JAVA_LONG, offset, random.nextLong());
        }
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            ByteBuffer unwritten = content.asByteBuffer();
            while (unwritten.hasRemaining()) {
                channel.write(unwritten);
            }
            channel.force(true); // only clean pages can leave the page cache
        }
        readOrdinarily(file, content);
        readDirectly(file, content);
    } catch (SystemCallException e) {
        IO.println("No direct read here: " + explain(e));
    } catch (AllocationException e) { // the limit of locked memory, and how to raise it
        IO.println("No direct read here: " + e.getMessage());
    } finally {
        Files.delete(file);
    }
}

/** Why this system refuses; a failure that no system explains goes on as it is. */
static String explain(SystemCallException e) {
    String remedy =
            switch (e.errno) {
                case Uring.EINVAL ->
                        "the file system has no O_DIRECT, as tmpfs before Linux 6.6, or blocks of"
                                + " more than 4 KiB; name a directory of another one";
                case Uring.EPERM ->
                        "io_uring is forbidden, by sysctl kernel.io_uring_disabled or a container's"
                                + " seccomp filter";
                case Uring.ENOSYS -> "this kernel has no io_uring, or a sandbox hides it";
                case Uring.ENOMEM ->
                        "the buffers are more than this user may pin: raise ulimit -l above "
                                + (BUFFERS * BUFFER_BYTES >> 10);
                default -> throw e;
            };
    return e.getMessage() + ": " + remedy + ".";
}

/** Through the page cache, which copies every byte once more. */
void readOrdinarily(Path path, MemorySegment content) throws IOException {
    try (Descriptor file = Descriptor.open(path, 0);
            FileChannel channel = FileChannel.open(path);
            Arena arena = Arena.ofConfined()) {
        file.dropCache();
        MemorySegment buffer = arena.allocate(BUFFER_BYTES, ALIGNMENT);
        long start = System.nanoTime();
        for (int offset = 0; offset < FILE_BYTES; ) {
            int bytes = channel.read(buffer.asByteBuffer(), offset);
            if (bytes < 0) {
                throw new IOException(path + " ends at " + offset + ", not at " + FILE_BYTES);
            }
            check(content, offset, buffer.asSlice(0, bytes));
            offset += bytes;
        }
        print("ordinary reads", System.nanoTime() - start);
    }
}

/** Past the page cache: the device writes into our blocks, several at a time. */
void readDirectly(Path path, MemorySegment content) {
    try (PhysicalAllocator physical = PhysicalAllocator.create();
            Arena blocks = physical.arena(); // closed last: the kernel writes here till the ring is
            Arena arena = Arena.ofConfined();
            Descriptor file = Descriptor.open(path, Uring.O_DIRECT);
            Ring ring = Ring.create(BUFFERS, arena)) {
        file.dropCache(); // a direct read takes what the cache has from there
        MemorySegment[] buffers = new MemorySegment[BUFFERS];
        for (int i = 0; i < BUFFERS; i++) {
            buffers[i] = blocks.allocate(BUFFER_BYTES, ALIGNMENT);
        }
        ring.register(buffers);

        long start = System.nanoTime();
        int[] offsets = new int[BUFFERS]; // what each buffer is being filled from
        int next = 0;
        for (int i = 0; i < BUFFERS; i++, next += BUFFER_BYTES) {
            ring.read(file, offsets[i] = next, i, buffers[i]);
        }
        for (int done = 0; done < FILE_BYTES; done += BUFFER_BYTES) {
            IoUringCqe completion = ring.await();
            int i = (int) completion.userData();
            if (completion.res() < 0) {
                throw new SystemCallException("a direct read", -completion.res());
            }
            if (completion.res() != BUFFER_BYTES) {
                throw new IllegalStateException(
                        "%d of %d bytes at %d"
                                .formatted(completion.res(), BUFFER_BYTES, offsets[i]));
            }
            check(content, offsets[i], buffers[i]);
            if (next < FILE_BYTES) {
                ring.read(file, offsets[i] = next, i, buffers[i]);
                next += BUFFER_BYTES;
            }
        }
        print("direct reads", System.nanoTime() - start);
        IO.println("Both gave what was written.");
    }
}

static void check(MemorySegment content, long offset, MemorySegment read) {
    long mismatch = content.asSlice(offset, read.byteSize()).mismatch(read);
    if (mismatch >= 0) {
        throw new IllegalStateException(
                "byte " + (offset + mismatch) + " is not what was written to the file");
    }
}

static void print(String how, long nanos) {
    IO.println(
            "%-15s %d MiB in %4d ms, %5d MB/s"
                    .formatted(
                            how, FILE_BYTES >> 20, nanos / 1_000_000, FILE_BYTES * 1000L / nanos));
}

/** An io_uring: a ring of submissions and one of completions, both shared with the kernel. */
record Ring(
        Descriptor descriptor,
        IoUringParams params,
        MemorySegment submissions,
        MemorySegment submissionRing,
        MemorySegment completionRing)
        implements AutoCloseable {

    static Ring create(int entries, Arena arena) {
        MemorySegment memory = arena.allocate(PARAMS.layout());
        Descriptor ring =
                new Descriptor(
                        Descriptor.call(
                                "io_uring_setup", Uring.__NR_io_uring_setup, entries, memory));
        try {
            IoUringParams params = PARAMS.get(memory);
            long indices = params.sqOff().array() + (long) params.sqEntries() * Integer.BYTES;
            long results = params.cqOff().cqes() + params.cqEntries() * CQE.byteSize();
            return new Ring(
                    ring,
                    params,
                    ring.map(params.sqEntries() * SQE.byteSize(), Uring.IORING_OFF_SQES, arena),
                    ring.map(indices, Uring.IORING_OFF_SQ_RING, arena),
                    ring.map(results, Uring.IORING_OFF_CQ_RING, arena));
        } catch (RuntimeException e) {
            ring.close();
            throw e;
        }
    }

    /** Pins the buffers, once; otherwise each read would do so with its own. */
    void register(MemorySegment[] buffers) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment list = arena.allocate(IOVEC.layout(), buffers.length);
            for (int i = 0; i < buffers.length; i++) {
                IOVEC.set(
                        list.asSlice(i * IOVEC.byteSize(), IOVEC.layout()),
                        new Iovec(buffers[i], buffers[i].byteSize()));
            }
            Descriptor.call(
                    "io_uring_register",
                    Uring.__NR_io_uring_register,
                    descriptor.number(),
                    Uring.IORING_REGISTER_BUFFERS,
                    list,
                    buffers.length);
        }
    }

    /** Lets the kernel begin to fill a buffer; there are never more reads than ring entries. */
    void read(Descriptor file, long offset, int buffer, MemorySegment memory) {
        RingIndex tail = INDEX.get(submissionRing.asSlice(params.sqOff().tail(), INDEX.layout()));
        int at = tail.value() & (params.sqEntries() - 1);
        SQE.set(
                submissions.asSlice(at * SQE.byteSize(), SQE.layout()),
                new IoUringSqe(
                        (byte) Uring.IORING_OP_READ_FIXED,
                        (byte) 0,
                        (short) 0,
                        (int) file.number(),
                        offset,
                        memory.address(),
                        (int) memory.byteSize(),
                        0,
                        buffer,
                        (short) buffer));
        submissionRing.set(
                ValueLayout.JAVA_INT, params.sqOff().array() + (long) at * Integer.BYTES, at);
        tail.value(tail.value() + 1); // release: the kernel sees the entry before the new tail
        enter(1, 0);
    }

    /** The next completion, waited for if there is none. */
    IoUringCqe await() {
        RingIndex head = INDEX.get(completionRing.asSlice(params.cqOff().head(), INDEX.layout()));
        RingIndex tail = INDEX.get(completionRing.asSlice(params.cqOff().tail(), INDEX.layout()));
        int at = head.value();
        while (at == tail.value()) { // acquire: what the kernel wrote before it moved the tail
            enter(0, 1);
        }
        long place = (at & (params.cqEntries() - 1)) * CQE.byteSize();
        IoUringCqe completion =
                CQE.get(completionRing.asSlice(params.cqOff().cqes() + place, CQE.layout()));
        head.value(at + 1); // release: we have read the entry, the kernel may use its place
        return completion;
    }

    private void enter(int toSubmit, int toAwait) {
        while (true) {
            try {
                Descriptor.call(
                        "io_uring_enter",
                        Uring.__NR_io_uring_enter,
                        descriptor.number(),
                        toSubmit,
                        toAwait,
                        toAwait > 0 ? Uring.IORING_ENTER_GETEVENTS : 0);
                return;
            } catch (SystemCallException e) {
                if (e.errno != Uring.EINTR) { // a signal of this process: wait again
                    throw e;
                }
            }
        }
    }

    @Override
    public void close() {
        descriptor.close();
    }
}

/** A failed call, with the kernel's number. */
static final class SystemCallException extends RuntimeException {
    private static final long serialVersionUID = 1;

    final int errno;

    SystemCallException(String call, int errno) {
        super(call + " failed, errno " + errno);
        this.errno = errno;
    }
}

/** An open file descriptor. */
record Descriptor(long number) implements AutoCloseable {
    private static final StructLayout STATE = Linker.Option.captureStateLayout();
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
    private static final MethodHandle SYSCALL =
            function(
                    "syscall",
                    FunctionDescriptor.of(LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG),
                    Linker.Option.firstVariadicArg(1));
    private static final MethodHandle OPEN =
            function(
                    "open",
                    FunctionDescriptor.of(INT, ValueLayout.ADDRESS, INT),
                    Linker.Option.firstVariadicArg(2));
    private static final MethodHandle MMAP =
            function("mmap", FunctionDescriptor.of(LONG, LONG, LONG, INT, INT, INT, LONG));
    private static final MethodHandle MUNMAP =
            function("munmap", FunctionDescriptor.of(INT, LONG, LONG));
    private static final MethodHandle FADVISE =
            function("posix_fadvise", FunctionDescriptor.of(INT, INT, LONG, LONG, INT));
    private static final MethodHandle CLOSE = function("close", FunctionDescriptor.of(INT, INT));

    static Descriptor open(Path path, int flags) {
        try (Arena arena = Arena.ofConfined()) {
            return new Descriptor(
                    invoke(
                            "open " + path,
                            OPEN,
                            arena.allocateFrom(path.toString()),
                            Uring.O_RDONLY | Uring.O_CLOEXEC | flags));
        }
    }

    /** Forgets what the page cache holds of the file, so that the device has to read. */
    void dropCache() {
        invoke("posix_fadvise", FADVISE, (int) number, 0L, 0L, Uring.POSIX_FADV_DONTNEED);
    }

    /** Memory shared with the kernel, mapped as long as the arena lives. */
    MemorySegment map(long bytes, long offset, Arena arena) {
        int access = Uring.PROT_READ | Uring.PROT_WRITE;
        long address =
                invoke("mmap", MMAP, 0L, bytes, access, Uring.MAP_SHARED, (int) number, offset);
        return MemorySegment.ofAddress(address)
                .reinterpret(bytes, arena, memory -> invoke("munmap", MUNMAP, address, bytes));
    }

    @Override
    public void close() {
        invoke("close", CLOSE, (int) number);
    }

    /** A system call that the C library has no function for. */
    static long call(String name, long number, Object... arguments) {
        Object[] all = {number, 0L, 0L, 0L, 0L, 0L, 0L};
        for (int i = 0; i < arguments.length; i++) {
            all[i + 1] =
                    arguments[i] instanceof MemorySegment memory
                            ? memory.address()
                            : ((Number) arguments[i]).longValue();
        }
        return invoke(name, SYSCALL, all);
    }

    private static long invoke(String name, MethodHandle function, Object... arguments) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(STATE);
            List<Object> all = new ArrayList<>(List.of(state));
            all.addAll(List.of(arguments));
            long result = ((Number) function.invokeWithArguments(all)).longValue();
            if (result == -1) {
                throw new SystemCallException(
                        name,
                        (int)
                                STATE.varHandle(MemoryLayout.PathElement.groupElement("errno"))
                                        .get(state, 0L));
            }
            return result;
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    private static MethodHandle function(
            String name, FunctionDescriptor descriptor, Linker.Option... options) {
        List<Linker.Option> all = new ArrayList<>(List.of(options));
        all.add(Linker.Option.captureCallState("errno"));
        Linker linker = Linker.nativeLinker();
        return linker.downcallHandle(
                linker.defaultLookup().findOrThrow(name),
                descriptor,
                all.toArray(Linker.Option[]::new));
    }
}
