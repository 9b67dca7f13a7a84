package dev.kernelalloc.os;

import static dev.kernelalloc.os.Posix.MAP_FAILED;
import static dev.kernelalloc.os.Posix.PROT_READ;
import static dev.kernelalloc.os.Posix.PROT_WRITE;

import java.lang.foreign.MemorySegment;
import java.util.Locale;

/**
 * A mapping of a kind that cannot take the place of another safely, between two inaccessible
 * guards.
 *
 * <p>{@code MAP_FIXED} over a reservation would be shorter. But the kernel unmaps the old mapping
 * before it checks whether it can map: after a failure there is a hole in the reservation, into
 * which another thread's mapping may fall, and unmapping the reservation would destroy that. So the
 * place is given up first, and mapped with {@code MAP_FIXED_NOREPLACE}, which never replaces; after
 * a failure only the guards are certainly still reserved, and only they are unmapped.
 *
 * @param bytes the bytes between the guards, a multiple of the page size
 * @param guardBytes the bytes of each guard, 0 for none; a multiple of {@code alignment}
 * @param alignment the alignment of the mapping, a power of two not below the page size
 */
record MappingBetweenGuards(Linux linux, long bytes, long guardBytes, long alignment) {

    static final int MAP_FIXED_NOREPLACE = 0x100000;

    /** How often another thread may take the place between the guards. */
    private static final int ATTEMPTS = 16;

    /** Explains an error code of the mapping. */
    interface Explanation {

        /** Returns the refusal to throw. */
        Refusal of(ErrorCode error) throws Refusal;
    }

    /**
     * Maps readable and writable memory.
     *
     * @param what is mapped, for messages
     * @param flags of mmap(2), without those of the place
     * @param file descriptor, or -1
     * @return the address of the first guard
     */
    long map(String what, int flags, int file, Explanation explanation, MemorySegment callState)
            throws Refusal {
        ErrorCode error = new ErrorCode(Linux.EEXIST, "EEXIST");
        for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
            long start = linux.reserve(bytes + 2 * guardBytes, alignment, callState);
            long middle = start + guardBytes;
            if (linux.calls().munmap(middle, bytes, callState) != 0) {
                Refusal refusal =
                        linux.refused(Posix.range("making room for", middle, bytes), callState);
                unmap(start, bytes + 2 * guardBytes, callState);
                throw refusal;
            }
            long mapped =
                    linux.calls()
                            .mmap(
                                    middle,
                                    bytes,
                                    PROT_READ | PROT_WRITE,
                                    flags | MAP_FIXED_NOREPLACE,
                                    file,
                                    0,
                                    callState);
            if (mapped == middle) {
                return start;
            }
            if (mapped == MAP_FAILED) {
                error = linux.error(callState);
            } else {
                unmap(mapped, bytes, callState); // before Linux 4.17 the address was a wish
            }
            unmap(start, guardBytes, callState);
            unmap(middle + bytes, guardBytes, callState);
            if (error.number() != Linux.EEXIST) {
                throw explanation.of(error);
            }
        }
        throw new Refusal.SystemError(
                String.format(
                        Locale.ROOT,
                        "mapping %s: %s, other threads have taken each of %d places: try again",
                        what,
                        error,
                        ATTEMPTS),
                error);
    }

    private void unmap(long address, long length, MemorySegment callState) {
        if (length > 0) {
            int _ = linux.calls().munmap(address, length, callState);
        }
    }
}
