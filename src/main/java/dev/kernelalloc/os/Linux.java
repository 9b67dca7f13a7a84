package dev.kernelalloc.os;

import dev.kernelalloc.bulk.Alignment;
import dev.kernelalloc.bulk.BulkMemory;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.IntPredicate;

/**
 * Linux. A record, because the JIT trusts its fields: through {@link Platform#current()} every call
 * is direct.
 */
record Linux(LinuxCalls calls, long pageBytes, MemoryGroups groups) implements Posix {

    private static final long AMD64_PAGE_BYTES = 4096;

    static final int MAP_PRIVATE = 0x02;
    static final int MAP_ANONYMOUS = 0x20;

    static final int MAP_SHARED = 0x01;
    static final int MAP_HUGETLB = 0x40000;
    static final int MAP_HUGE_SHIFT = 26;

    static final int MREMAP_MAYMOVE = 1;
    static final int MREMAP_FIXED = 2;

    static final int MADV_DONTNEED = 4;
    static final int MADV_REMOVE = 9;
    static final int MADV_DONTFORK = 10;
    static final int MADV_UNMERGEABLE = 13;
    static final int MADV_HUGEPAGE = 14;
    static final int MADV_NOHUGEPAGE = 15;
    static final int MADV_DONTDUMP = 16;
    static final int MADV_WIPEONFORK = 18;
    static final int MADV_POPULATE_WRITE = 23;
    static final int MADV_COLLAPSE = 25;

    static final int PR_SET_VMA = 0x53564d41;
    static final int PR_SET_VMA_ANON_NAME = 0;

    static final int O_RDONLY = 0;
    static final int O_CLOEXEC = 0x80000;

    static final int EINTR = 4;
    static final int E2BIG = 7;
    static final int EBADF = 9;
    static final int EAGAIN = 11;
    static final int EFAULT = 14;
    static final int EBUSY = 16;
    static final int EEXIST = 17;
    static final int ENODEV = 19;
    static final int ENOTDIR = 20;
    static final int ENFILE = 23;
    static final int EMFILE = 24;
    static final int ENOTTY = 25;
    static final int EPIPE = 32;
    static final int ENOSYS = 38;
    static final int EOPNOTSUPP = 95;
    static final int EAFNOSUPPORT = 97;
    static final int EADDRINUSE = 98;
    static final int ECONNRESET = 104;
    static final int ENOBUFS = 105;
    static final int ECONNREFUSED = 111;
    static final int EHWPOISON = 133;

    static final Map<Integer, String> ERRORS =
            Map.ofEntries(
                    Map.entry(EPERM, "EPERM"),
                    Map.entry(ENOENT, "ENOENT"),
                    Map.entry(EINTR, "EINTR"),
                    Map.entry(E2BIG, "E2BIG"),
                    Map.entry(EBADF, "EBADF"),
                    Map.entry(EAGAIN, "EAGAIN"),
                    Map.entry(ENOMEM, "ENOMEM"),
                    Map.entry(EACCES, "EACCES"),
                    Map.entry(EFAULT, "EFAULT"),
                    Map.entry(EBUSY, "EBUSY"),
                    Map.entry(EEXIST, "EEXIST"),
                    Map.entry(ENODEV, "ENODEV"),
                    Map.entry(ENOTDIR, "ENOTDIR"),
                    Map.entry(EINVAL, "EINVAL"),
                    Map.entry(ENFILE, "ENFILE"),
                    Map.entry(EMFILE, "EMFILE"),
                    Map.entry(ENOTTY, "ENOTTY"),
                    Map.entry(EPIPE, "EPIPE"),
                    Map.entry(ENOSYS, "ENOSYS"),
                    Map.entry(EOPNOTSUPP, "EOPNOTSUPP"),
                    Map.entry(EAFNOSUPPORT, "EAFNOSUPPORT"),
                    Map.entry(EADDRINUSE, "EADDRINUSE"),
                    Map.entry(ECONNRESET, "ECONNRESET"),
                    Map.entry(ENOBUFS, "ENOBUFS"),
                    Map.entry(ECONNREFUSED, "ECONNREFUSED"),
                    Map.entry(EHWPOISON, "EHWPOISON"));

