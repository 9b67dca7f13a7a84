package dev.kernelalloc.frames;

import dev.kernelalloc.bulk.Alignment;
import dev.kernelalloc.bulk.BulkMemory;
import dev.kernelalloc.os.MappingName;
import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.OperatingSystem.Advice;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.PhysicalRequest;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.OptionalInt;
import java.util.concurrent.locks.LockSupport;

/**
 * The steps that prepare pages, in their required order. Advice first: it changes the effect of a
 * fork, a merge or a fault. Then populating, which may give a page its frame; then collapsing and
 * moving, which change it; then the lock; then the pin, which makes everything before it final; and
 * the page map last, which shows the outcome.
 */
public final class Pages {

    /** The size of a transparent huge page, and how slabs are aligned. */
    static final long HUGE_BYTES = 2L << 20;

    private static final int COLLAPSE_ATTEMPTS = 3;

    /** How long pages of the pool may take to return to it, and the time between looks. */
    private static final long RETURN_NANOS = 100_000_000;

    private static final long LOOK_NANOS = 1_000_000;

    /** The memory that is looked at before another look at what is left. */
    private static final long LOOK_BYTES = 64L << 20;

    /** The entries of the page map that are read at once: those of 64 MiB in base pages. */
    private static final int MOST_ENTRIES = 1 << 14;

    private final OperatingSystem os;
    private final Preflight preflight;
    private final PageMap pageMap;
    private final MappingName name;

    /** Until when pages of the pool may be returning to it, by {@link System#nanoTime}. */
    private volatile long returningUntil = System.nanoTime();

    public Pages(OperatingSystem os, Preflight preflight, PageMap pageMap, MappingName name) {
        this.os = os;
        this.preflight = preflight;
        this.pageMap = pageMap;
        this.name = name;
    }

    /** Names anonymous pages in the process map, where the kernel takes names. */
    void name(long address, long bytes) {
        name.assign(address, bytes);
    }

    /** Binds and advises reserved or committed pages by a request. */
    void advise(
            long address,
            long bytes,
            PhysicalRequest request,
            @Nullable Advice size,
            MemorySegment callState)
            throws Refusal {
        if (request.node().isPresent()) {
            bind(address, bytes, request, callState);
        }
        adviseIfKnown(address, bytes, Advice.DONT_MERGE, callState);
        switch (request.fork()) {
            case ABSENT -> adviseIfKnown(address, bytes, Advice.DONT_FORK, callState);
            case WIPED -> os.advise(address, bytes, Advice.WIPE_ON_FORK, callState);
            case COPIED -> {}
        }
        if (!request.dumped()) {
            os.advise(address, bytes, Advice.DONT_DUMP, callState);
        }
        if (size == Advice.BASE_PAGES) {
            adviseIfKnown(address, bytes, size, callState);
        } else if (size != null) {
            os.advise(address, bytes, size, callState);
        }
    }

    /** A preference that cannot be expressed is none; a requirement is checked in the end. */
    private void bind(long address, long bytes, PhysicalRequest request, MemorySegment callState)
            throws Refusal {
        int node = request.node().getAsInt();
        try {
            os.bind(address, bytes, node, request.nodeRequired(), callState);
        } catch (Refusal e) {
            if (request.nodeRequired()) {
                throw e;
            }
        }
    }

    /** A system without the feature does not do what the advice forbids. */
    private void adviseIfKnown(long address, long bytes, Advice advice, MemorySegment callState)
            throws Refusal {
        try {
            os.advise(address, bytes, advice, callState);
        } catch (Refusal.NotSupported _) {
            // Nothing to forbid.
        }
    }

    /** Gives pages their frames, with a look at what is left before each step. */
    void populate(long address, long bytes, PhysicalRequest request, MemorySegment callState)
            throws Refusal {
        inSteps(bytes, request, (done, step) -> os.populate(address + done, step, callState));
    }

    /** The same of pages that the program may unmap. */
    void populate(MemorySegment memory, PhysicalRequest request, MemorySegment callState)
            throws Refusal {
        inSteps(
                memory.byteSize(),
                request,
                (done, step) -> os.populate(memory.asSlice(done, step), callState));
    }

    /** Populates a part. */
    private interface Step {
        void populate(long offset, long bytes) throws Refusal;
    }

    private void inSteps(long bytes, PhysicalRequest request, Step populating) throws Refusal {
        OptionalInt requiredNode = Preflight.requiredNode(request);
        for (long done = 0; done < bytes; done += Preflight.STEP_BYTES) {
            long step = Math.min(Preflight.STEP_BYTES, bytes - done);
            preflight.enter(step, requiredNode);
            try {
                populating.populate(done, step);
            } finally {
                preflight.exit(step);
            }
        }
    }

    /**
     * Refuses pages that there is no memory for, before any of them is populated. Those that are in
     * memory already need none.
     *
     * @param shared whether others may have the pages too
     */
    void requireMemory(
            long address,
            long bytes,
            boolean shared,
            PhysicalRequest request,
            MemorySegment callState)
            throws Refusal {
        OptionalInt requiredNode = Preflight.requiredNode(request);
        try {
            preflight.requireMemory(bytes, requiredNode);
        } catch (Refusal.OutOfMemory ifNonePresent) {
            long missing = 0;
            for (long done = 0; done < bytes; done += LOOK_BYTES) {
                long step = Math.min(LOOK_BYTES, bytes - done);
                missing += missingBytes(address + done, step, shared, callState);
                preflight.requireMemory(missing, requiredNode);
            }
        }
    }

