package dev.kernelalloc.os;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.LongStream;

/**
 * Windows for tests on any system: the functions as they are documented, on memory that is real.
 *
 * <ul>
 *   <li>Reservations lie in a piece of address space of its own, at multiples of 64 KiB, and end as
 *       a whole.
 *   <li>Pages can be locked once they are committed, as many as the minimum working set has but for
 *       a few; it can be enlarged up to {@link #workingSetLimit}.
 *   <li>Large pages need the privilege, held and enabled, and there are {@link #largePages} of
 *       them.
 *   <li>A privilege that is not held is adjusted with success and the error that says otherwise.
 *   <li>{@link #failNth} makes one call fail before it has any effect.
 * </ul>
 */
public final class FakeWindows implements WindowsCalls, AutoCloseable {

    private static final long PAGE_BYTES = 4096;
    private static final long GRANULARITY_BYTES = 64 << 10;
    private static final long LARGE_BYTES = 2 << 20;
    private static final long SPACE_BYTES = 256 << 20;
    private static final long WORKING_SET_OVERHEAD_BYTES = 8 * PAGE_BYTES;
    private static final long TOKEN = 0x77;
    private static final Map<String, Long> LUIDS =
            Map.of("SeLockMemoryPrivilege", 4L, "SeIncreaseWorkingSetPrivilege", 33L);

    private final OperatingSystem memory = Platform.current();
    private final MemorySegment callState = Arena.ofAuto().allocate(CallState.LAYOUT);
    private final long space;
    private final TreeMap<Long, Long> reservations = new TreeMap<>();
    private final Set<Long> committed = new HashSet<>();
    private final Set<Long> locked = new HashSet<>();
    private final Set<Long> large = new HashSet<>();
    private final Set<Long> held = new HashSet<>();
    private final Set<Long> enabled = new HashSet<>();
    private long largePages = Long.MAX_VALUE;
    private boolean knowsLargePages = true;
    private long workingSetBytes = 50 * PAGE_BYTES;
    private long workingSetLimit = Long.MAX_VALUE;
    private int openTokens;
    private int callsUntilFailure;
    private int failure;
    private int lastError;

    /** Nobody holds a privilege. */
    public FakeWindows() throws Refusal {
        this.space = memory.reserve(SPACE_BYTES, LARGE_BYTES, callState);
    }

    /** The library's view of it. */
    public OperatingSystem system() {
        return new Windows(this);
    }

    // ---- what a test sets and asks ------------------------------------------------------------

    /** The account holds a privilege, which is switched off as in every new process. */
    public synchronized void hold(String privilege) {
        held.add(LUIDS.get(privilege));
    }

    public synchronized void largePages(long pages) {
        largePages = pages;
    }

    /** As Wine does: the parameter is unknown. */
    public synchronized void refuseLargePages() {
        knowsLargePages = false;
    }

    public synchronized void workingSetLimit(long bytes) {
        workingSetLimit = bytes;
    }

    /** The call of that number from now on fails, with an error. */
    public synchronized void failNth(int nth, int error) {
        callsUntilFailure = nth;
        failure = error;
    }

    public synchronized long lockedBytes() {
        return locked.size() * PAGE_BYTES;
    }

    public synchronized long largeBytes() {
        return large.size() * PAGE_BYTES;
    }

    public synchronized long reservedBytes() {
        return reservations.values().stream().mapToLong(Long::longValue).sum();
    }

    public synchronized int openTokens() {
        return openTokens;
    }

    @Override
    public void close() throws Refusal {
        memory.release(space, SPACE_BYTES, callState);
    }

    // ---- the functions ------------------------------------------------------------------------

    private int failed(int error) {
        lastError = error;
        return 0;
    }

    /** Whether this call is the one that is to fail. */
    private boolean isRefused() {
        if (callsUntilFailure > 0 && --callsUntilFailure == 0) {
            lastError = failure;
            return true;
        }
        return false;
    }

    private static List<Long> pages(long address, long bytes) {
        return LongStream.iterate(address, at -> at < address + bytes, at -> at + PAGE_BYTES)
                .boxed()
                .toList();
    }

