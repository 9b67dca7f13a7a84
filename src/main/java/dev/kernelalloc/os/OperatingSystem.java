package dev.kernelalloc.os;

import java.lang.foreign.MemorySegment;

/**
 * What this library asks of an operating system. Every method is safe to call from any thread.
 *
 * <p>A method that can fail with a system error code takes a {@code callState}: a segment of {@link
 * CallState#LAYOUT}, brought by the caller, into which the linker captures {@code errno} or {@code
 * GetLastError}. One segment serves one thread at a time. An address returned is never 0.
 */
public interface OperatingSystem {

    /** The system and the processor architecture, for example {@code "Linux amd64"}. */
    String name();

    // ---- the C heap ---------------------------------------------------------------------------

    /**
     * A block of at least {@code bytes > 0}, aligned for any C type; contents undefined. malloc(3).
     */
    long malloc(long bytes) throws Refusal;

    /** A block of at least {@code bytes > 0}, aligned for any C type, all zeros. calloc(3). */
    long calloc(long bytes) throws Refusal;

    /**
     * Resizes a block of {@link #malloc} or {@link #calloc} to {@code bytes > 0}, moving it where
     * needed; refused, the block is unchanged. realloc(3).
     */
    long realloc(long address, long bytes) throws Refusal;

    /**
     * A block of at least {@code bytes > 0} at a multiple of {@code alignment}, any power of two;
     * given back by {@link #alignedFree}. aligned_alloc(3), posix_memalign(3), {@code
     * _aligned_malloc}.
     */
    long alignedAlloc(long alignment, long bytes) throws Refusal;

    /** Whether there is {@link #alignedRealloc}. */
    default boolean hasAlignedRealloc() {
        return false;
    }

    /**
     * Resizes a block of {@link #alignedAlloc} to {@code bytes > 0}, moving it where needed, after
     * which it is aligned for any C type and no further; refused, the block is unchanged. A large
     * one is not copied where the system can give its pages another address. realloc(3), as C11
     * says; Windows has no such function.
     */
    default long alignedRealloc(long address, long bytes) throws Refusal {
        throw new Refusal.NotSupported(name() + " resizes no aligned block");
    }

    /** Gives back a block of {@link #malloc}, {@link #calloc} or {@link #realloc}. free(3). */
    void free(long address);

    /**
     * Gives back a block of {@link #alignedAlloc}. On Windows this is another function than free.
     */
    void alignedFree(long address);

    // ---- pages --------------------------------------------------------------------------------

    /** The size of a base page in bytes: a power of two. */
    long pageBytes();

    /**
     * Reserves address space that cannot be accessed, at a multiple of {@code alignment}, a power
     * of two not below the page size; {@code bytes} is a multiple of the page size.
     */
    long reserve(long bytes, long alignment, MemorySegment callState) throws Refusal;

    /** Makes reserved pages readable and writable; their contents are zeros. */
    void commit(long address, long bytes, MemorySegment callState) throws Refusal;

    /** Changes what may be done with committed pages. No page is ever executable. */
    void protect(long address, long bytes, Access access, MemorySegment callState) throws Refusal;

    /**
     * Reserves {@code bytes} of committed, populated and locked pages between two guards of {@code
     * guardBytes} that cannot be accessed. The pages read as zeros, never move, and are in no map
     * of memory but this process's: the kernel reads them for nobody else. A forked child shares
     * them unless advised otherwise. memfd_secret(2).
     *
     * @return the address of the first guard; the reservation, for {@link #release}, is {@code
     *     bytes + 2 * guardBytes} long
     */
    default long reserveHidden(long bytes, long guardBytes, MemorySegment callState)
            throws Refusal {
        throw new Refusal.NotSupported(name() + " has no memory that it hides from itself");
    }

    /**
     * Gives back a whole reservation of {@link #reserve} or {@link #reserveHidden}, with its pages
     * and their locks.
     */
    void release(long address, long bytes, MemorySegment callState) throws Refusal;

    /** Tells the system how pages will be used. */
    void advise(long address, long bytes, Advice advice, MemorySegment callState) throws Refusal;

