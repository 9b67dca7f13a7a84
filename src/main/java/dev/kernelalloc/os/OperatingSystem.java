package dev.kernelalloc.os;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.IntPredicate;

/**
 * The operations of an operating system that the library needs. Every method is safe to call from
 * any thread.
 *
 * <p>A method that can fail with a system error code takes a {@code callState}: a segment of {@link
 * CallState#LAYOUT}, brought by the caller, into which the linker captures {@code errno} or {@code
 * GetLastError}. One segment serves one thread at a time. A returned address is never 0.
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
     * freed by {@link #alignedFree}. aligned_alloc(3), posix_memalign(3), {@code _aligned_malloc}.
     */
    long alignedAlloc(long alignment, long bytes) throws Refusal;

    /** Whether there is {@link #alignedRealloc}. */
    default boolean hasAlignedRealloc() {
        return false;
    }

    /**
     * Resizes a block of {@link #alignedAlloc} to {@code bytes > 0}, moving it if needed, after
     * which it is aligned for any C type and no further; if refused, the block is unchanged. A
     * large block is not copied if the system can move its pages to another address. realloc(3), as
     * in C11; Windows has no such function.
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

    /** Returns {@link #alignedFree} as a {@code (long)void} that keeps no class of the library. */
    default MethodHandle alignedFreeHandle() {
        throw new UnsupportedOperationException(name() + " has no functions of C");
    }

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

    /**
     * Reserves pages of the huge page pool between two guards that cannot be accessed: readable,
     * writable, zeros, and shared with children that do not lose them by advice. Refused with
     * {@link Refusal.OutOfMemory} if the pool has too few unreserved pages.
     *
     * @param bytes of the pages, a multiple of {@code hugePageBytes}
     * @param guardBytes of each guard, 0 for none; a multiple of {@code alignment}
     * @param alignment of the pages, a power of two not below {@code hugePageBytes}
     * @param hugePageBytes of a pool of {@link #hugePools}
     * @return the address of the first guard; the reservation, for {@link #release}, is {@code
     *     bytes + 2 * guardBytes} long
     */
    default long reserveHuge(
            long bytes,
            long guardBytes,
            long alignment,
            long hugePageBytes,
            MemorySegment callState)
            throws Refusal {
        throw new Refusal.NotSupported(name() + " has no pool of huge pages");
    }

    /**
     * Moves pages with their frames, contents and locks to another place, which is reserved. The
     * old place is no longer reserved: any thread may map it. If refused, the pages stay in place,
     * and the {@code bytes} at {@code to} must not be released: they may still be reserved, or be
     * unmapped and belong to another thread. mremap(2).
     */
    default void move(long from, long to, long bytes, MemorySegment callState) throws Refusal {
        throw new Refusal.NotSupported(name() + " cannot move pages");
    }

    /** Whether {@link #releasePart} is supported. */
    default boolean releasesParts() {
        return false;
    }

    /**
     * Releases a part of a reservation; the rest can be released in parts, too. Only if {@link
     * #move} is supported.
     */
    default void releasePart(long address, long bytes, MemorySegment callState) throws Refusal {
        throw new Refusal.NotSupported(name() + " releases whole reservations only");
    }

    /**
     * A mapping of pages that the kernel has allocated for itself in one piece, if it could: zeros,
     * never moved or swapped. Given back by {@link #release} as a whole.
     */
    default long kernelRegion(long bytes, MemorySegment callState) throws Refusal {
        throw new Refusal.NotSupported(name() + " has no kernel regions that a process can map");
    }

    /**
     * The size of the pages of {@link #reserveLarge}, a power of two; 0 where there are none, or
     * they come from {@link #reserveHuge} and {@link #collapse} instead.
     */
    default long largePageBytes() {
        return 0;
    }

    /**
     * Reserves memory in large pages that are there at once: readable, writable, zeros, never paged
     * out, the bytes of each side by side. Given back by {@link #release} as a whole. VirtualAlloc,
     * MEM_LARGE_PAGES.
     *
     * @param bytes a multiple of {@link #largePageBytes}
     * @param alignment a power of two not below it
     */
    default long reserveLarge(long bytes, long alignment, MemorySegment callState) throws Refusal {
        throw new Refusal.NotSupported(name() + " has no call for large pages");
    }

    /** Changes what may be done with committed pages. No page is ever executable. */
    void protect(long address, long bytes, Access access, MemorySegment callState) throws Refusal;

    /**
     * Reserves {@code bytes} of committed, populated and locked pages between two guards of {@code
     * guardBytes} that cannot be accessed. The pages read as zeros, never move, and only this
     * process maps them: the kernel reads them for no other. A forked child shares them unless
     * advised otherwise. memfd_secret(2).
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

    /**
     * Makes huge pages of populated base pages, in place; they get other frames. MADV_COLLAPSE.
     *
     * @param address and {@code bytes} are multiples of the huge page size
     */
    default void collapse(long address, long bytes, MemorySegment callState) throws Refusal {
        throw new Refusal.NotSupported(name() + " has no transparent huge pages");
    }

    /**
     * How many of those bytes lie in huge pages, also for a process that may not see frames.
     * PAGEMAP_SCAN.
     */
    default long hugeBytes(long address, long bytes, MemorySegment callState) throws Refusal {
        throw new Refusal.NotSupported(name() + " does not report which pages are huge");
    }

    /**
     * Which NUMA node pages come from that are not populated yet. mbind(2).
     *
     * @param required whether from no other
     */
    default void bind(long address, long bytes, int node, boolean required, MemorySegment callState)
            throws Refusal {
        throw new Refusal.NotSupported(name() + ": the library supports no NUMA policy there");
    }

    /** The NUMA node of the frame of a populated page. get_mempolicy(2). */
    default int nodeOf(long address, MemorySegment callState) throws Refusal {
        throw new Refusal.NotSupported(name() + " does not report the node of a page");
    }

    /** Tells the system how pages will be used. */
    void advise(long address, long bytes, Advice advice, MemorySegment callState) throws Refusal;

    /**
     * Names pages in the process map, or takes their name off. Pages with different names are
     * different mappings. PR_SET_VMA_ANON_NAME.
     *
     * @param name at most 80 bytes with the end of the string, printable, without any of {@code [ ]
     *     \ $} and backquote; NULL for none
     */
    default void name(long address, long bytes, MemorySegment name, MemorySegment callState)
            throws Refusal {
        throw new Refusal.NotSupported(name() + " has no names for pages");
    }

    /**
     * Returns the frames of pages, including pages of the C heap without a live block. The pages
     * stay usable; those of private memory read as zeros next. madvise(2), MADV_DONTNEED.
     */
    default void discard(long address, long bytes, MemorySegment callState) throws Refusal {
        throw new Refusal.NotSupported(name() + " cannot release pages that stay usable");
    }

    /**
     * Gives every page a frame of its own, now instead of at first touch; contents stay. The pages
     * are committed and writable. A container's memory limit is not refused here: the kernel kills
     * a process that exceeds it.
     */
    default void populate(long address, long bytes, MemorySegment callState) throws Refusal {
        populate(NativeMemory.segment(address, bytes), callState);
    }

    /**
     * The same of pages that the program may unmap, as {@link #lock(MemorySegment, MemorySegment)}.
     *
     * @throws IllegalStateException if the segment's arena is closed, or is being closed
     * @throws WrongThreadException if it is confined to another thread
     */
    default void populate(MemorySegment memory, MemorySegment callState) throws Refusal {
        FirstTouch.populate(memory, pageBytes());
    }

    /**
     * Returns how many bytes of pages, at most 2 GiB of them, the system has in memory already:
     * those of shared mappings whether or not this process has touched them. mincore(2).
     */
    default long residentBytes(long address, long bytes, MemorySegment callState) throws Refusal {
        throw new Refusal.NotSupported(name() + " does not report which pages are in memory");
    }

    /**
     * Keeps committed pages in memory until {@link #unlock} or {@link #release}. Locks do not nest.
     * Refused, no page of the range is locked. mlock(2), VirtualLock.
     */
    default void lock(long address, long bytes, MemorySegment callState) throws Refusal {
        lock(NativeMemory.segment(address, bytes), callState);
    }

    /**
     * The same of pages that the program may unmap: the call itself takes the segment, whose arena
     * cannot be closed until it returns.
     *
     * @throws IllegalStateException if the segment's arena is closed; nothing was locked then
     * @throws WrongThreadException if it is confined to another thread
     */
    void lock(MemorySegment memory, MemorySegment callState) throws Refusal;

    /** Allows pages to leave memory again, also those that are not locked. */
    default void unlock(long address, long bytes, MemorySegment callState) throws Refusal {
        unlock(NativeMemory.segment(address, bytes), callState);
    }

    /**
     * The same of pages that the program may unmap, as {@link #lock(MemorySegment, MemorySegment)}.
     */
    void unlock(MemorySegment memory, MemorySegment callState) throws Refusal;

    /** Returns the parts of this process's mappings that lie in a range, ascending, as of now. */
    default List<Mapping> mappings(long start, long end) throws Refusal {
        throw new Refusal.NotSupported(name() + " does not report how memory is mapped");
    }

    /** The mappings of this process whose pages the system keeps in memory, as of now. */
    default LockedMappings lockedMappings() throws Refusal {
        throw new Refusal.NotSupported(name() + " does not report which pages are locked");
    }

    /**
     * The limit on locked memory that is in force, read without opening a file; {@code
     * Long.MAX_VALUE} for none, and 0 on systems where only {@link #lockBudget} reports it.
     */
    default long lockLimitBytes() {
        return 0;
    }

    /** Returns how much this process has locked and may lock. */
    LockBudget lockBudget() throws Refusal;

    /**
     * Keeps populated pages on their frames until {@link #unpin}, as for a device: not moved,
     * merged or collapsed. Pins are counted apart from locks, and outlive a {@link #release} of the
     * pages.
     *
     * @param bytes at most {@link #MAX_PIN_BYTES}
     * @return the pin
     */
    default int pin(long address, long bytes, MemorySegment callState) throws Refusal {
        throw new Refusal.NotSupported(name() + " cannot pin pages");
    }

    /** Returns what holds the pages of a pin of {@link #pin}. */
    default PinMethod pinMethod(int pin) {
        return PinMethod.IO_URING;
    }

    /** Ends a pin of {@link #pin}. */
    default void unpin(int pin, MemorySegment callState) throws Refusal {
        throw new Refusal.NotSupported(name() + " has no pins");
    }

    /**
     * Compares the pins of this process with the system's count: other code of the process may have
     * ended some.
     *
     * @return whether a pin of {@link #pin} that has not been ended holds its pages, as of now
     */
    default IntPredicate heldPins(MemorySegment callState) throws Refusal {
        throw new Refusal.NotSupported(name() + " has no pins");
    }

    /** Returns how much this process has pinned and may pin. */
    default LockBudget pinBudget() throws Refusal {
        throw new Refusal.NotSupported(name() + " has no pins");
    }

    /** The pools of huge pages, the largest pages first; none where there are no pools. */
    default List<HugePool> hugePools() throws Refusal {
        return List.of();
    }

    /** The pool of pages of one size; reads no other. */
    default Optional<HugePool> hugePool(long pageBytes) throws Refusal {
        return hugePools().stream().filter(pool -> pool.pageBytes() == pageBytes).findFirst();
    }

    /** How much of a pool the control groups of this process leave to it (hugetlb). */
    default HugeAllowance hugeAllowance(long pageBytes) throws Refusal {
        return HugeAllowance.ANY;
    }

    /**
     * The groups of processes this one belongs to whose memory is limited. Refused with {@link
     * Refusal.Shortage} where they cannot be read at this moment.
     *
     * @param enoughBytes what is reclaimable may be reported as 0 in a group that leaves as much
     *     without it
     */
    default List<MemoryGroup> memoryGroups(long enoughBytes) throws Refusal {
        return List.of();
    }

    /**
     * Bytes of the Java heap that are committed and have no frames yet, which the collector touches
     * without a check; 0 where the system does not report them.
     */
    default long untouchedHeapBytes() {
        return 0;
    }

    /** Bytes that could be populated now without pushing others out of memory; an estimate. */
    long availableBytes() throws Refusal;

    /**
     * Returns how many bytes could be populated on a NUMA node, without pages of other nodes; an
     * estimate. {@code Long.MAX_VALUE} where the system does not report it.
     */
    default long availableBytesOfNode(int node) throws Refusal {
        return Long.MAX_VALUE;
    }

    // ---- where pages lie ----------------------------------------------------------------------

    /**
     * Reads the page map of this process from the page of {@code address} on: one 64-bit entry a
     * page, in the format of the kernel's admin-guide/mm/pagemap, as many as {@code entries} has
     * room for.
     */
    void readPageMap(long address, MemorySegment entries, MemorySegment callState) throws Refusal;

    /**
     * Opens the page map of this process: what it shows later is decided by the rights of this
     * moment. To be closed by {@link #closeFile}.
     */
    OpenFile openPageMap(MemorySegment callState) throws Refusal;

    /** Identifies the file behind a descriptor now. */
    OpenFile identified(int descriptor, MemorySegment callState);

    /** Returns whether a descriptor still has the same file. */
    default boolean isUnchanged(OpenFile file, MemorySegment callState) {
        return identified(file.descriptor(), callState).equals(file);
    }

    /** Reads as {@link #readPageMap(long, MemorySegment, MemorySegment)}, of an open page map. */
    void readPageMap(OpenFile pageMap, long address, MemorySegment entries, MemorySegment callState)
            throws Refusal;

    /** Closes a file of the library, unless the descriptor is another file's now. */
    void closeFile(OpenFile file, MemorySegment callState);

    /** Reads {@code /proc/kpageflags} from a frame number on: one 64-bit entry a frame. */
    void readFrameFlags(long frame, MemorySegment entries, MemorySegment callState) throws Refusal;

    /** The same of the first of some frames anywhere: one entry for each, in their order. */
    default void readFrameFlagsOf(
            long[] frames, int count, MemorySegment entries, MemorySegment callState)
            throws Refusal {
        for (int i = 0; i < count; i++) {
            readFrameFlags(
                    frames[i], entries.asSlice((long) i * Long.BYTES, Long.BYTES), callState);
        }
    }

    /** Reads {@code /proc/kpagecount} from a frame number on: one 64-bit entry a frame. */
    void readFrameCounts(long frame, MemorySegment entries, MemorySegment callState) throws Refusal;

    /** The same of the first of some frames anywhere: one entry for each, in their order. */
    default void readFrameCountsOf(
            long[] frames, int count, MemorySegment entries, MemorySegment callState)
            throws Refusal {
        for (int i = 0; i < count; i++) {
            readFrameCounts(
                    frames[i], entries.asSlice((long) i * Long.BYTES, Long.BYTES), callState);
        }
    }

    /**
     * Returns the kind of machine that runs the system: whether physical addresses are a guest's.
     */
    Machine machine() throws Refusal;

    // ---- memory that processes share ----------------------------------------------------------

    /**
     * Creates a file in memory whose size never changes. Its descriptor is closed by {@link
     * #closeFile}; its pages live as long as any process has it open or mapped. memfd_create(2).
     *
     * @param name shown in the process map, at most 249 bytes
     * @param bytes a multiple of the size of its pages
     * @param poolPageBytes the size of pages of the huge page pool, 0 for base pages
     */
    default MemoryFile createMemoryFile(
            String name, long bytes, long poolPageBytes, MemorySegment callState) throws Refusal {
        throw noMemoryFiles();
    }

    /**
     * Takes a file in memory by a descriptor, which stays the caller's.
     *
     * @throws IllegalArgumentException if another process could truncate it
     */
    default MemoryFile memoryFileOf(int descriptor, MemorySegment callState) throws Refusal {
        throw noMemoryFiles();
    }

    /**
     * Listens at the path of a Unix socket until a process has sent a file in memory.
     *
     * @throws IOException if none was sent in time, or another thing was
     */
    default MemoryFile receiveMemoryFile(String socket, Duration timeout, MemorySegment callState)
            throws Refusal, IOException {
        throw noMemoryFiles();
    }

    /** Maps a file in memory, readable and writable; {@link #release} unmaps it. */
    default long map(MemoryFile file, MemorySegment callState) throws Refusal {
        throw noMemoryFiles();
    }

    /**
     * Returns another descriptor of a file in memory, which the caller closes or {@link #send}s.
     *
     * @throws IllegalStateException if other code of the process has closed the file
     */
    default int duplicate(MemoryFile file, MemorySegment callState) throws Refusal {
        throw noMemoryFiles();
    }

    /** Sends a descriptor to the process that listens at a path, and closes it in this one. */
    default void send(int descriptor, String socket, Duration timeout) throws IOException {
        throw new UnsupportedOperationException(name());
    }

    private Refusal noMemoryFiles() {
        return new Refusal.NotSupported(name() + ": the library supports no shared memory there");
    }

    /** How many mappings a process may have; {@code Long.MAX_VALUE} where nothing limits them. */
    default long maxMappings() {
        return Long.MAX_VALUE;
    }

    /** The machine that runs an operating system. */
    enum Machine {
        PHYSICAL,
        VIRTUAL,
        /** Unknown. */
        UNKNOWN
    }

    /** The access to a page. */
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
        WIPE_ON_FORK,
        /** Prefer huge pages. */
        HUGE_PAGES,
        /** Use no huge pages. */
        BASE_PAGES
    }

    /** The methods of pinning. */
    enum PinMethod {
        IO_URING,
        AF_XDP
    }

    /** No single pin is larger. */
    long MAX_PIN_BYTES = 1L << 30;

    /**
     * A pool of huge pages, in pages.
     *
     * @param pageBytes the size of its pages
     * @param total the pages in it
     * @param free the free pages
     * @param reserved the free pages that are promised to a mapping
     * @param spare the pages that can be added on demand
     * @param freeOfNode the free pages of each NUMA node
     */
    record HugePool(
            long pageBytes,
            long total,
            long free,
            long reserved,
            long spare,
            Map<Integer, Long> freeOfNode) {

        /** Returns the number of available pages. */
        public long availablePages() {
            return Math.max(0, free - reserved) + spare;
        }

        @Override
        public String toString() {
            return String.format(
                    Locale.ROOT,
                    "pool of %d KiB pages: %d in all, %d free, %d of them promised, by node %s",
                    pageBytes >> 10,
                    total,
                    free,
                    reserved,
                    freeOfNode);
        }
    }

    /**
     * The room that control groups leave in a pool of huge pages.
     *
     * @param leftBytes the least room that one of them leaves; {@link Long#MAX_VALUE} for any
     *     number
     * @param file the file that sets this limit, for messages; empty if there is none
     */
    record HugeAllowance(long leftBytes, String file) {

        /** No group limits it. */
        static final HugeAllowance ANY = new HugeAllowance(Long.MAX_VALUE, "");
    }

    /**
     * A group of processes whose memory is limited, in bytes.
     *
     * @param name the name that the system has for it
     * @param limitBytes the limit of the group; the kernel kills a member beyond it
     * @param usedBytes the bytes in use
     * @param reclaimableBytes those of them that can be reclaimed, such as cached files
     */
    record MemoryGroup(String name, long limitBytes, long usedBytes, long reclaimableBytes) {

        /** Bytes that may still be used. */
        public long availableBytes() {
            return Math.max(0, limitBytes - Math.max(0, usedBytes - reclaimableBytes));
        }
    }

    /**
     * The lock limit, in bytes.
     *
     * @param lockedBytes the bytes locked by this process now
     * @param softLimitBytes the limit in force; {@code Long.MAX_VALUE} for none
     * @param hardLimitBytes the limit to which the process may raise it; {@code Long.MAX_VALUE} for
     *     none
     * @param exempt whether a privilege lifts the limit ({@code CAP_IPC_LOCK} on Linux)
     */
    record LockBudget(long lockedBytes, long softLimitBytes, long hardLimitBytes, boolean exempt) {

        /** Bytes that may still be locked. */
        public long remainingBytes() {
            return exempt ? Long.MAX_VALUE : Math.max(0, softLimitBytes - lockedBytes);
        }

        /**
         * Returns the refusal of a request beyond the limit.
         *
         * @param done {@code "locked"} or {@code "pinned"}
         * @param verb {@code "lock"} or {@code "pin"}
         */
        public Refusal.LockLimit exceeded(String what, String done, String verb) {
            return new Refusal.LockLimit(
                    what
                            + ", this process has "
                            + done
                            + " "
                            + lockedBytes
                            + " bytes and may "
                            + verb
                            + " "
                            + softLimitBytes
                            + " (hard limit "
                            + hardLimitBytes
                            + "). Raise the limit: ulimit -l, LimitMEMLOCK= in a systemd unit,"
                            + " docker run --ulimit memlock=-1; or give the process CAP_IPC_LOCK");
        }
    }
}