    private boolean isReserved(long address, long bytes) {
        Map.Entry<Long, Long> at = reservations.floorEntry(address);
        return at != null && address + bytes <= at.getKey() + at.getValue();
    }

    private boolean isFree(long address, long bytes) {
        Map.Entry<Long, Long> below = reservations.lowerEntry(address + bytes);
        return address >= space
                && address + bytes <= space + SPACE_BYTES
                && (below == null || below.getKey() + below.getValue() <= address);
    }

    private long placeFor(long bytes, long alignment) {
        long at = space;
        while (at + bytes <= space + SPACE_BYTES && !isFree(at, bytes)) {
            at += alignment;
        }
        return at;
    }

    @Override
    public synchronized int lastError(MemorySegment state) {
        return lastError;
    }

    @Override
    public synchronized long virtualAlloc(
            long address, long bytes, int type, int protection, MemorySegment state) {
        if (isRefused()) {
            return 0;
        }
        if (type == Windows.MEM_COMMIT) {
            if (!isReserved(address, bytes)) {
                return failed(Windows.ERROR_INVALID_ADDRESS);
            }
            commit(address, bytes);
            return address;
        }
        boolean inLargePages = (type & Windows.MEM_LARGE_PAGES) != 0;
        if (inLargePages) {
            int error = whyNoLargePages(address, bytes, type);
            if (error != 0) {
                return failed(error);
            }
        }
        long alignment = inLargePages ? LARGE_BYTES : GRANULARITY_BYTES;
        long place = address == 0 ? placeFor(bytes, alignment) : address;
        if (!isFree(place, bytes)) {
            return failed(
                    address == 0 ? Windows.ERROR_NOT_ENOUGH_MEMORY : Windows.ERROR_INVALID_ADDRESS);
        }
        reservations.put(place, bytes);
        if (inLargePages) {
            largePages -= bytes / LARGE_BYTES;
            large.addAll(pages(place, bytes));
            commit(place, bytes);
        }
        return place;
    }

    private int whyNoLargePages(long address, long bytes, int type) {
        boolean sound =
                knowsLargePages
                        && (type & Windows.MEM_COMMIT) != 0
                        && bytes % LARGE_BYTES == 0
                        && address % LARGE_BYTES == 0;
        if (!sound) {
            return Windows.ERROR_INVALID_PARAMETER;
        }
        if (!enabled.contains(LUIDS.get("SeLockMemoryPrivilege"))) {
            return Windows.ERROR_PRIVILEGE_NOT_HELD;
        }
        return bytes / LARGE_BYTES > largePages ? Windows.ERROR_NO_SYSTEM_RESOURCES : 0;
    }

