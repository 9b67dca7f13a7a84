package dev.kernelalloc.os;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The identity of the file behind a descriptor or a path: a number that was closed, or a path that
 * was removed, may be another file's a moment later. It is the device and inode of statx(2); each
 * io_uring has an inode of its own.
 *
 * @param device the major and minor number; -1 if the descriptor is not open, or no file is there
 * @param inode the inode on the device
 */
public record FileIdentity(long device, long inode) {

    private static final boolean IS_X86 = System.getProperty("os.arch").equals("amd64");

    static final int SYS_STATX = IS_X86 ? 332 : 291;

    static final int AT_FDCWD = -100;
    static final int AT_SYMLINK_NOFOLLOW = 0x100;
    static final int AT_EMPTY_PATH = 0x1000;
    static final int STATX_INO = 0x100;

    /** {@code struct statx}. */
    static final long STATX_BYTES = 256;

    static final long STX_INO = 32;
    static final long STX_DEV_MAJOR = 136;
    static final long STX_DEV_MINOR = 140;

    /** The identity of a closed descriptor, of no file, or of any if the system has none. */
    public static final FileIdentity NONE = new FileIdentity(-1, -1);

    /**
     * Returns the identity of a descriptor; all closed ones, and those without identity, are equal.
     */
    static FileIdentity of(Linux linux, int file, MemorySegment callState) {
        try (Arena arena = Arena.ofConfined()) {
            return of(linux, file, arena.allocateFrom(""), AT_EMPTY_PATH, callState);
        }
    }

    /**
     * Returns the identity of what is at a path, which may be a symbolic link; {@link #NONE} if
     * nothing is.
     *
     * @param path ends with a byte of 0
     */
    static FileIdentity at(Linux linux, MemorySegment path, MemorySegment callState) {
        return of(linux, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, callState);
    }

    private static FileIdentity of(
            Linux linux, int file, MemorySegment path, int flags, MemorySegment callState) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment answer = arena.allocate(STATX_BYTES, Long.BYTES);
            long result =
                    linux.calls()
                            .syscall(
                                    SYS_STATX,
                                    file,
                                    path.address(),
                                    flags,
                                    STATX_INO,
                                    answer.address(),
                                    0,
                                    callState);
            if (result != 0) {
                return NONE;
            }
            long major = Integer.toUnsignedLong(answer.get(JAVA_INT, STX_DEV_MAJOR));
            long minor = Integer.toUnsignedLong(answer.get(JAVA_INT, STX_DEV_MINOR));
            return new FileIdentity(major << 32 | minor, answer.get(JAVA_LONG, STX_INO));
        }
    }
}
