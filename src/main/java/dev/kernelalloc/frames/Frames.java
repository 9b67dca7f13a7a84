package dev.kernelalloc.frames;

import dev.kernelalloc.bulk.Alignment;
import dev.kernelalloc.heap.Budget;
import dev.kernelalloc.os.CallState;
import dev.kernelalloc.os.MappingName;
import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.Backing;
import dev.kernelalloc.physical.Drift;
import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.physical.PhysicalRequest;
import dev.kernelalloc.physical.PhysicalSlab;
import dev.kernelalloc.physical.PinMethod;
import dev.kernelalloc.physical.Provenance;
import dev.kernelalloc.physical.Provenance.Declined;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;

/**
 * The slabs of one allocator: obtains and releases them. {@link #map} has their location. Safe to
 * use from any thread.
 */
public final class Frames {

    private final OperatingSystem os;
    private final FrameListener listener;
    private final Budget budget;
    private final FrameTable table;
    private final Reservations reservations;
    private final SmallReservations smallReservations;
    private final Preflight preflight;
    private final PageMap pageMap;
    private final Pages pages;
    private final Backings backings;
    private final ContiguousPages contiguous;
    private final HeldRuns held;
    private final FrameMap map;
    private final Adoptions adoptions;
    private volatile boolean closed;

    /** The adoptions that have not ended, which need the page map. */
    private final AtomicInteger adopted = new AtomicInteger();

    /** Verifies the slabs periodically, if requested. */
    private volatile @Nullable PeriodicVerifier periodicVerifier;

    /** A block's memory. */
    record Memory(long address, long bytes, boolean zeroed) {}

    /**
     * No slabs yet.
     *
     * @param tag names the slabs in the process map
     * @param givenPageMap a file descriptor of this process's page map, where the caller has one
     * @param budget that all pages are charged to for as long as they are mapped
     */
    public Frames(
            OperatingSystem os,
            String tag,
            OptionalInt givenPageMap,
            FrameListener listener,
            Budget budget) {
        this.os = os;
        this.listener = listener;
        this.budget = budget;
        this.table = new FrameTable(os.pageBytes());
        this.reservations = new Reservations(os);
        this.preflight = Preflight.of(os);
        this.pageMap = new PageMap(os, givenPageMap);
        this.pages = new Pages(os, preflight, pageMap, new MappingName(os, tag));
        this.smallReservations = new SmallReservations(os, reservations);
        this.backings = new Backings(os, reservations, smallReservations, pages);
        this.contiguous =
                new ContiguousPages(os, reservations, smallReservations, preflight, pages, budget);
        this.held = new HeldRuns(os.pageBytes());
        this.map = new FrameMap(os, pages, table, listener);
        this.adoptions = new Adoptions(os, pages, preflight, this);
    }

    // ---- slabs --------------------------------------------------------------------------------

    /** Where the slabs lie, and what is known of them. */
    public FrameMap map() {
        return map;
    }

    long pageBytes() {
        return os.pageBytes();
    }

    /** Bytes that may still be locked. */
    public long lockableBytes() {
        return preflight.lockableBytes();
    }

    /** A slab of its own for a request that need not be contiguous. */
    FrameSlab scattered(PhysicalRequest request, long bytes, FrameSlab.Use use) throws Refusal {
        reservations.retry();
        long capacity = pagesFor(bytes);
        List<Declined> declined = new ArrayList<>();
        List<Refusal> refusals = new ArrayList<>();
        for (PageSource source : backings.scattered(request, capacity)) {
            try (Arena scratch = Arena.ofConfined()) {
                MemorySegment callState = scratch.allocate(CallState.LAYOUT);
                long charged = source.mappedBytes(request, capacity);
                requireLeft(source, request, charged);
                budget.charge(charged);
                try {
                    Mapped mapped = source.map(request, capacity, callState);
                    if (mapped.backing() != source.backing()) {
                        declined.add(new Declined(source.backing(), "the kernel gave none"));
                    }
                    return prepare(mapped, request, declined, use, callState);
                } catch (Refusal | RuntimeException | Error e) {
                    budget.uncharge(charged);
                    throw e;
                }
            } catch (Refusal e) {
                refusals.add(e);
                recordDeclined(declined, source, e.getMessage());
            }
        }
        throw explained(request, refusals, declined);
    }

