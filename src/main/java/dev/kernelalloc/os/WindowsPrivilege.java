package dev.kernelalloc.os;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Locale;

/**
 * A privilege of the account that runs this process. Holding one is not enough: it is switched off
 * in the token of a new process.
 */
enum WindowsPrivilege {
    LOCK_MEMORY("SeLockMemoryPrivilege", "Lock pages in memory"),
    INCREASE_WORKING_SET("SeIncreaseWorkingSetPrivilege", "Increase a process working set");

    static final int TOKEN_QUERY = 0x8;
    static final int TOKEN_ADJUST_PRIVILEGES = 0x20;
    static final int SE_PRIVILEGE_ENABLED = 2;

    /** {@code TOKEN_PRIVILEGES} with one {@code LUID_AND_ATTRIBUTES}, whose number is unaligned. */
    static final long TOKEN_PRIVILEGES_BYTES = 16;

    static final long COUNT_OFFSET = 0;
    static final long LUID_OFFSET = 4;
    static final long ATTRIBUTES_OFFSET = 12;

    static final long LUID_BYTES = 8;

    private final String constant;
    private final String title;

    WindowsPrivilege(String constant, String title) {
        this.constant = constant;
        this.title = title;
    }

    /**
     * Switches it on for this process.
     *
     * @throws Refusal when the account does not hold it, telling how it is granted
     */
    void enable(Windows windows, MemorySegment callState) throws Refusal {
        WindowsCalls calls = windows.calls();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment token = arena.allocate(JAVA_LONG);
            int access = TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY;
            if (calls.openProcessToken(Windows.CURRENT_PROCESS, access, token, callState) == 0) {
                throw windows.refused("opening the process token to enable " + this, callState);
            }
            long handle = token.get(JAVA_LONG, 0);
            try {
                adjust(windows, handle, arena, callState);
            } finally {
                calls.closeHandle(handle);
            }
        }
    }

    private void adjust(Windows windows, long token, Arena arena, MemorySegment callState)
            throws Refusal {
        WindowsCalls calls = windows.calls();
        MemorySegment name = arena.allocateFrom(constant, StandardCharsets.UTF_16LE);
        MemorySegment one = arena.allocate(TOKEN_PRIVILEGES_BYTES, Integer.BYTES);
        MemorySegment luid = arena.allocate(LUID_BYTES, Integer.BYTES);
        if (calls.lookupPrivilegeValue(name, luid, callState) == 0) {
            throw new Refusal.NotSupported(
                    String.format(
                            Locale.ROOT,
                            "enabling %s: %s, this Windows does not have it",
                            this,
                            windows.error(callState)));
        }
        one.set(JAVA_INT, COUNT_OFFSET, 1);
        one.asSlice(LUID_OFFSET, LUID_BYTES).copyFrom(luid);
        one.set(JAVA_INT, ATTRIBUTES_OFFSET, SE_PRIVILEGE_ENABLED);
        if (calls.adjustTokenPrivileges(token, one, callState) == 0) {
            throw windows.refused("enabling " + this, callState);
        }
        if (windows.lastError(callState) == Windows.ERROR_NOT_ALL_ASSIGNED) {
            throw notHeld(windows.error(callState));
        }
    }

    private Refusal notHeld(ErrorCode error) {
        return new Refusal.NotPermitted(
                String.format(
                        Locale.ROOT,
                        "enabling %s: %s, this process does not hold it. Grant it to the account:"
                            + " \"%s\" in secpol.msc, Local Policies, User Rights Assignment; then"
                            + " sign in again, and as an administrator start the program as one",
                        this,
                        error,
                        title));
    }

    @Override
    public String toString() {
        return constant;
    }
}
