package dev.kernelalloc.os;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Locale;

/**
 * Pages that the kernel takes out of its own map of memory: memfd_secret(2), Linux 5.14.
 *
 * <p>They are locked and never moved. They belong to a file, which is closed as soon as it is
 * mapped; so they are shared memory by nature, which a forked child would have too, unless {@link
 * OperatingSystem.Advice#DONT_FORK} prevents that.
 */
record MemfdSecret(Linux linux, LinuxCalls calls) {

    private static final String ZEROS = "/dev/zero";

    /** See {@link OperatingSystem#reserveHidden}. */
    long reserve(long bytes, long guardBytes, MemorySegment callState) throws Refusal {
        int file = open(bytes, callState);
        try {
            long start =
                    new MappingBetweenGuards(linux, bytes, guardBytes, linux.pageBytes())
                            .map(
                                    bytes + " bytes of memfd_secret",
                                    Linux.MAP_SHARED,
                                    file,
                                    error -> unmapped(bytes, error),
                                    callState);
            try {
                populate(start + guardBytes, bytes, callState);
            } catch (Refusal | RuntimeException | Error e) {
                calls.munmap(start, bytes + 2 * guardBytes, callState);
                throw e;
            }
            return start;
        } finally {
            calls.close(file);
        }
    }

    private int open(long bytes, MemorySegment callState) throws Refusal {
        int file = calls.memfdSecret(Linux.O_CLOEXEC, callState);
        if (file < 0) {
            throw unavailable(linux.error(callState));
        }
        if (calls.ftruncate(file, bytes, callState) != 0) {
            Refusal refusal = linux.refused("memfd_secret of " + bytes + " bytes", callState);
            calls.close(file);
            throw refusal;
        }
        return file;
    }

    /**
     * {@code MADV_POPULATE_WRITE} does not support these pages, and touching one that the kernel
     * cannot provide is a SIGBUS. A read(2) into them returns an error code instead.
     */
    private void populate(long address, long bytes, MemorySegment callState) throws Refusal {
        int zeros;
        try (Arena arena = Arena.ofConfined()) {
            zeros =
                    calls.open(
                            arena.allocateFrom(ZEROS), Linux.O_RDONLY | Linux.O_CLOEXEC, callState);
        }
        if (zeros < 0) {
            ErrorCode error = linux.error(callState);
            if (Linux.isShortage(error.number()) || error.number() == Posix.ENOMEM) {
                throw new Refusal.Shortage(
                        String.format(
                                Locale.ROOT,
                                "opening %s: %s. %s",
                                ZEROS,
                                error,
                                Refusal.Shortage.REMEDY));
            }
            // no /dev in this root directory
            FirstTouch.populate(NativeMemory.segment(address, bytes), linux.pageBytes());
            return;
        }
        try {
            MemorySegment pages = NativeMemory.segment(address, bytes);
            for (long done = 0; done < bytes; ) {
                long got = calls.pread(zeros, pages.asSlice(done), bytes - done, done, callState);
                if (got < 0 && linux.error(callState).number() == Linux.EINTR) {
                    continue;
                }
                if (got <= 0) {
                    throw new Refusal.OutOfMemory(
                            Posix.range("populating hidden", address, bytes)
                                    + ": "
                                    + linux.error(callState)
                                    + ", after "
                                    + done
                                    + " bytes there is no memory left for more");
                }
                done += got;
            }
        } finally {
            calls.close(zeros);
        }
    }

    private static Refusal unavailable(ErrorCode error) {
        String what = "memfd_secret: " + error;
        return switch (error.number()) {
            case Linux.ENOSYS ->
                    new Refusal.NotSupported(
                            what
                                    + ", this kernel has no hidden memory. It came with 5.14"
                                    + " (CONFIG_SECRETMEM); before 6.5 it is off unless the kernel"
                                    + " is started with secretmem.enable=1");
            case Posix.EPERM, Posix.EACCES ->
                    new Refusal.NotPermitted(
                            what
                                    + ", the system's policy forbids it: allow memfd_secret in the"
                                    + " container's seccomp profile");
            case Linux.EMFILE, Linux.ENFILE ->
                    new Refusal.Shortage(
                            what + ", no file descriptor is left: ulimit -n, fs.file-max");
            default -> Linux.other(what, error);
        };
    }

    private Refusal unmapped(long bytes, ErrorCode error) throws Refusal {
        String what = "mapping " + bytes + " bytes of memfd_secret: " + error;
        return switch (error.number()) {
            case Linux.EAGAIN -> linux.lockBudget().exceeded(what, "locked", "lock");
            case Posix.ENOMEM -> new Refusal.OutOfMemory(what + ", " + linux.outOfPages());
            case Posix.EPERM, Posix.EACCES ->
                    new Refusal.NotPermitted(what + ", the system's policy forbids it");
            default -> Linux.other(what, error);
        };
    }
}
