package dev.kernelalloc.os;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The part of io_uring that keeps memory: linux/io_uring.h. No ring is ever used for input or
 * output here.
 */
final class IoUring {

    /** The same on every architecture. */
    static final int SYS_IO_URING_SETUP = 425;

    static final int SYS_IO_URING_REGISTER = 427;

    static final int IORING_REGISTER_BUFFERS2 = 15;
    static final int IORING_REGISTER_BUFFERS_UPDATE = 16;
    static final int IORING_REGISTER_MEM_REGION = 34;
    static final int IORING_RSRC_REGISTER_SPARSE = 1;

    static final long IO_URING_PARAMS_BYTES = 120;

    private IoUring() {}

    /** A new ring; a file descriptor that an exec closes. */
    static int setup(Linux linux, MemorySegment callState) throws Refusal {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment parameters = arena.allocate(IO_URING_PARAMS_BYTES, Long.BYTES);
            long ring =
                    linux.calls()
                            .syscall(
                                    SYS_IO_URING_SETUP,
                                    1,
                                    parameters.address(),
                                    0,
                                    0,
                                    0,
                                    0,
                                    callState);
            if (ring >= 0) {
                return (int) ring;
            }
        }
        ErrorCode error = linux.error(callState);
        String what = "making an io_uring: " + error;
        throw switch (error.number()) {
            case Posix.EPERM, Posix.EACCES ->
                    new Refusal.NotPermitted(
                            what
                                    + ", a container's filter (docker: --security-opt"
                                    + " seccomp=<profile that allows io_uring_setup and"
                                    + " io_uring_register>) or sysctl kernel.io_uring_disabled"
                                    + " forbids it");
            case Linux.ENOSYS ->
                    new Refusal.NotSupported(
                            what
                                    + ", the kernel is older than 5.1, built without it, or not"
                                    + " Linux");
            case Posix.ENOMEM ->
                    new Refusal.LockLimit(
                            what + ", the limit of locked memory leaves no room for it: ulimit -l");
            default -> Linux.other(what, error);
        };
    }

    /** Negative when refused. */
    static long register(
            Linux linux,
            int ring,
            int operation,
            MemorySegment argument,
            int count,
            MemorySegment callState) {
        return linux.calls()
                .syscall(
                        SYS_IO_URING_REGISTER,
                        ring,
                        operation,
                        argument.address(),
                        count,
                        0,
                        0,
                        callState);
    }
}