    /** Looks whether there is what a source takes; pages of the pool are set aside already. */
    private void requireLeft(PageSource source, PhysicalRequest request, long bytes)
            throws Refusal {
        if (request.least().contains(Guarantee.LOCKED)
                && !FrameMap.isNeverSwapped(source.backing())) {
            preflight.requireLockable(bytes);
        }
        if (!(source instanceof PoolPages)) {
            preflight.requireMemory(bytes, Preflight.requiredNode(request));
        }
    }

    /** Pages for a contiguous request: of a slab that is held, or of a new one. */
    private Memory contiguous(PhysicalRequest request) throws Refusal {
        reservations.retry();
        long bytes = pagesFor(request.size());
        Placement placement = Placement.of(request, os.pageBytes());
        for (HeldRuns.Run run = held.acquire(request, placement, bytes);
                run != null;
                run = held.acquire(request, placement, bytes)) {
            if (isPresent(run, bytes)) {
                return new Memory(run.slab().address() + run.offset(), bytes, false);
            }
            held.abandon(run, bytes).forEach(this::release);
        }
        List<Declined> declined = new ArrayList<>();
        declined.add(new Declined(Backing.HELD_RUN, "no free run serves"));
        List<Refusal> refusals = new ArrayList<>();
        for (PageSource source : backings.contiguous(request)) {
            try (Arena scratch = Arena.ofConfined()) {
                MemorySegment callState = scratch.allocate(CallState.LAYOUT);
                return contiguous(source, request, placement, bytes, declined, callState);
            } catch (Refusal e) {
                refusals.add(e);
                recordDeclined(declined, source, e.getMessage());
            }
        }
        throw explained(request, refusals, declined);
    }

    /** Pages that are not pinned may have moved since their slab was made. */
    private boolean isPresent(HeldRuns.Run run, long bytes) throws Refusal {
        FrameSlab slab = run.slab();
        Translation known = slab.translation();
        if (slab.guarantees().contains(Guarantee.PINNED) || known.isHidden()) {
            return true;
        }
        long address = slab.address() + run.offset();
        Translation now;
        try (Arena scratch = Arena.ofConfined()) {
            boolean mayBeShared = FrameMap.isNeverSwapped(slab.provenance().backing());
            now = pages.resolve(address, bytes, mayBeShared, scratch.allocate(CallState.LAYOUT));
        }
        if (now.isTemporarilyUnreadable()) {
            release(new Memory(address, bytes, false));
            throw now.unreadableRefusal();
        }
        return now.isHidden()
                || now.isContiguous(0, bytes) && now.addressOf(0) == known.addressOf(run.offset());
    }

    private Memory contiguous(
            PageSource source,
            PhysicalRequest request,
            Placement placement,
            long bytes,
            List<Declined> declined,
            MemorySegment callState)
            throws Refusal {
        if (request.least().contains(Guarantee.LOCKED)
                && !FrameMap.isNeverSwapped(source.backing())) {
            preflight.requireLockable(Alignment.up(bytes, source.unitBytes()));
        }
        ContiguousPages.Selected selected =
                contiguous.obtain(source, request, placement, bytes, callState);
        try {
            return blockIn(selected, source, request, placement, bytes, declined, callState);
        } catch (Refusal | RuntimeException | Error e) {
            budget.uncharge(selected.mapped().bytes());
            throw e;
        }
    }

    private Memory blockIn(
            ContiguousPages.Selected selected,
            PageSource source,
            PhysicalRequest request,
            Placement placement,
            long bytes,
            List<Declined> declined,
            MemorySegment callState)
            throws Refusal {
        boolean shared = source.unitBytes() > os.pageBytes() && !request.guarded();
        PageBitmap taken;
        FrameSlab.Use use;
        try {
            taken = new PageBitmap((int) (selected.mapped().bytes() / os.pageBytes()));
            taken.allocate(
                    (int) (selected.offset() / os.pageBytes()), (int) (bytes / os.pageBytes()));
            use = shared ? new FrameSlab.Use.Runs(taken) : FrameSlab.Use.BLOCK;
        } catch (Error e) {
            reservations.release(selected.mapped().reservation(), callState);
            throw e; // the Java heap is exhausted
        }
        FrameSlab slab = prepare(selected.mapped(), request, declined, use, callState);
        if (satisfies(slab, selected.offset(), bytes, placement)) {
            if (shared) {
                held.add(slab, taken);
            }
            return new Memory(slab.address() + selected.offset(), bytes, true);
        }
        end(slab, callState);
        throw new Refusal.Fragmented("the kernel moved pages between finding and locking them");
    }

