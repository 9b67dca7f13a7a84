package dev.kernelalloc.os;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.kernelalloc.bulk.Alignment;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.Map;

/**
 * Windows. A record, because the JIT trusts its fields: through {@link Platform#current()} every
 * call is direct.
 *
 * @param calls the functions of the system
 * @param pageBytes the size of a page
 * @param granularityBytes every reservation starts at a multiple of this
 */
record Windows(WindowsCalls calls, long pageBytes, long granularityBytes)
        implements CHeap, HiddenFrames {

    static final int MEM_COMMIT = 0x1000;
    static final int MEM_RESERVE = 0x2000;
    static final int MEM_RELEASE = 0x8000;
    static final int MEM_LARGE_PAGES = 0x20000000;

    static final int PAGE_NOACCESS = 0x01;
    static final int PAGE_READONLY = 0x02;
    static final int PAGE_READWRITE = 0x04;

    static final int ERROR_ACCESS_DENIED = 5;
    static final int ERROR_NOT_ENOUGH_MEMORY = 8;
    static final int ERROR_INVALID_PARAMETER = 87;
    static final int ERROR_NOT_LOCKED = 158;
    static final int ERROR_INVALID_ADDRESS = 487;
    static final int ERROR_NOACCESS = 998;
    static final int ERROR_NOT_ALL_ASSIGNED = 1300;
    static final int ERROR_PRIVILEGE_NOT_HELD = 1314;
    static final int ERROR_NO_SYSTEM_RESOURCES = 1450;
    static final int ERROR_WORKING_SET_QUOTA = 1453;
    static final int ERROR_COMMITMENT_LIMIT = 1455;

    /** {@code GetCurrentProcess()}: a constant in place of a handle. */
    static final long CURRENT_PROCESS = -1;

    static final long SYSTEM_INFO_BYTES = 48;
    static final long PAGE_SIZE_OFFSET = 4;
    static final long ALLOCATION_GRANULARITY_OFFSET = 40;

    static final int MEMORY_STATUS_BYTES = 64;
    static final long AVAILABLE_PHYSICAL_OFFSET = 16;

    private static final Map<Integer, String> ERRORS =
            Map.ofEntries(
                    Map.entry(ERROR_ACCESS_DENIED, "ERROR_ACCESS_DENIED"),
                    Map.entry(ERROR_NOT_ENOUGH_MEMORY, "ERROR_NOT_ENOUGH_MEMORY"),
                    Map.entry(ERROR_INVALID_PARAMETER, "ERROR_INVALID_PARAMETER"),
                    Map.entry(ERROR_NOT_LOCKED, "ERROR_NOT_LOCKED"),
                    Map.entry(ERROR_INVALID_ADDRESS, "ERROR_INVALID_ADDRESS"),
                    Map.entry(ERROR_NOACCESS, "ERROR_NOACCESS"),
                    Map.entry(ERROR_NOT_ALL_ASSIGNED, "ERROR_NOT_ALL_ASSIGNED"),
                    Map.entry(ERROR_PRIVILEGE_NOT_HELD, "ERROR_PRIVILEGE_NOT_HELD"),
                    Map.entry(ERROR_NO_SYSTEM_RESOURCES, "ERROR_NO_SYSTEM_RESOURCES"),
                    Map.entry(ERROR_WORKING_SET_QUOTA, "ERROR_WORKING_SET_QUOTA"),
                    Map.entry(ERROR_COMMITMENT_LIMIT, "ERROR_COMMITMENT_LIMIT"));

    /** How often another thread may take the place found before {@link #reserve} gives up. */
    private static final int RESERVE_ATTEMPTS = 16;

    /** Growing the working set reads it and writes it back. */
    private static final Object WORKING_SET = new Object();

    Windows() {
        this(new WindowsCalls() {});
    }

    Windows(WindowsCalls calls) {
        this(
                calls,
                systemInfo(calls, PAGE_SIZE_OFFSET),
                systemInfo(calls, ALLOCATION_GRANULARITY_OFFSET));
    }

    private static int systemInfo(WindowsCalls calls, long offset) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment info = arena.allocate(SYSTEM_INFO_BYTES, Long.BYTES);
            calls.getSystemInfo(info);
            return info.get(JAVA_INT, offset);
        }
    }

    @Override
    public long alignedAlloc(long alignment, long bytes) throws Refusal {
        return alignedBlock(
                calls.alignedMalloc(bytes, alignment), "_aligned_malloc", bytes, alignment);
    }

    @Override
    public void alignedFree(long address) {
        calls.alignedFree(address);
    }

    @Override
    public MethodHandle alignedFreeHandle() {
        return WindowsCalls.Aligned.freeHandle();
    }

    /**
     * A part of a reservation cannot be released. So beyond the granularity an address is found by
     * a larger reservation, which is released, and then reserved at its address.
     */
    @Override
    public long reserve(long bytes, long alignment, MemorySegment callState) throws Refusal {
        String what = "reserving " + bytes + " bytes at a multiple of " + alignment;
        if (alignment <= granularityBytes) {
            return reserveAt(0, bytes, what, callState);
        }
        if (bytes > Long.MAX_VALUE - alignment) {
            throw new Refusal.OutOfMemory(what + ": there is no address space of that size");
        }
        for (int attempt = 0; attempt < RESERVE_ATTEMPTS; attempt++) {
            long place = reserveAt(0, bytes + alignment, what, callState);
            releaseTrial(place, bytes + alignment, callState);
            long start = Alignment.up(place, alignment);
            if (calls.virtualAlloc(start, bytes, MEM_RESERVE, PAGE_NOACCESS, callState) != 0) {
                return start;
            }
        }
        throw refused(what + ", in " + RESERVE_ATTEMPTS + " attempts", callState);
    }

    /** Releases a reservation made to find an address; retried once after a refusal. */
    void releaseTrial(long place, long bytes, MemorySegment callState) throws Refusal {
        try {
            release(place, bytes, callState);
        } catch (Refusal e) {
            calls.virtualFree(place, 0, MEM_RELEASE, callState);
            throw e;
        }
    }

    private long reserveAt(long address, long bytes, String what, MemorySegment callState)
            throws Refusal {
        long start = calls.virtualAlloc(address, bytes, MEM_RESERVE, PAGE_NOACCESS, callState);
        if (start == 0) {
            throw refused(what, callState);
        }
        return start;
    }

    @Override
    public void commit(long address, long bytes, MemorySegment callState) throws Refusal {
        if (calls.virtualAlloc(address, bytes, MEM_COMMIT, PAGE_READWRITE, callState) == 0) {
            throw refused(Posix.range("committing", address, bytes), callState);
        }
    }

    @Override
    public void protect(long address, long bytes, Access access, MemorySegment callState)
            throws Refusal {
        int protection =
                switch (access) {
                    case NONE -> PAGE_NOACCESS;
                    case READ -> PAGE_READONLY;
                    case READ_WRITE -> PAGE_READWRITE;
                };
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment old = arena.allocate(JAVA_INT);
            check(
                    calls.virtualProtect(address, bytes, protection, old, callState),
                    "protecting",
                    address,
                    bytes,
                    callState);
        }
    }

    @Override
    public long largePageBytes() {
        return calls.getLargePageMinimum();
    }

    @Override
    public long reserveLarge(long bytes, long alignment, MemorySegment callState) throws Refusal {
        return new WindowsLargePages(this).reserve(bytes, alignment, callState);
    }

    /** The function takes size 0 for the whole reservation. */
    @Override
    public void release(long address, long bytes, MemorySegment callState) throws Refusal {
        check(
                calls.virtualFree(address, 0, MEM_RELEASE, callState),
                "releasing",
                address,
                bytes,
                callState);
    }

    /** There is no fork to hide from. */
    @Override
    public void advise(long address, long bytes, Advice advice, MemorySegment callState)
            throws Refusal {
        switch (advice) {
            case DONT_FORK -> {}
            case DONT_MERGE -> throw missing("keeping pages from being combined");
            case DONT_DUMP -> throw missing("keeping pages out of every dump");
            case WIPE_ON_FORK -> {} // nor does a child find anything
            case BASE_PAGES -> {} // which is what it gives
            case HUGE_PAGES -> throw missing("transparent huge pages");
        }
    }

    /** A process may lock about as much as its minimum working set, and may enlarge that. */
    @Override
    public void lock(MemorySegment memory, MemorySegment callState) throws Refusal {
        if (calls.virtualLock(memory, callState) != 0) {
            return;
        }
        if (lastError(callState) == ERROR_WORKING_SET_QUOTA) {
            growWorkingSet(memory.address(), memory.byteSize(), callState);
            if (calls.virtualLock(memory, callState) != 0) {
                return;
            }
        }
        throw refused(Posix.range("locking", memory), callState);
    }

    private void growWorkingSet(long address, long bytes, MemorySegment callState) throws Refusal {
        String what = Posix.range("growing the working set to lock", address, bytes);
        synchronized (WORKING_SET) {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment minimum = arena.allocate(JAVA_LONG);
                MemorySegment maximum = arena.allocate(JAVA_LONG);
                MemorySegment flags = arena.allocate(JAVA_INT);
                if (calls.getProcessWorkingSetSizeEx(
                                CURRENT_PROCESS, minimum, maximum, flags, callState)
                        == 0) {
                    throw refused(what, callState);
                }
                what += " from " + minimum.get(JAVA_LONG, 0) + " bytes";
                WorkingSet wanted =
                        new WorkingSet(
                                minimum.get(JAVA_LONG, 0) + bytes,
                                maximum.get(JAVA_LONG, 0) + bytes,
                                flags.get(JAVA_INT, 0));
                if (set(wanted, callState)) {
                    return;
                }
                if (lastError(callState) == ERROR_PRIVILEGE_NOT_HELD) {
                    enableGrowth(what, callState);
                    if (set(wanted, callState)) {
                        return;
                    }
                }
                throw lastError(callState) == ERROR_NO_SYSTEM_RESOURCES
                        ? refused(what, callState)
                        : lockLimit(what, callState);
            }
        }
    }

    private record WorkingSet(long minimum, long maximum, int flags) {}

    private boolean set(WorkingSet wanted, MemorySegment callState) {
        return calls.setProcessWorkingSetSizeEx(
                        CURRENT_PROCESS, wanted.minimum, wanted.maximum, wanted.flags, callState)
                != 0;
    }

    /** An account that holds the privilege has it switched off all the same. */
    private void enableGrowth(String what, MemorySegment callState) throws Refusal {
        Refusal limit = lockLimit(what, callState);
        try {
            WindowsPrivilege.INCREASE_WORKING_SET.enable(this, callState);
        } catch (Refusal e) {
            throw limit.withMessage(limit.getMessage() + "; " + e.getMessage());
        }
    }

    /** Pages that are not locked are unlocked, as elsewhere. */
    @Override
    public void unlock(MemorySegment memory, MemorySegment callState) throws Refusal {
        if (calls.virtualUnlock(memory, callState) == 0
                && lastError(callState) != ERROR_NOT_LOCKED) {
            throw refused(Posix.range("unlocking", memory), callState);
        }
    }

    /**
     * No limit is known before it is met: the working set grows on demand, and locked bytes are not
     * counted.
     */
    @Override
    public LockBudget lockBudget() {
        return new LockBudget(0, Long.MAX_VALUE, Long.MAX_VALUE, false);
    }

    @Override
    public long availableBytes() throws Refusal {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment status = arena.allocate(MEMORY_STATUS_BYTES, Long.BYTES);
            status.set(JAVA_INT, 0, MEMORY_STATUS_BYTES);
            if (calls.globalMemoryStatusEx(status) == 0) {
                throw missing("reading the memory status");
            }
            return status.get(JAVA_LONG, AVAILABLE_PHYSICAL_OFFSET);
        }
    }

    private void check(
            int succeeded, String verb, long address, long bytes, MemorySegment callState)
            throws Refusal {
        if (succeeded == 0) {
            throw refused(Posix.range(verb, address, bytes), callState);
        }
    }

    Refusal refused(String what, MemorySegment callState) {
        ErrorCode error = error(callState);
        String failed = what + ": " + error;
        return switch (error.number()) {
            case ERROR_NOT_ENOUGH_MEMORY ->
                    new Refusal.OutOfMemory(
                            failed
                                    + ", no memory or no address space left for it. Ask for less,"
                                    + " or end other programs");
            case ERROR_COMMITMENT_LIMIT ->
                    new Refusal.OutOfMemory(
                            failed
                                    + ", the system has promised all the memory that it and its"
                                    + " page file have. Enlarge the page file, or end other"
                                    + " programs: see the commit charge in the task manager");
            case ERROR_NO_SYSTEM_RESOURCES ->
                    new Refusal.OutOfMemory(
                            failed
                                    + ", the system has not that much memory left that it could"
                                    + " keep from being paged out. Ask for less, or end other"
                                    + " programs");
            case ERROR_WORKING_SET_QUOTA -> lockLimit(what, callState);
            case ERROR_ACCESS_DENIED ->
                    new Refusal.NotPermitted(
                            failed
                                    + ", the pages or the account's job object forbid it: see the"
                                    + " job's limits in Process Explorer");
            case ERROR_PRIVILEGE_NOT_HELD ->
                    new Refusal.NotPermitted(
                            failed
                                    + ", the account lacks a privilege for it: see whoami /priv,"
                                    + " and User Rights Assignment in secpol.msc");
            case ERROR_INVALID_ADDRESS, ERROR_NOACCESS ->
                    new Refusal.SystemError(
                            failed + ", a page is not committed, or may not be accessed", error);
            default -> new Refusal.SystemError(failed, error);
        };
    }

    private Refusal lockLimit(String what, MemorySegment callState) {
        return new Refusal.LockLimit(
                what
                        + ": "
                        + error(callState)
                        + ", the minimum working set limits locked memory. Lock less, grant the"
                        + " account \"Increase a process working set\""
                        + " (SeIncreaseWorkingSetPrivilege), or raise the job object's limit");
    }

    int lastError(MemorySegment callState) {
        return calls.lastError(callState);
    }

    ErrorCode error(MemorySegment callState) {
        int number = lastError(callState);
        return new ErrorCode(number, ERRORS.getOrDefault(number, "GetLastError"));
    }
}