    /**
     * Gives the frames of pages back, also of pages of the C heap that no live block shares. The
     * pages stay usable; those of private memory read as zeros next. madvise(2), MADV_DONTNEED.
     */
    default void discard(long address, long bytes, MemorySegment callState) throws Refusal {
        throw new Refusal.NotSupported(name() + " has no way to give back pages that stay usable");
    }

    /**
     * Gives every page a frame of its own, now instead of at first touch; contents stay. The pages
     * are committed and writable. A container's memory limit is not refused here: the kernel kills
     * a process that exceeds it.
     */
    void populate(long address, long bytes, MemorySegment callState) throws Refusal;

    /**
     * Keeps committed pages in memory until {@link #unlock} or {@link #release}. Locks do not nest.
     * Refused, no page of the range is locked. mlock(2), VirtualLock.
     */
    void lock(long address, long bytes, MemorySegment callState) throws Refusal;

    /** Allows pages to leave memory again, also those that are not locked. */
    void unlock(long address, long bytes, MemorySegment callState) throws Refusal;

    /** What this process has locked and may lock. */
    LockBudget lockBudget() throws Refusal;

    /** Bytes that could be populated now without pushing others out of memory; an estimate. */
    long availableBytes() throws Refusal;

    // ---- where pages lie ----------------------------------------------------------------------

    /**
     * Reads the page map of this process from the page of {@code address} on: one 64-bit entry a
     * page, in the format of the kernel's admin-guide/mm/pagemap, as many as {@code entries} has
     * room for.
     */
    void readPageMap(long address, MemorySegment entries, MemorySegment callState) throws Refusal;

    /** Reads {@code /proc/kpageflags} from a frame number on: one 64-bit entry a frame. */
    void readFrameFlags(long frame, MemorySegment entries, MemorySegment callState) throws Refusal;

    /** Reads {@code /proc/kpagecount} from a frame number on: one 64-bit entry a frame. */
    void readFrameCounts(long frame, MemorySegment entries, MemorySegment callState) throws Refusal;

    /** What kind of machine runs the system: whether physical addresses are a guest's. */
    Machine machine();

    /** How many mappings a process may have; {@code Long.MAX_VALUE} where nothing limits them. */
    default long maxMappings() {
        return Long.MAX_VALUE;
    }

    /** What runs an operating system. */
    enum Machine {
        PHYSICAL,
        VIRTUAL,
        /** Nothing tells. */
        UNKNOWN
    }

    /** What may be done with a page. */
    enum Access {
        NONE,
        READ,
        READ_WRITE
    }

    /** How pages will be used; one constant for each madvise(2) advice the library gives. */
    enum Advice {
        /** A child made by fork(2) does not get these pages, so a write never moves them. */
        DONT_FORK,
        /** Pages are never merged with equal ones, which would move them (KSM). */
        DONT_MERGE,
        /** Pages do not appear in core dumps. */
        DONT_DUMP,
        /** A child made by fork(2) finds zeros. */
        WIPE_ON_FORK
    }

    /**
     * What may be locked, in bytes.
     *
     * @param lockedBytes locked by this process now
     * @param softLimitBytes the limit in force; {@code Long.MAX_VALUE} for none
     * @param hardLimitBytes how far the process may raise it; {@code Long.MAX_VALUE} for none
     * @param exempt whether a privilege lifts the limit ({@code CAP_IPC_LOCK} on Linux)
     */
    record LockBudget(long lockedBytes, long softLimitBytes, long hardLimitBytes, boolean exempt) {

        /** Bytes that may still be locked. */
        public long remainingBytes() {
            return exempt ? Long.MAX_VALUE : Math.max(0, softLimitBytes - lockedBytes);
        }

        /**
         * What a request beyond the limit is told.
         *
         * @param done {@code "locked"} or {@code "pinned"}
         * @param verb {@code "lock"} or {@code "pin"}
         */
        public Refusal.LockLimit exceeded(String what, String done, String verb) {
            return new Refusal.LockLimit(
                    ("%s, this process has %s %d bytes and may %s %d (hard limit %d). Raise the"
                                    + " limit: ulimit -l, LimitMEMLOCK= in a systemd unit, docker"
                                    + " run --ulimit memlock=-1; or give the process CAP_IPC_LOCK")
                            .formatted(
                                    what, done, lockedBytes, verb, softLimitBytes, hardLimitBytes));
        }
    }
}