    /**
     * Locks and pins what was populated, resolves it, tells listeners, and makes it known. A
     * listener that registers it with a device may make the kernel move pages, so where one is
     * there, pages that are not pinned are resolved once more before any block is handed out.
     */
    private FrameSlab prepare(
            Mapped mapped,
            PhysicalRequest request,
            List<Declined> declined,
            FrameSlab.Use use,
            MemorySegment callState)
            throws Refusal {
        int[] pins = {};
        FrameSlab slab = null;
        long lockedBytes = 0;
        try {
            EnumSet<Guarantee> reached = EnumSet.of(Guarantee.RESIDENT);
            if (mapped.huge()) {
                reached.add(Guarantee.HUGE);
            }
            if (FrameMap.isNeverSwapped(mapped.backing())) {
                reached.add(Guarantee.LOCKED);
            } else if (request.least().contains(Guarantee.LOCKED)) {
                AdoptedLocks.OF_PROCESS.forgetRemapped(mapped.address(), mapped.bytes());
                pages.lock(mapped.address(), mapped.bytes(), callState);
                lockedBytes = mapped.bytes();
                reached.add(Guarantee.LOCKED);
            }
            if (mapped.backing() == Backing.KERNEL_REGION) {
                reached.add(Guarantee.PINNED);
            } else if (request.least().contains(Guarantee.PINNED)) {
                pins = pin(mapped, callState);
                reached.add(Guarantee.PINNED);
            } else if (request.contiguous() && mayMoveSeparately(mapped, request)) {
                pins = pinIfAllowed(mapped, callState);
                if (pins.length > 0) {
                    reached.add(Guarantee.PINNED);
                }
            }
            if (request.contiguous()) {
                reached.add(Guarantee.CONTIGUOUS); // or the caller ends the slab
            }
            requireReached(request, reached);
            requireNode(request, mapped.address(), callState);
            boolean mayBeShared = FrameMap.isNeverSwapped(mapped.backing());
            Translation translation =
                    pages.resolve(mapped.address(), mapped.bytes(), mayBeShared, callState);
            slab =
                    new FrameSlab(
                            mapped,
                            request,
                            Set.copyOf(reached),
                            new Provenance(mapped.backing(), declined, pinMethod(pins)),
                            pins,
                            use,
                            translation);
            PhysicalSlab described = map.described(slab);
            for (var mappedListener : listener.mapped()) {
                mappedListener.accept(described);
            }
            List<Drift> drifts =
                    listener.mayMovePages() && !reached.contains(Guarantee.PINNED)
                            ? map.resolveAgain(slab)
                            : List.of();
            table.add(slab);
            map.notifyDrifts(drifts); // which may ask for the new addresses
            ensureVerified();
            return slab;
        } catch (Refusal | RuntimeException | Error e) {
            if (slab != null) {
                notifyUnmapped(slab); // a listener has refused it, and others may have received it
                table.remove(slab);
            }
            pages.unpin(pins, pins.length, callState);
            reservations.release(mapped.reservation(), callState);
            preflight.unlocked(lockedBytes);
            throw e;
        }
    }

    // ---- memory of the program ------------------------------------------------------------------

    /** Adopts memory of the program, as {@link Adoptions#adopt}. */
    public Adoption adopt(MemorySegment memory, PhysicalRequest request) throws Refusal {
        adopted.incrementAndGet(); // before: the page map stays open meanwhile
        try {
            return adoptions.adopt(memory, request);
        } catch (Refusal | RuntimeException | Error e) {
            adoptionEnded();
            throw e;
        }
    }

    /** An adoption has ended. */
    void adoptionEnded() {
        adopted.decrementAndGet();
        closeIfDone();
    }

    // ---- steps of preparation -------------------------------------------------------------------