    private void commit(long address, long bytes) {
        try {
            memory.commit(address, bytes, callState);
            committed.addAll(pages(address, bytes));
        } catch (Refusal e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public synchronized int virtualFree(long address, long bytes, int type, MemorySegment state) {
        if (isRefused()) {
            return 0;
        }
        Long reserved = reservations.get(address);
        if (reserved == null || bytes != 0 || type != Windows.MEM_RELEASE) {
            return failed(Windows.ERROR_INVALID_PARAMETER);
        }
        try {
            memory.protect(address, reserved, OperatingSystem.Access.READ_WRITE, callState);
            memory.discard(address, reserved, callState);
            memory.protect(address, reserved, OperatingSystem.Access.NONE, callState);
        } catch (Refusal e) {
            throw new IllegalStateException(e);
        }
        List<Long> gone = pages(address, reserved);
        if (large.contains(address)) {
            largePages += reserved / LARGE_BYTES;
        }
        gone.forEach(committed::remove);
        gone.forEach(locked::remove);
        gone.forEach(large::remove);
        reservations.remove(address);
        return 1;
    }

    @Override
    public synchronized int virtualProtect(
            long address, long bytes, int protection, MemorySegment old, MemorySegment state) {
        return isRefused() ? 0 : 1;
    }

    @Override
    public synchronized int virtualLock(MemorySegment memory, MemorySegment state) {
        if (isRefused()) {
            return 0;
        }
        List<Long> wanted = pages(memory.address(), memory.byteSize());
        if (!committed.containsAll(wanted)) {
            return failed(Windows.ERROR_NOACCESS);
        }
        if (lockedBytes() + memory.byteSize() > workingSetBytes - WORKING_SET_OVERHEAD_BYTES) {
            return failed(Windows.ERROR_WORKING_SET_QUOTA);
        }
        locked.addAll(wanted);
        return 1;
    }

    @Override
    public synchronized int virtualUnlock(MemorySegment memory, MemorySegment state) {
        if (isRefused()) {
            return 0;
        }
        return locked.removeAll(pages(memory.address(), memory.byteSize()))
                ? 1
                : failed(Windows.ERROR_NOT_LOCKED);
    }

    @Override
    public synchronized int getProcessWorkingSetSizeEx(
            long process,
            MemorySegment minimum,
            MemorySegment maximum,
            MemorySegment flags,
            MemorySegment state) {
        if (isRefused()) {
            return 0;
        }
        minimum.set(ValueLayout.JAVA_LONG, 0, workingSetBytes);
        maximum.set(ValueLayout.JAVA_LONG, 0, workingSetBytes + 295 * PAGE_BYTES);
        flags.set(ValueLayout.JAVA_INT, 0, 0xa);
        return 1;
    }

    @Override
    public synchronized int setProcessWorkingSetSizeEx(
            long process, long minimum, long maximum, int flags, MemorySegment state) {
        if (isRefused()) {
            return 0;
        }
        if (minimum > workingSetLimit
                && !enabled.contains(LUIDS.get("SeIncreaseWorkingSetPrivilege"))) {
            return failed(Windows.ERROR_PRIVILEGE_NOT_HELD);
        }
        workingSetBytes = minimum;
        return 1;
    }

    @Override
    public synchronized int openProcessToken(
            long process, int access, MemorySegment token, MemorySegment state) {
        if (isRefused()) {
            return 0;
        }
        openTokens++;
        token.set(ValueLayout.JAVA_LONG, 0, TOKEN);
        return 1;
    }

    @Override
    public synchronized int lookupPrivilegeValue(
            MemorySegment name, MemorySegment luid, MemorySegment state) {
        if (isRefused()) {
            return 0;
        }
        luid.set(
                ValueLayout.JAVA_LONG_UNALIGNED,
                0,
                LUIDS.get(name.getString(0, StandardCharsets.UTF_16LE)));
        return 1;
    }

    @Override
    public synchronized int adjustTokenPrivileges(
            long token, MemorySegment privileges, MemorySegment state) {
        if (isRefused()) {
            return 0;
        }
        boolean sound =
                token == TOKEN
                        && privileges.get(ValueLayout.JAVA_INT, 0) == 1
                        && privileges.get(ValueLayout.JAVA_INT, 12)
                                == WindowsPrivilege.SE_PRIVILEGE_ENABLED;
        if (!sound) {
            return failed(Windows.ERROR_INVALID_PARAMETER);
        }
        long luid = privileges.get(ValueLayout.JAVA_LONG_UNALIGNED, 4);
        lastError = held.contains(luid) ? 0 : Windows.ERROR_NOT_ALL_ASSIGNED;
        if (lastError == 0) {
            enabled.add(luid);
        }
        return 1;
    }

    @Override
    public synchronized int closeHandle(long handle) {
        openTokens -= handle == TOKEN ? 1 : 0;
        return 1;
    }

    @Override
    public void getSystemInfo(MemorySegment systemInfo) {
        systemInfo.set(ValueLayout.JAVA_INT, Windows.PAGE_SIZE_OFFSET, (int) PAGE_BYTES);
        systemInfo.set(
                ValueLayout.JAVA_INT,
                Windows.ALLOCATION_GRANULARITY_OFFSET,
                (int) GRANULARITY_BYTES);
    }

    @Override
    public long getLargePageMinimum() {
        return LARGE_BYTES;
    }

    @Override
    public int globalMemoryStatusEx(MemorySegment status) {
        status.set(ValueLayout.JAVA_LONG, Windows.AVAILABLE_PHYSICAL_OFFSET, 1L << 33);
        return 1;
    }
}
