package dev.kernelalloc.os;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Map;

/**
 * macOS. A record, because the JIT trusts its fields: through {@link Platform#current()} every call
 * is direct.
 */
record MacOs(MacCalls calls, long pageBytes) implements Posix, HiddenFrames {

    static final int MAP_PRIVATE = 0x0002;
    static final int MAP_ANON = 0x1000;

    static final int VM_INHERIT_NONE = 2;

    static final int RLIMIT_MEMLOCK = 6;

    static final int EAGAIN = 35;

    private static final Map<Integer, String> ERRORS =
            Map.of(
                    EPERM, "EPERM",
                    ENOENT, "ENOENT",
                    EAGAIN, "EAGAIN",
                    ENOMEM, "ENOMEM",
                    EACCES, "EACCES",
                    EINVAL, "EINVAL");

    MacOs() {
        this(new MacCalls() {});
    }

    MacOs(MacCalls calls) {
        this(calls, calls.getpagesize());
    }

    @Override
    public int anonymous() {
        return MAP_PRIVATE | MAP_ANON;
    }

    @Override
    public Map<Integer, String> errorNames() {
        return ERRORS;
    }

    @Override
    public String outOfPages() {
        return "no memory or no address space left. See vm_stat and ulimit -v";
    }

    /** The function takes no alignment below a pointer's. */
    @Override
    public long alignedAlloc(long alignment, long bytes) throws Refusal {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment result = arena.allocate(JAVA_LONG);
            int error = calls.posixMemalign(result, Math.max(alignment, Long.BYTES), bytes);
            return alignedBlock(
                    error == 0 ? result.get(JAVA_LONG, 0) : 0, "posix_memalign", bytes, alignment);
        }
    }

    /** Nothing merges pages here, so {@code DONT_MERGE} holds already. */
    @Override
    public void advise(long address, long bytes, Advice advice, MemorySegment callState)
            throws Refusal {
        switch (advice) {
            case DONT_FORK ->
                    check(
                            calls.minherit(address, bytes, VM_INHERIT_NONE, callState),
                            "hiding from fork",
                            address,
                            bytes,
                            callState);
            case DONT_MERGE -> {}
            case BASE_PAGES -> {}
            case DONT_DUMP -> throw missing("keeping pages out of a core dump");
            case WIPE_ON_FORK -> throw missing("giving a child zeros in place of pages");
            case HUGE_PAGES -> throw missing("transparent huge pages");
        }
    }

    /** EAGAIN means any of three limits. */
    @Override
    public void lock(MemorySegment memory, MemorySegment callState) throws Refusal {
        if (calls.mlock(memory, callState) == 0) {
            return;
        }
        ErrorCode error = error(callState);
        Refusal refusal = refused(Posix.range("locking", memory), callState);
        calls.munlock(memory, callState);
        if (error.number() != EAGAIN) {
            throw refusal;
        }
        LockBudget budget = lockBudget();
        throw new Refusal.LockLimit(
                Posix.range("locking", memory)
                        + ": "
                        + error
                        + ", this process may lock "
                        + budget.softLimitBytes()
                        + " bytes (hard limit "
                        + budget.hardLimitBytes()
                        + "); macOS does not report how many it has locked. Raise the limit: ulimit"
                        + " -l, or sysctl vm.user_wire_limit and vm.global_user_wire_limit");
    }

    /** macOS does not report how much a process has locked, so {@code lockedBytes} is 0. */
    @Override
    public LockBudget lockBudget() throws Refusal {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment limits = arena.allocate(JAVA_LONG, 2);
            if (calls.getrlimit(RLIMIT_MEMLOCK, limits) != 0) {
                throw missing("reading the limit on locked memory");
            }
            return new LockBudget(
                    0, limits.getAtIndex(JAVA_LONG, 0), limits.getAtIndex(JAVA_LONG, 1), false);
        }
    }

    /** No estimate: macOS compresses and swaps before it refuses. */
    @Override
    public long availableBytes() {
        return Long.MAX_VALUE;
    }
}