    int[] pin(Mapped mapped, MemorySegment callState) throws Refusal {
        try {
            preflight.requirePinnable(mapped.bytes());
            return pages.pin(mapped.address(), mapped.bytes(), callState);
        } catch (Refusal e) {
            throw e.withMessage(
                    e.getMessage()
                            + ". Without a pin the pages may move: ask for LOCKED alone if that"
                            + " will do, and verify() them");
        }
    }

    Optional<PinMethod> pinMethod(int[] pins) {
        if (pins.length == 0) {
            return Optional.empty();
        }
        return Optional.of(
                switch (os.pinMethod(pins[0])) {
                    case IO_URING -> PinMethod.IO_URING;
                    case AF_XDP -> PinMethod.AF_XDP;
                });
    }

    /**
     * Returns whether the kernel may move pages one by one that must adjoin or lie at given
     * addresses.
     */
    private boolean mayMoveSeparately(Mapped mapped, PhysicalRequest request) {
        boolean anyFrameServes =
                mapped.bytes() <= os.pageBytes()
                        && !request.hasWindow()
                        && request.alignment() <= os.pageBytes();
        return !mapped.huge() && !anyFrameServes && !FrameMap.isNeverSwapped(mapped.backing());
    }

    /** Returns no pins where they are refused: the request does not ask for them. */
    private int[] pinIfAllowed(Mapped mapped, MemorySegment callState) {
        try {
            return pin(mapped, callState);
        } catch (Refusal _) {
            return new int[0];
        }
    }

    static void requireReached(PhysicalRequest request, Set<Guarantee> reached) throws Refusal {
        if (!reached.containsAll(request.least())) {
            Set<Guarantee> missing = EnumSet.copyOf(request.least());
            missing.removeAll(reached);
            String what =
                    String.format(
                            Locale.ROOT, "these pages would be %s, without %s", reached, missing);
            throw missing.contains(Guarantee.HIDDEN)
                    ? new Refusal.NotSupported(what + ": ask SecretMemory for hidden pages")
                    : new Refusal.Fragmented(what);
        }
    }

    void requireNode(PhysicalRequest request, long address, MemorySegment callState)
            throws Refusal {
        if (request.nodeRequired()) {
            int node = os.nodeOf(address, callState);
            if (node != request.node().orElse(node)) {
                throw new Refusal.Fragmented(
                        String.format(
                                Locale.ROOT,
                                "these pages are of node %d, and node %d was required",
                                node,
                                request.node().getAsInt()));
            }
        }
    }

    private boolean satisfies(FrameSlab slab, long offset, long bytes, Placement placement) {
        Translation frames = slab.translation();
        if (frames.isHidden()) {
            return true; // in one huge page, as was proven
        }
        long address = frames.addressOf(offset);
        return frames.isContiguous(0, slab.bytes())
                && placement.firstFit(address, bytes) == address;
    }

    /** Keeps the last reason of each backing. */
    private static void recordDeclined(List<Declined> declined, PageSource source, String why) {
        declined.removeIf(one -> one.backing() == source.backing());
        declined.add(new Declined(source.backing(), why));
    }

    private static Refusal explained(
            PhysicalRequest request, List<Refusal> refusals, List<Declined> declined) {
        if (refusals.isEmpty()) {
            return new Refusal.NotSupported("no backing is left: " + declined);
        }
        Refusal mostHelpful = mostHelpful(request, refusals);
        if (declined.size() == 1) {
            return mostHelpful;
        }
        return declined.stream().map(Declined::reason).distinct().count() == 1
                ? mostHelpful
                : mostHelpful.withMessage(
                        declined.stream()
                                .map(Declined::toString)
                                .collect(Collectors.joining("; ")));
    }

    /**
     * Returns the refusal whose remedy helps. That is the last, whose source needs least; but a
     * contiguous request is refused there for lack of rights even if one huge page would serve and
     * only the lock limit prevents that.
     */
    private static Refusal mostHelpful(PhysicalRequest request, List<Refusal> refusals) {
        Refusal last = refusals.getLast();
        if (!request.contiguous()
                || last instanceof Refusal.NotPermitted && !isInAHugePage(request)) {
            return last;
        }
        return refusals.stream()
                .filter(Refusal.LockLimit.class::isInstance)
                .findFirst()
                .orElse(last);
    }