    /** Whether an error is transient in a call on files; there ENOMEM is, too. */
    static boolean isShortage(int errno) {
        return errno == EMFILE || errno == ENFILE || errno == EINTR || errno == EAGAIN;
    }

    /** Returns the refusal for an error that has no meaning of its own for a call. */
    static Refusal other(String what, ErrorCode error) {
        return isShortage(error.number())
                ? new Refusal.Shortage(what + ". " + Refusal.Shortage.REMEDY)
                : new Refusal.SystemError(what, error);
    }

    private static final String PAGE_MAP = "/proc/self/pagemap";

    /** The length of a short run of records of frames, in bytes. */
    private static final long SHORT_RUN_BYTES = 64 * Long.BYTES;

    private static final String FRAME_FLAGS = "/proc/kpageflags";
    private static final String FRAME_COUNTS = "/proc/kpagecount";
    private static final String PAGE_MAP_REMEDY =
            "The process is not dumpable (file capabilities on the java launcher, a changed user"
                    + " id), or the kernel is older than 4.2 and requires CAP_SYS_ADMIN: grant the"
                    + " capability by setpriv or systemd instead";
    private static final String FRAMES_REMEDY = "Only root may read it: run as user 0";

    Linux() {
        this(new LinuxCalls() {});
    }

    Linux(LinuxCalls calls) {
        this(calls, pageBytes(calls), new MemoryGroups(new KernelFiles(calls, "")));
    }

    /** The processor has but one size, or the kernel is asked; that links another function. */
    private static long pageBytes(LinuxCalls calls) {
        return System.getProperty("os.arch").equals("amd64")
                ? AMD64_PAGE_BYTES
                : calls.getpagesize();
    }

    private KernelFiles files() {
        return new KernelFiles(calls, "");
    }

    private Proc proc() {
        return new Proc(files());
    }

    @Override
    public int anonymous() {
        return MAP_PRIVATE | MAP_ANONYMOUS;
    }

    @Override
    public Map<Integer, String> errorNames() {
        return ERRORS;
    }

    /**
     * If a process has locked all its future mappings (mlockall), a mapping beyond the lock limit
     * is refused with EAGAIN.
     */
    @Override
    public Refusal refused(String what, MemorySegment callState) {
        ErrorCode error = error(callState);
        if (error.number() != EAGAIN) {
            return Posix.super.refused(what, callState);
        }
        String refused = what + ": " + error + ", new mappings are locked (mlockall)";
        try {
            return lockBudget().exceeded(refused, "locked", "lock");
        } catch (Refusal unknown) {
            return new Refusal.LockLimit(refused + ". Raise the limit: ulimit -l");
        }
    }

    @Override
    public String outOfPages() {
        return "no memory, no address space or no mapping left. See /proc/meminfo (CommitLimit,"
                + " MemAvailable), ulimit -v and sysctl vm.max_map_count";
    }

    @Override
    public long alignedAlloc(long alignment, long bytes) throws Refusal {
        return alignedBlock(
                calls.alignedAlloc(alignment, bytes), "aligned_alloc", bytes, alignment);
    }

