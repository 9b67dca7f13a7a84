package dev.kernelalloc.os;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.kernelalloc.bulk.Alignment;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Locale;

/**
 * A file in memory that processes share, memfd_create(2). It is sealed: no process that has it can
 * truncate it, after which a touch of its end would kill all others with SIGBUS.
 *
 * @param bytes its size, which never shrinks
 * @param poolPageBytes the size of its pages of the huge page pool; 0 for base pages, or if it was
 *     created by another process
 */
public record MemoryFile(OpenFile file, long bytes, long poolPageBytes) {

    private static final boolean IS_X86 = System.getProperty("os.arch").equals("amd64");

    static final int SYS_MEMFD_CREATE = IS_X86 ? 319 : 279;
    static final int SYS_FCNTL = IS_X86 ? 72 : 25;

    static final int MFD_CLOEXEC = 1;
    static final int MFD_ALLOW_SEALING = 2;
    static final int MFD_HUGETLB = 4;

    static final int F_DUPFD_CLOEXEC = 1030;
    static final int F_ADD_SEALS = 1033;
    static final int F_GET_SEALS = 1034;
    static final int F_SEAL_SEAL = 1;
    static final int F_SEAL_SHRINK = 2;
    static final int F_SEAL_GROW = 4;

    private static final int STATX_SIZE = 0x200;
    private static final long STX_SIZE = 40;

    /**
     * Creates a file.
     *
     * @param name shown in the process map behind {@code memfd:}, at most 249 bytes
     * @param bytes a multiple of the size of its pages
     * @param poolPageBytes the size of pages of the huge page pool; 0 for base pages
     */
    static MemoryFile create(
            Linux linux, String name, long bytes, long poolPageBytes, MemorySegment callState)
            throws Refusal {
        int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
        if (poolPageBytes != 0) {
            int size = Long.numberOfTrailingZeros(poolPageBytes) << Linux.MAP_HUGE_SHIFT;
            flags |= MFD_HUGETLB | size;
        }
        int descriptor;
        try (Arena arena = Arena.ofConfined()) {
            long path = arena.allocateFrom(name).address();
            descriptor =
                    (int)
                            linux.calls()
                                    .syscall(SYS_MEMFD_CREATE, path, flags, 0, 0, 0, 0, callState);
        }
        if (descriptor < 0) {
            throw notCreated(linux.error(callState), poolPageBytes);
        }
        try {
            if (linux.calls().ftruncate(descriptor, bytes, callState) != 0) {
                throw linux.refused("a shared memory of " + bytes + " bytes", callState);
            }
            int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
            if (fcntl(linux, descriptor, F_ADD_SEALS, seals, callState) < 0) {
                throw linux.refused("sealing a shared memory", callState);
            }
            return new MemoryFile(linux.identified(descriptor, callState), bytes, poolPageBytes);
        } catch (Refusal | RuntimeException | Error e) {
            linux.calls().close(descriptor);
            throw e;
        }
    }

    private static Refusal notCreated(ErrorCode error, long poolPageBytes) {
        String what = "memfd_create: " + error;
        return switch (error.number()) {
            case Linux.ENODEV, Linux.EINVAL ->
                    new Refusal.NotSupported(
                            what
                                    + ", this system has no pool of pages of "
                                    + (poolPageBytes >> 10)
                                    + " KiB");
            case Linux.ENOSYS ->
                    new Refusal.NotSupported(
                            what + ", the kernel is built without CONFIG_MEMFD_CREATE");
            case Posix.EPERM, Posix.EACCES ->
                    new Refusal.NotPermitted(what + ", the system's policy forbids it");
            case Posix.ENOMEM -> new Refusal.OutOfMemory(what);
            default -> Linux.other(what, error);
        };
    }