    private static boolean isInAHugePage(PhysicalRequest request) {
        return request.size() <= Pages.HUGE_BYTES
                && request.alignment() <= Pages.HUGE_BYTES
                && !request.hasWindow();
    }

    /** Ends the slab that begins at an address. */
    void release(long address) {
        release(table.find(address));
    }

    private void release(FrameSlab slab) {
        try (Arena scratch = Arena.ofConfined()) {
            end(slab, scratch.allocate(CallState.LAYOUT));
        }
        budget.uncharge(slab.bytes());
        closeIfDone();
    }

    private void end(FrameSlab slab, MemorySegment callState) {
        notifyUnmapped(slab);
        // Out of the table first: once unmapped, the address may be another thread's.
        table.remove(slab);
        pages.unpin(slab.pins(), slab.pins().length, callState);
        reservations.release(slab.reservation(), callState);
        if (FrameMap.isNeverSwapped(slab.provenance().backing())
                && slab.provenance().pin().equals(Optional.of(PinMethod.AF_XDP))) {
            pages.returnToPool();
        }
        if (slab.guarantees().contains(Guarantee.LOCKED)
                && !FrameMap.isNeverSwapped(slab.provenance().backing())) {
            preflight.unlocked(slab.bytes());
        }
    }

    private void notifyUnmapped(FrameSlab slab) {
        if (!listener.unmapped().isEmpty()) {
            FrameListener.notify(listener.unmapped(), map.described(slab));
        }
    }

    // ---- blocks of whole pages ----------------------------------------------------------------

    Memory obtain(PhysicalRequest request) throws Refusal {
        if (request.contiguous()) {
            return contiguous(request);
        }
        FrameSlab slab = scattered(request, request.size(), FrameSlab.Use.BLOCK);
        return new Memory(slab.address(), slab.bytes(), true);
    }

    /** Releases memory of {@link #obtain}. */
    void release(Memory memory) {
        FrameSlab slab = table.find(memory.address());
        switch (slab.use()) {
            case FrameSlab.Use.Whole _ -> release(slab);
            case FrameSlab.Use.Adopted _ ->
                    throw new IllegalStateException("adopted memory is in no table");
            case FrameSlab.Use.Runs(PageBitmap taken) ->
                    held.release(taken, memory.address() - slab.address(), memory.bytes())
                            .forEach(this::release);
        }
        if (closed) {
            trim();
        }
    }

    /** Bytes that the budget has left. */
    long bytesLeft() {
        return budget.left();
    }

    /** The budget of all pages. */
    Budget budget() {
        return budget;
    }

    /** Gives back what no block uses. */
    public void trim() {
        held.acquireIdle(0).forEach(this::release);
        reservations.retry();
    }

    /** Ends obtaining slabs; the remaining ones stay until they are released. */
    public void close() {
        closed = true;
        trim();
        try (Arena scratch = Arena.ofConfined()) {
            smallReservations.close(scratch.allocate(CallState.LAYOUT));
        }
        closeIfDone();
    }

    /** Returns whether there are slabs now. */
    boolean hasSlabs() {
        return !table.isEmpty();
    }

    private void closeIfDone() {
        if (closed && !hasSlabs() && adopted.get() == 0) {
            pageMap.close();
        }
    }

    /**
     * Verifies all slabs periodically from now on, on a thread that runs while there are any.
     *
     * @param period from the end of one verification to the next, more than 0
     */
    public void verifyEvery(Duration period) {
        periodicVerifier = PeriodicVerifier.of(this, period);
        if (hasSlabs()) {
            ensureVerified();
        }
    }

    private void ensureVerified() {
        PeriodicVerifier periodic = periodicVerifier;
        if (periodic != null) {
            periodic.ensureRunning();
        }
    }

    private long pagesFor(long bytes) throws Refusal {
        long page = os.pageBytes();
        if (bytes > Long.MAX_VALUE / 2) {
            throw new Refusal.OutOfMemory(
                    String.format(
                            Locale.ROOT,
                            "%d bytes in pages of %d bytes: more than can be addressed",
                            bytes,
                            page));
        }
        return Alignment.up(Math.max(1, bytes), page);
    }
}