    /** Returns 0 where the system does not report it. */
    private long missingBytes(long address, long bytes, boolean shared, MemorySegment callState)
            throws Refusal {
        try {
            return shared
                    ? bytes - os.residentBytes(address, bytes, callState)
                    : missingOfPrivate(address, (int) (bytes / os.pageBytes()), callState);
        } catch (Refusal.NotSupported | Refusal.NotPermitted unknown) {
            return 0;
        }
    }

    private long missingOfPrivate(long address, int pages, MemorySegment callState) throws Refusal {
        long[] entries = new long[pages];
        try (Arena scratch = Arena.ofConfined()) {
            read(
                    address,
                    entries,
                    pages,
                    scratch.allocate(ValueLayout.JAVA_LONG, pages),
                    callState);
        }
        long missing = 0;
        for (long entry : entries) {
            missing += PageMapEntry.isPresentAndExclusive(entry) ? 0 : os.pageBytes();
        }
        return missing;
    }

    /**
     * Makes huge pages of those that are not.
     *
     * @return the refusal that ended it, where some are not huge now
     */
    @Nullable Refusal collapse(long address, long bytes, MemorySegment callState) {
        Refusal last = null;
        long whole = Alignment.down(bytes, HUGE_BYTES);
        for (int attempt = 0; attempt < COLLAPSE_ATTEMPTS; attempt++) {
            try {
                if (os.hugeBytes(address, whole, callState) == whole) {
                    return null;
                }
                os.collapse(address, whole, callState);
            } catch (Refusal.OutOfMemory e) {
                last = e; // for the moment, maybe
            } catch (Refusal e) {
                return e;
            }
        }
        return last;
    }

    /** Whether those bytes are known to be whole huge pages. */
    boolean isHuge(long address, long bytes, MemorySegment callState) {
        try {
            return ((address | bytes) & HUGE_BYTES - 1) == 0
                    && os.hugeBytes(address, bytes, callState) == bytes;
        } catch (Refusal unknown) {
            return false;
        }
    }

    /** Whether none of those bytes is known to lie in a huge page. */
    boolean hasNoneHuge(long address, long bytes, MemorySegment callState) {
        try {
            return os.hugeBytes(address, bytes, callState) == 0;
        } catch (Refusal unknown) {
            return false;
        }
    }

    void lock(long address, long bytes, MemorySegment callState) throws Refusal {
        preflight.lock(address, bytes, callState);
    }

    /** Locks pages that the program may unmap. */
    void lock(MemorySegment memory, MemorySegment callState) throws Refusal {
        preflight.lock(memory, callState);
    }

    /** Pins pages; all of them or none. */
    int[] pin(long address, long bytes, MemorySegment callState) throws Refusal {
        long most = OperatingSystem.MAX_PIN_BYTES;
        int[] pins = new int[Math.toIntExact(Math.ceilDiv(bytes, most))];
        int done = 0;
        try {
            for (; done < pins.length; done++) {
                long from = done * most;
                pins[done] = os.pin(address + from, Math.min(most, bytes - from), callState);
            }
            return pins;
        } catch (Refusal | RuntimeException | Error e) {
            unpin(pins, done, callState);
            throw e;
        }
    }

    /** Pages of the pool were released that were pinned in a way that ends in the background. */
    void returnToPool() {
        returningUntil = System.nanoTime() + RETURN_NANOS;
    }

    /**
     * Waits a moment if pages of the pool may be returning to it; otherwise, or if the caller has
     * waited as long as that takes, returns false.
     *
     * @param begunNanos when the caller began to wait
     */
    boolean awaitReturn(long begunNanos) {
        long now = System.nanoTime();
        if (returningUntil - now <= 0 || now - begunNanos > RETURN_NANOS) {
            return false;
        }
        LockSupport.parkNanos(this, LOOK_NANOS);
        return true;
    }

    /** Ends the first of some pins. */
    void unpin(int[] pins, int count, MemorySegment callState) {
        for (int i = 0; i < count; i++) {
            try {
                os.unpin(pins[i], callState);
            } catch (Refusal e) {
                // The frames stay taken until the process ends, and count against its limit.
                System.getLogger("dev.kernelalloc")
                        .log(System.Logger.Level.WARNING, e.getMessage());
            }
        }
    }

    /** Reads where pages lie. */
    public Translation resolve(
            long address, long bytes, boolean mayBeShared, MemorySegment callState) {
        int pages = Math.toIntExact(bytes / os.pageBytes());
        Translation.Builder builder = new Translation.Builder(mayBeShared, os.pageBytes());
        long[] entries = new long[Math.min(pages, MOST_ENTRIES)];
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment read = scratch.allocate(ValueLayout.JAVA_LONG, entries.length);
            for (int done = 0; done < pages; done += entries.length) {
                int count = Math.min(entries.length, pages - done);
                read(address + done * os.pageBytes(), entries, count, read, callState);
                builder.add(entries, count);
            }
            return builder.build();
        } catch (Refusal e) {
            return Translation.unreadable(e, pages, os.pageBytes());
        }
    }

    /**
     * Reads the page map's entries of some pages.
     *
     * @param entries receives as many as {@code count}
     * @param scratch room for as many
     */
    public void read(
            long address, long[] entries, int count, MemorySegment scratch, MemorySegment callState)
            throws Refusal {
        pageMap.read(address, scratch.asSlice(0, (long) count * Long.BYTES), callState);
        BulkMemory.copy(scratch, ValueLayout.JAVA_LONG, 0, entries, count);
    }
}