    /**
     * If new mappings are locked (mlockall), the C heap meets the lock limit; it does not report
     * so, but a mapping of that size does.
     */
    @Override
    public Refusal noBlock(String function, long bytes) {
        Refusal ofTheHeap = Posix.super.noBlock(function, bytes);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment callState = arena.allocate(CallState.LAYOUT);
            long probed = Alignment.up(Math.min(bytes, Long.MAX_VALUE - pageBytes), pageBytes);
            release(reserve(probed, pageBytes, callState), probed, callState);
            return ofTheHeap;
        } catch (Refusal.LockLimit e) {
            return e.withMessage(
                    function + ": the C heap has no block left, because " + e.getMessage());
        } catch (Refusal other) {
            return ofTheHeap;
        }
    }

    /** A kernel that does not support an advice against something does not do it either. */
    @Override
    public void advise(long address, long bytes, Advice advice, MemorySegment callState)
            throws Refusal {
        int number =
                switch (advice) {
                    case DONT_FORK -> MADV_DONTFORK;
                    case DONT_MERGE -> MADV_UNMERGEABLE;
                    case DONT_DUMP -> MADV_DONTDUMP;
                    case WIPE_ON_FORK -> MADV_WIPEONFORK;
                    case HUGE_PAGES -> MADV_HUGEPAGE;
                    case BASE_PAGES -> MADV_NOHUGEPAGE;
                };
        int result = calls.madvise(address, bytes, number, callState);
        if (result != 0 && error(callState).number() == EINVAL) {
            switch (advice) {
                case DONT_MERGE, BASE_PAGES -> {
                    return; // a kernel without the feature
                }
                case HUGE_PAGES ->
                        throw new Refusal.NotSupported(
                                "advising HUGE_PAGES: EINVAL (22), this kernel is built without"
                                        + " CONFIG_TRANSPARENT_HUGEPAGE");
                default -> {}
            }
        }
        check(result, "advising " + advice + " for", address, bytes, callState);
    }

    @Override
    public void name(long address, long bytes, MemorySegment name, MemorySegment callState)
            throws Refusal {
        if (calls.prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, address, bytes, name, callState) == 0) {
            return;
        }
        String what = Posix.range("naming", address, bytes);
        if (error(callState).number() == EINVAL) {
            throw new Refusal.NotSupported(
                    what
                            + ": EINVAL (22), this kernel is older than 5.17 or built without"
                            + " CONFIG_ANON_VMA_NAME");
        }
        throw refused(what, callState);
    }

    @Override
    public void discard(long address, long bytes, MemorySegment callState) throws Refusal {
        int result = calls.madvise(address, bytes, MADV_DONTNEED, callState);
        check(result, "discarding", address, bytes, callState);
    }

    @Override
    public void populate(long address, long bytes, MemorySegment callState) throws Refusal {
        if (calls.madvise(address, bytes, MADV_POPULATE_WRITE, callState) != 0) {
            touch(NativeMemory.segment(address, bytes), error(callState), callState);
        }
    }

    @Override
    public void populate(MemorySegment memory, MemorySegment callState) throws Refusal {
        if (calls.madvise(memory, MADV_POPULATE_WRITE, callState) != 0) {
            touch(memory, error(callState), callState);
        }
    }

    /**
     * Kernels before 5.14 lack {@code MADV_POPULATE_WRITE}; there each page is touched. Others
     * answer EINVAL, too, for a page that is not writable, and touching it would end the process.
     */
    private void touch(MemorySegment memory, ErrorCode error, MemorySegment callState)
            throws Refusal {
        if (error.number() == EINVAL && !knowsPopulate(memory.address(), callState)) {
            FirstTouch.populate(memory, pageBytes);
            return;
        }
        String what = Posix.range("populating", memory) + ": " + error;
        throw switch (error.number()) {
            case ENOMEM, EFAULT ->
                    new Refusal.OutOfMemory(
                            what + ", a page does not exist, or there is no memory left for it");
            case EINVAL ->
                    new Refusal.SystemError(
                            what + ", a page is not committed or not writable", error);
            default -> new Refusal.SystemError(what, error);
        };
    }

    @Override
    public long residentBytes(long address, long bytes, MemorySegment callState) throws Refusal {
        long pages = bytes / pageBytes;
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment resident = scratch.allocate(pages);
            if (calls.mincore(address, bytes, resident, callState) != 0) {
                throw refused(
                        Posix.range("looking which are resident of", address, bytes), callState);
            }
            long count = 0;
            for (long page = 0; page < pages; page++) {
                count += resident.get(ValueLayout.JAVA_BYTE, page) & 1;
            }
            return count * pageBytes;
        }
    }

    /** Advice for no bytes is refused only when it is unknown. */
    private boolean knowsPopulate(long address, MemorySegment callState) {
        return calls.madvise(address, 0, MADV_POPULATE_WRITE, callState) == 0;
    }

    /**
     * The kernel answers ENOMEM both for the limit and for pages that are missing, and in the
     * second case has already locked some. So a refusal unlocks all, and then looks whether the
     * limit explains it.
     */
    @Override
    public void lock(MemorySegment memory, MemorySegment callState) throws Refusal {
        if (calls.mlock(memory, callState) == 0) {
            return;
        }
        ErrorCode error = error(callState);
        calls.munlock(memory, callState);
        LockBudget budget = lockBudget();
        String what = Posix.range("locking", memory) + ": " + error;
        if (memory.byteSize() > budget.remainingBytes()) {
            throw budget.exceeded(what, "locked", "lock");
        }
        throw switch (error.number()) {
            case ENOMEM, EAGAIN ->
                    new Refusal.OutOfMemory(
                            what
                                    + ", within the limit, so pages are not all committed or there"
                                    + " is no memory left");
            case EPERM -> new Refusal.NotPermitted(what + ", the system's policy forbids it");
            default -> new Refusal.SystemError(what, error);
        };
    }

    @Override
    public long reserveHidden(long bytes, long guardBytes, MemorySegment callState) throws Refusal {
        return new MemfdSecret(this, calls).reserve(bytes, guardBytes, callState);
    }

    @Override
    public long lockLimitBytes() {
        return calls.lockLimit();
    }

    @Override
    public LockBudget lockBudget() throws Refusal {
        return proc().lockBudget();
    }

    @Override
    public long untouchedHeapBytes() {
        return JavaHeap.OF_PROCESS.untouchedBytes();
    }

    /** The kernel's own estimate, {@code MemAvailable}; a container's limit is not part of it. */
    @Override
    public long availableBytes() throws Refusal {
        return proc().availableBytes();
    }

    @Override
    public long availableBytesOfNode(int node) throws Refusal {
        return proc().availableBytesOfNode(node);
    }

    @Override
    public void readPageMap(long address, MemorySegment entries, MemorySegment callState)
            throws Refusal {
        read(PAGE_MAP, address / pageBytes, entries, callState, PAGE_MAP_REMEDY);
    }

    @Override
    public void readFrameFlags(long frame, MemorySegment entries, MemorySegment callState)
            throws Refusal {
        read(FRAME_FLAGS, frame, entries, callState, FRAMES_REMEDY);
    }

    @Override
    public void readFrameFlagsOf(
            long[] frames, int count, MemorySegment entries, MemorySegment callState)
            throws Refusal {
        readOf(frames, count, FRAME_FLAGS, entries, callState);
    }

    @Override
    public void readFrameCountsOf(
            long[] frames, int count, MemorySegment entries, MemorySegment callState)
            throws Refusal {
        readOf(frames, count, FRAME_COUNTS, entries, callState);
    }

    /**
     * One opening, and one reading for each run of numbers. Short runs, of which there may be as
     * many as numbers, are read to the same place: a segment for each would be garbage.
     */
    private void readOf(
            long[] frames,
            int count,
            String records,
            MemorySegment entries,
            MemorySegment callState)
            throws Refusal {
        int file = open(records, FRAMES_REMEDY, callState);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment few = arena.allocate(SHORT_RUN_BYTES, Long.BYTES);
            int from = 0;
            while (from < count) {
                int to = from + 1;
                while (to < count && frames[to] == frames[to - 1] + 1) {
                    to++;
                }
                long offset = (long) from * Long.BYTES;
                long length = (long) (to - from) * Long.BYTES;
                long position = Math.multiplyExact(frames[from], Long.BYTES);
                boolean isShort = length <= SHORT_RUN_BYTES;
                MemorySegment part = isShort ? few : entries.asSlice(offset, length);
                readFully(file, records, position, part, length, callState, FRAMES_REMEDY);
                if (isShort) {
                    BulkMemory.copy(few, 0, entries, offset, length);
                }
                from = to;
            }
        } finally {
            calls.close(file);
        }
    }

    @Override
    public void readFrameCounts(long frame, MemorySegment entries, MemorySegment callState)
            throws Refusal {
        read(FRAME_COUNTS, frame, entries, callState, FRAMES_REMEDY);
    }

    @Override
    public OpenFile openPageMap(MemorySegment callState) throws Refusal {
        return identified(open(PAGE_MAP, PAGE_MAP_REMEDY, callState), callState);
    }

    @Override
    public OpenFile identified(int descriptor, MemorySegment callState) {
        return new OpenFile(descriptor, FileIdentity.of(this, descriptor, callState));
    }

    @Override
    public void readPageMap(
            OpenFile pageMap, long address, MemorySegment entries, MemorySegment callState)
            throws Refusal {
        long position = Math.multiplyExact(address / pageBytes, Long.BYTES);
        readFully(
                pageMap.descriptor(),
                PAGE_MAP,
                position,
                entries,
                entries.byteSize(),
                callState,
                PAGE_MAP_REMEDY);
    }

    @Override
    public void closeFile(OpenFile file, MemorySegment callState) {
        if (isUnchanged(file, callState)) {
            calls.close(file.descriptor());
        }
    }

    // ---- huge pages ---------------------------------------------------------------------------

    /** Shared memory, so that a child's or a parent's write moves no page. */
    @Override
    public long reserveHuge(
            long bytes,
            long guardBytes,
            long alignment,
            long hugePageBytes,
            MemorySegment callState)
            throws Refusal {
        int size = Long.numberOfTrailingZeros(hugePageBytes) << MAP_HUGE_SHIFT;
        int flags = MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB | size;
        return new MappingBetweenGuards(this, bytes, guardBytes, alignment)
                .map(
                        bytes + " bytes of the huge page pool",
                        flags,
                        -1,
                        error -> noHugePages(error, bytes, hugePageBytes),
                        callState);
    }

    Refusal noHugePages(ErrorCode error, long bytes, long hugePageBytes) {
        String what =
                String.format(
                        Locale.ROOT,
                        "taking %d bytes of the pool of %d KiB pages: %s",
                        bytes,
                        hugePageBytes >> 10,
                        error);
        return switch (error.number()) {
            case ENOMEM ->
                    new Refusal.OutOfMemory(
                            what
                                    + ". "
                                    + shownPools()
                                    + ". Add pages to it: sysctl vm.nr_hugepages, or hugepagesz="
                                    + " and hugepages= at boot");
            case EINVAL ->
                    new Refusal.NotSupported(
                            what + ", this system has no pages of that size: " + shownPools());
            case EPERM, EACCES ->
                    new Refusal.NotPermitted(what + ", the system's policy forbids it");
            default -> new Refusal.SystemError(what, error);
        };
    }

    @Override
    public void move(long from, long to, long bytes, MemorySegment callState) throws Refusal {
        long moved = calls.mremap(from, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to, callState);
        if (moved == MAP_FAILED) {
            throw refused(Posix.range("moving", from, bytes), callState);
        }
    }

    @Override
    public boolean releasesParts() {
        return true;
    }

    /**
     * Pages of the pool are those of a file without a name, and stay taken as long as any part of
     * it is mapped: they are removed from it first. Pages of other kinds refuse that, and need
     * nothing but the unmapping.
     */
    @Override
    public void releasePart(long address, long bytes, MemorySegment callState) throws Refusal {
        int _ = calls.madvise(address, bytes, MADV_REMOVE, callState);
        release(address, bytes, callState);
    }

    @Override
    public void collapse(long address, long bytes, MemorySegment callState) throws Refusal {
        if (calls.madvise(address, bytes, MADV_COLLAPSE, callState) == 0) {
            return;
        }
        String what = Posix.range("collapsing", address, bytes);
        ErrorCode error = error(callState);
        throw switch (error.number()) {
            case ENOMEM, EAGAIN, EBUSY ->
                    new Refusal.OutOfMemory(
                            what
                                    + ": "
                                    + error
                                    + ", no huge page is free, memory is fragmented: try again, or"
                                    + " after echo 1 > /proc/sys/vm/compact_memory");
            case EINVAL ->
                    new Refusal.NotSupported(
                            what
                                    + ": EINVAL (22), the kernel is older than 6.1 or huge pages"
                                    + " are forbidden to this process");
            default -> refused(what, callState);
        };
    }

    @Override
    public long hugeBytes(long address, long bytes, MemorySegment callState) throws Refusal {
        int file = open(PAGE_MAP, PAGE_MAP_REMEDY, callState);
        try (PageScan scan = new PageScan()) {
            if (calls.ioctl(file, PageScan.PAGEMAP_SCAN, scan.of(address, bytes), callState) < 0) {
                ErrorCode error = error(callState);
                String what = Posix.range("scanning the page map,", address, bytes) + ": " + error;
                throw error.number() == ENOTTY
                        ? new Refusal.NotSupported(what + ", the kernel is older than 6.7")
                        : other(what, error);
            }
            return scan.foundBytes();
        } finally {
            calls.close(file);
        }
    }

    @Override
    public List<HugePool> hugePools() throws Refusal {
        return HugePools.read(files());
    }

    @Override
    public Optional<HugePool> hugePool(long pageBytes) throws Refusal {
        return HugePools.read(files(), pageBytes);
    }

    @Override
    public HugeAllowance hugeAllowance(long pageBytes) throws Refusal {
        return HugePools.allowance(files(), pageBytes);
    }

    private String shownPools() {
        try {
            return hugePools().toString();
        } catch (Refusal e) {
            return e.getMessage();
        }
    }

    // ---- nodes --------------------------------------------------------------------------------

    @Override
    public void bind(long address, long bytes, int node, boolean required, MemorySegment callState)
            throws Refusal {
        MemoryPolicy.bind(this, address, bytes, node, required, callState);
    }

    @Override
    public int nodeOf(long address, MemorySegment callState) throws Refusal {
        return MemoryPolicy.nodeOf(this, address, callState);
    }

    // ---- pins ---------------------------------------------------------------------------------

    /**
     * By io_uring, and where that is refused altogether by AF_XDP, whose pins are numbered down
     * from -1. A limit that io_uring meets is one for both. If AF_XDP is there and fails, its
     * refusal has the remedy.
     */
    @Override
    public int pin(long address, long bytes, MemorySegment callState) throws Refusal {
        try {
            return PinRing.OF_PROCESS.pin(this, address, bytes, callState);
        } catch (Refusal.NotPermitted | Refusal.NotSupported e) {
            try {
                return ~XdpPins.OF_PROCESS.pin(this, address, bytes, callState);
            } catch (Refusal.NotPermitted | Refusal.NotSupported second) {
                throw e.withMessage(e.getMessage() + "; and " + second.getMessage());
            } catch (Refusal second) {
                throw second.withMessage(
                        second.getMessage() + "; without io_uring: " + e.getMessage());
            }
        }
    }

    @Override
    public PinMethod pinMethod(int pin) {
        return pin < 0 ? PinMethod.AF_XDP : PinMethod.IO_URING;
    }

    @Override
    public void unpin(int pin, MemorySegment callState) throws Refusal {
        switch (pinMethod(pin)) {
            case AF_XDP -> XdpPins.OF_PROCESS.unpin(this, ~pin, callState);
            case IO_URING -> PinRing.OF_PROCESS.unpin(this, pin, callState);
        }
    }

    @Override
    public IntPredicate heldPins(MemorySegment callState) throws Refusal {
        IntPredicate byRing = PinRing.OF_PROCESS.held(this, callState);
        IntPredicate bySocket = XdpPins.OF_PROCESS.held(this, callState);
        return pin -> pin < 0 ? bySocket.test(~pin) : byRing.test(pin);
    }

    // ---- memory that processes share ----------------------------------------------------------

    @Override
    public MemoryFile createMemoryFile(
            String name, long bytes, long poolPageBytes, MemorySegment callState) throws Refusal {
        return MemoryFile.create(this, name, bytes, poolPageBytes, callState);
    }

    @Override
    public MemoryFile memoryFileOf(int descriptor, MemorySegment callState) throws Refusal {
        return MemoryFile.duplicateOf(this, descriptor, callState);
    }

    @Override
    public MemoryFile receiveMemoryFile(String socket, Duration timeout, MemorySegment callState)
            throws Refusal, IOException {
        int descriptor = DescriptorSocket.receive(this, socket, timeout);
        try {
            return MemoryFile.duplicateOf(this, descriptor, callState);
        } catch (IllegalArgumentException e) {
            throw new IOException(socket + " received " + e.getMessage(), e);
        } finally {
            calls.close(descriptor);
        }
    }

    @Override
    public long map(MemoryFile file, MemorySegment callState) throws Refusal {
        return file.map(this, callState);
    }

    @Override
    public int duplicate(MemoryFile file, MemorySegment callState) throws Refusal {
        return file.duplicate(this, callState);
    }

    @Override
    public void send(int descriptor, String socket, Duration timeout) throws IOException {
        try {
            DescriptorSocket.send(this, socket, descriptor, timeout);
        } finally {
            calls.close(descriptor);
        }
    }

    @Override
    public LockedMappings lockedMappings() throws Refusal {
        return LockedMappings.read(files());
    }

    @Override
    public List<Mapping> mappings(long start, long end) throws Refusal {
        return Mapping.read(files(), start, end);
    }

    @Override
    public LockBudget pinBudget() throws Refusal {
        return proc().pinBudget();
    }

    @Override
    public long kernelRegion(long bytes, MemorySegment callState) throws Refusal {
        return KernelRegion.map(this, bytes, callState);
    }

    @Override
    public List<MemoryGroup> memoryGroups(long enoughBytes) throws Refusal {
        return groups.read(enoughBytes);
    }

    @Override
    public Machine machine() throws Refusal {
        return proc().machine();
    }

    @Override
    public long maxMappings() {
        return proc().maxMappings();
    }

    /** By descriptor: an interrupt would close a channel of java.nio. */
    private void read(
            String path, long index, MemorySegment entries, MemorySegment callState, String remedy)
            throws Refusal {
        int file = open(path, remedy, callState);
        try {
            long position = Math.multiplyExact(index, Long.BYTES);
            readFully(file, path, position, entries, entries.byteSize(), callState, remedy);
        } finally {
            calls.close(file);
        }
    }

    private int open(String path, String remedy, MemorySegment callState) throws Refusal {
        try (Arena arena = Arena.ofConfined()) {
            int file = calls.open(arena.allocateFrom(path), O_RDONLY | O_CLOEXEC, callState);
            if (file < 0) {
                throw unreadable("opening " + path, remedy, callState);
            }
            return file;
        }
    }

    private void readFully(
            int file,
            String path,
            long position,
            MemorySegment entries,
            long bytes,
            MemorySegment callState,
            String remedy)
            throws Refusal {
        long done = 0;
        while (done < bytes) {
            long left = bytes - done;
            MemorySegment rest = done == 0 ? entries : entries.asSlice(done);
            long got = calls.pread(file, rest, left, position + done, callState);
            if (got < 0 && error(callState).number() == EINTR) {
                continue;
            }
            if (got <= 0) {
                String what = "reading " + left + " bytes of " + path + " at " + (position + done);
                throw got < 0
                        ? unreadable(what, remedy, callState)
                        : new Refusal.SystemError(
                                what + ": it ends there; no such page exists",
                                new ErrorCode(0, "end of file"));
            }
            done += got;
        }
    }

    private Refusal unreadable(String what, String remedy, MemorySegment callState) {
        ErrorCode error = error(callState);
        return switch (error.number()) {
            case EPERM, EACCES -> new Refusal.NotPermitted(what + ": " + error + ". " + remedy);
            case ENOENT ->
                    new Refusal.NotSupported(
                            what
                                    + ": "
                                    + error
                                    + ". This kernel is built without CONFIG_PROC_PAGE_MONITOR, or"
                                    + " /proc is not mounted");
            case ENOMEM ->
                    new Refusal.Shortage(what + ": " + error + ". " + Refusal.Shortage.REMEDY);
            default -> other(what + ": " + error, error);
        };
    }
}
