package dev.kernelalloc.os;

import java.lang.foreign.MemorySegment;
import java.util.Locale;

/**
 * Memory in large pages. The system keeps none in store: it searches for contiguous free memory,
 * which becomes rare some time after the start of the machine.
 *
 * @param windows the calls
 */
record WindowsLargePages(Windows windows) {

    private static final int TYPE =
            Windows.MEM_RESERVE | Windows.MEM_COMMIT | Windows.MEM_LARGE_PAGES;

    /** How often another thread may take the place found. */
    private static final int ATTEMPTS = 16;

    /** As {@link OperatingSystem#reserveLarge}. */
    long reserve(long bytes, long alignment, MemorySegment callState) throws Refusal {
        long address = attempt(bytes, alignment, callState);
        if (address == 0 && windows.lastError(callState) == Windows.ERROR_PRIVILEGE_NOT_HELD) {
            WindowsPrivilege.LOCK_MEMORY.enable(windows, callState);
            address = attempt(bytes, alignment, callState);
        }
        if (address == 0) {
            throw refused(bytes, callState);
        }
        return address;
    }

    /** Returns 0 if the system refuses, for a reason that it reports. */
    private long attempt(long bytes, long alignment, MemorySegment callState) throws Refusal {
        if (alignment <= windows.largePageBytes()) {
            return allocate(0, bytes, callState);
        }
        long address = 0;
        for (int attempt = 0; attempt < ATTEMPTS && address == 0; attempt++) {
            long place = windows.reserve(bytes, alignment, callState);
            windows.releaseTrial(place, bytes, callState);
            address = allocate(place, bytes, callState);
            if (address == 0 && windows.lastError(callState) != Windows.ERROR_INVALID_ADDRESS) {
                return 0;
            }
        }
        return address;
    }

    private long allocate(long address, long bytes, MemorySegment callState) {
        return windows.calls()
                .virtualAlloc(address, bytes, TYPE, Windows.PAGE_READWRITE, callState);
    }

    private Refusal refused(long bytes, MemorySegment callState) {
        ErrorCode error = windows.error(callState);
        long page = windows.largePageBytes();
        String what =
                String.format(Locale.ROOT, "reserving %d bytes in large pages of %d", bytes, page);
        return switch (error.number()) {
            case Windows.ERROR_NO_SYSTEM_RESOURCES ->
                    new Refusal.Fragmented(
                            what
                                    + ": "
                                    + error
                                    + ", the system does not find that much free memory in pieces"
                                    + " of that size: memory is fragmented. Ask early after the"
                                    + " machine's start, or for less");
            case Windows.ERROR_INVALID_PARAMETER ->
                    new Refusal.NotSupported(
                            what + ": " + error + ", this system has none (Wine does not)");
            default -> windows.refused(what, callState);
        };
    }
}