    /**
     * Duplicates the descriptor of a file; the caller keeps its own.
     *
     * @throws IllegalArgumentException if it is not a file in memory that is sealed against
     *     shrinking, and consists of whole pages
     */
    static MemoryFile duplicateOf(Linux linux, int descriptor, MemorySegment callState)
            throws Refusal {
        int own = fcntl(linux, descriptor, F_DUPFD_CLOEXEC, 0, callState);
        if (own < 0) {
            ErrorCode error = linux.error(callState);
            if (error.number() == Linux.EBADF) {
                throw new IllegalArgumentException("descriptor=" + descriptor + " is not open");
            }
            throw Linux.other("duplicating descriptor " + descriptor + ": " + error, error);
        }
        try {
            int seals = fcntl(linux, own, F_GET_SEALS, 0, callState);
            long bytes = seals < 0 ? 0 : sizeOf(linux, own, callState);
            if (seals < 0
                    || (seals & F_SEAL_SHRINK) == 0
                    || bytes == 0
                    || !Alignment.isAligned(bytes, linux.pageBytes())) {
                throw new IllegalArgumentException(
                        String.format(
                                Locale.ROOT,
                                "descriptor=%d seals=%s bytes=%d: it must be a file of"
                                    + " memfd_create(2), of whole pages, sealed by F_SEAL_SHRINK:"
                                    + " otherwise another process can truncate it, and a touch"
                                    + " behind its end ends this one with SIGBUS",
                                descriptor,
                                seals < 0 ? "none" : Integer.toHexString(seals),
                                bytes));
            }
            return new MemoryFile(linux.identified(own, callState), bytes, 0);
        } catch (Refusal | RuntimeException | Error e) {
            linux.calls().close(own);
            throw e;
        }
    }

    private static long sizeOf(Linux linux, int descriptor, MemorySegment callState)
            throws Refusal {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment answer = arena.allocate(FileIdentity.STATX_BYTES, Long.BYTES);
            long result =
                    linux.calls()
                            .syscall(
                                    FileIdentity.SYS_STATX,
                                    descriptor,
                                    arena.allocateFrom("").address(),
                                    FileIdentity.AT_EMPTY_PATH,
                                    STATX_SIZE,
                                    answer.address(),
                                    0,
                                    callState);
            if (result != 0) {
                throw linux.refused("the size of descriptor " + descriptor, callState);
            }
            return answer.get(JAVA_LONG, STX_SIZE);
        }
    }

    /** Maps all of it, readable and writable; {@link OperatingSystem#release} unmaps it. */
    long map(Linux linux, MemorySegment callState) throws Refusal {
        int readWrite = Posix.PROT_READ | Posix.PROT_WRITE;
        long address =
                linux.calls()
                        .mmap(
                                0,
                                bytes,
                                readWrite,
                                Linux.MAP_SHARED,
                                file.descriptor(),
                                0,
                                callState);
        if (address == Posix.MAP_FAILED) {
            if (poolPageBytes > 0) {
                throw linux.noHugePages(linux.error(callState), bytes, poolPageBytes);
            }
            throw linux.refused("mapping a shared memory of " + bytes + " bytes", callState);
        }
        return address;
    }

    /**
     * Returns another descriptor of it, which the caller closes.
     *
     * @throws IllegalStateException if other code of the process has closed the own one
     */
    int duplicate(Linux linux, MemorySegment callState) throws Refusal {
        if (!linux.isUnchanged(file, callState)) {
            throw new IllegalStateException(
                    "descriptor " + file.descriptor() + " was closed by other code of the process");
        }
        int copy = fcntl(linux, file.descriptor(), F_DUPFD_CLOEXEC, 0, callState);
        if (copy < 0) {
            throw linux.refused("duplicating descriptor " + file.descriptor(), callState);
        }
        return copy;
    }

    private static int fcntl(
            Linux linux, int descriptor, int command, long argument, MemorySegment callState) {
        return (int)
                linux.calls().syscall(SYS_FCNTL, descriptor, command, argument, 0, 0, 0, callState);
    }
}
