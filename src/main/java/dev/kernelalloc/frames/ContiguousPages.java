package dev.kernelalloc.frames;

import dev.kernelalloc.bulk.Alignment;
import dev.kernelalloc.heap.Budget;
import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.Backing;
import dev.kernelalloc.physical.PhysicalRequest;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/**
 * Physically contiguous pages. No call provides such pages: a batch is taken, its frames are read,
 * and the contiguous run that a request accepts is kept and moved into order. The rest is released.
 */
final class ContiguousPages {

    /**
     * The bytes of larger pages that may be taken at once. The kernel splits a longer run of free
     * memory only when it has none of just one page left, and after weeks there are hundreds.
     */
    private static final long MOST_HUGE_BATCH_BYTES = 1L << 30;

    /** The same for base pages; longer runs of them than a small part of this do not happen. */
    private static final long MOST_BASE_BATCH_BYTES = 64L << 20;

    private static final long LEAST_BASE_BATCH_BYTES = 4L << 20;

    /** How much longer the next batch is, where nothing is found in one. */
    private static final int BATCH_GROWTH = 4;

    /** Each is a mapping of its own, of which the kernel allows few. */
    private static final int MOST_BASE_PIECES = 64;

    private static final int MOST_HUGE_PIECES = 1024;

    /** How often a kernel region is mapped again for an aligned address. */
    private static final int REGIONS_TRIED = 4;

    /**
     * Pages that hold a block.
     *
     * @param mapped the pages
     * @param offset where in them the block begins
     */
    record Selected(Mapped mapped, long offset) {}

    private record Piece(long address, long bytes) {}

    private final OperatingSystem os;
    private final Reservations reservations;
    private final SmallReservations small;
    private final Preflight preflight;
    private final Pages pages;
    private final Budget budget;

    ContiguousPages(
            OperatingSystem os,
            Reservations reservations,
            SmallReservations small,
            Preflight preflight,
            Pages pages,
            Budget budget) {
        this.os = os;
        this.reservations = reservations;
        this.small = small;
        this.preflight = preflight;
        this.pages = pages;
        this.budget = budget;
    }

    /**
     * Pages of a source for a block, charged from now on. A batch is charged while it is looked at.
     *
     * @param bytes of it, a multiple of the page size
     * @throws Refusal when there are none of that kind, telling what was found instead
     */
    Selected obtain(
            PageSource source,
            PhysicalRequest request,
            Placement placement,
            long bytes,
            MemorySegment callState)
            throws Refusal {
        if (source instanceof KernelRegions) {
            return region(source, request, placement, bytes, callState);
        }
        requireTrimmable(source, request, bytes);
        requireProvable(source, request, placement);
        Batches batches = batches(source, request, bytes);
        long units = batches.first;
        while (true) {
            try {
                return searchBatch(source, units, request, placement, bytes, callState);
            } catch (Refusal.Fragmented e) {
                long longer = longerBatch(source, request, batches.most, units);
                if (longer == units) {
                    throw e;
                }
                units = longer;
            } catch (Refusal.OutOfMemory e) {
                long needed = Math.ceilDiv(bytes, source.unitBytes());
                if (units == needed) {
                    throw e;
                }
                return searchBatch(source, needed, request, placement, bytes, callState);
            }
        }
    }

    private Selected searchBatch(
            PageSource source,
            long units,
            PhysicalRequest request,
            Placement placement,
            long bytes,
            MemorySegment callState)
            throws Refusal {
        long charged = source.mappedBytes(unguarded(request), units * source.unitBytes());
        budget.charge(charged);
        Selected selected;
        try {
            selected = searchChargedBatch(source, units, request, placement, bytes, callState);
        } catch (Refusal | RuntimeException | Error e) {
            budget.uncharge(charged);
            throw e;
        }
        budget.uncharge(charged - selected.mapped().bytes());
        return selected;
    }

    private Selected searchChargedBatch(
            PageSource source,
            long units,
            PhysicalRequest request,
            Placement placement,
            long bytes,
            MemorySegment callState)
            throws Refusal {
        Mapped batch = source.map(unguarded(request), units * source.unitBytes(), callState);
        RunSearch.Found found;
        List<Piece> selected;
        try {
            long unit = source.unitBytes();
            found = search(batch, unit, placement, request, callState);
            selected =
                    request.guarded()
                            ? pieces(batch, unit, found.units(), found.offset(), bytes)
                            : pieces(batch, unit, found.units(), 0, found.units().length * unit);
        } catch (Refusal | RuntimeException | Error e) {
            reservations.release(batch.reservation(), callState);
            throw e;
        }
        return keep(batch, source.unitBytes(), found, selected, request, callState);
    }

    /** A page of the pool has one size: it cannot end where a guard must begin. */
    private static void requireTrimmable(PageSource source, PhysicalRequest request, long bytes)
            throws Refusal {
        if (request.guarded()
                && source instanceof PoolPages
                && !Alignment.isAligned(bytes, source.unitBytes())) {
            throw new Refusal.NotSupported(
                    String.format(
                            Locale.ROOT,
                            "%d bytes with guards do not end with a page of %d bytes",
                            bytes,
                            source.unitBytes()));
        }
    }

    /** Systems with large pages do not show frames. */
    private static void requireProvable(
            PageSource source, PhysicalRequest request, Placement placement) throws Refusal {
        if (source instanceof LargePages && !isInAnyUnit(source.unitBytes(), request, placement)) {
            throw notProvable(source.unitBytes(), true);
        }
    }

    /** Returns whether any contiguous unit holds the block. */
    private static boolean isInAnyUnit(long unit, PhysicalRequest request, Placement placement) {
        return placement.bytes() <= unit && placement.alignment() <= unit && !request.hasWindow();
    }

    /**
     * How many units are taken at once: few, and where nothing is found among them, more.
     *
     * @param most not less than {@code first}
     */
    private record Batches(long first, long most) {}

    private Batches batches(PageSource source, PhysicalRequest request, long bytes) throws Refusal {
        long unit = source.unitBytes();
        long needed = Math.ceilDiv(bytes, unit);
        boolean base = source instanceof BasePages;
        if (base && bytes > MOST_BASE_BATCH_BYTES) {
            throw new Refusal.Fragmented(
                    String.format(
                            Locale.ROOT, "base pages are not contiguous for %d bytes", bytes));
        }
        boolean anyUnitServes = needed == 1 && !request.hasWindow() && request.alignment() <= unit;
        if (anyUnitServes) {
            requireMemory(source, request, 1);
            return new Batches(1, 1);
        }
        long most = Math.max(needed, (base ? MOST_BASE_BATCH_BYTES : MOST_HUGE_BATCH_BYTES) / unit);
        if (source instanceof PoolPages pool) {
            most = Math.max(needed, Math.min(most, pool.available()));
        }
        most = Math.max(needed, Math.min(most, budget.left() / unit));
        long wanted = base ? Math.max(8 * needed, LEAST_BASE_BATCH_BYTES / unit) : 16 * needed;
        long first = Math.min(wanted, most);
        try {
            requireMemory(source, request, first);
            return new Batches(first, most);
        } catch (Refusal tooMuch) {
            requireMemory(source, request, needed);
            return new Batches(needed, needed);
        }
    }

    /** Returns a longer batch, as much longer as there is memory for, or just as many units. */
    private long longerBatch(PageSource source, PhysicalRequest request, long most, long last)
            throws Refusal {
        for (long units = Math.min(most, BATCH_GROWTH * last); units > last; units /= 2) {
            try {
                requireMemory(source, request, units);
                return units;
            } catch (Refusal.OutOfMemory _) {
                // fewer
            }
        }
        return last;
    }

    /** Pages of the pool are set aside already. */
    private void requireMemory(PageSource source, PhysicalRequest request, long units)
            throws Refusal {
        budget.requireAvailable(units * source.unitBytes());
        if (!(source instanceof PoolPages)) {
            preflight.requireMemory(units * source.unitBytes(), Preflight.requiredNode(request));
        }
    }

    private RunSearch.Found search(
            Mapped batch,
            long unit,
            Placement placement,
            PhysicalRequest request,
            MemorySegment callState)
            throws Refusal {
        boolean mayBeShared =
                batch.backing() == Backing.POOL_2M || batch.backing() == Backing.POOL_1G;
        Translation frames = pages.resolve(batch.address(), batch.bytes(), mayBeShared, callState);
        if (frames.isTemporarilyUnreadable()) {
            throw frames.unreadableRefusal();
        }
        if (frames.isHidden()) {
            return inOneUnit(batch, unit, placement, request, frames);
        }
        long[] addresses = new long[(int) (batch.bytes() / unit)];
        for (int i = 0; i < addresses.length; i++) {
            long address = frames.addressOf(i * unit);
            boolean whole = address % unit == 0 && frames.isContiguous(i * unit, unit);
            addresses[i] = whole ? address : Translation.UNKNOWN;
        }
        int most = unit == os.pageBytes() ? MOST_BASE_PIECES : MOST_HUGE_PIECES;
        RunSearch.Found found = RunSearch.find(addresses, unit, placement, most);
        if (found != null) {
            return found;
        }
        throw new Refusal.Fragmented(notFound(batch, addresses, unit, most));
    }

    private static String notFound(Mapped batch, long[] addresses, long unit, int mostPieces) {
        long[] seen = Arrays.stream(addresses).filter(one -> one != Translation.UNKNOWN).toArray();
        return seen.length == 0
                ? String.format(Locale.ROOT, "none of %d bytes are in huge pages", batch.bytes())
                : String.format(
                        Locale.ROOT,
                        "of %d bytes none serve: the longest run is of %d bytes, in at most %d"
                                + " pieces; addresses from 0x%x to 0x%x were seen",
                        batch.bytes(),
                        RunSearch.longestBytes(addresses, unit),
                        mostPieces,
                        Arrays.stream(seen).min().orElse(0),
                        Arrays.stream(seen).max().orElse(0) + unit);
    }

    /**
     * Returns what is certain without seeing frames: a page, huge ones included, is contiguous, at
     * a multiple of its size.
     */
    private RunSearch.Found inOneUnit(
            Mapped batch,
            long unit,
            Placement placement,
            PhysicalRequest request,
            Translation frames)
            throws Refusal {
        boolean inOnePiece = batch.huge() || unit == os.pageBytes();
        if (!inOnePiece || !isInAnyUnit(unit, request, placement)) {
            throw notProvable(unit, frames.isNeverShown());
        }
        return new RunSearch.Found(new int[] {0}, 0, 1);
    }

    private static Refusal notProvable(long unit, boolean nobody) {
        String known =
                String.format(
                        Locale.ROOT,
                        "only a block within one page of %d bytes, without a window, is known to be"
                                + " contiguous",
                        unit);
        return nobody
                ? new Refusal.NotSupported(
                        "this system does not show programs the frames of their pages, so " + known)
                : new Refusal.NotPermitted(
                        "frame numbers are hidden from this process, and without them "
                                + known
                                + ": run with CAP_SYS_ADMIN, or hand in a page map that was"
                                + " opened with it");
    }

    private Selected region(
            PageSource source,
            PhysicalRequest request,
            Placement placement,
            long bytes,
            MemorySegment callState)
            throws Refusal {
        preflight.enter(bytes);
        try {
            budget.charge(bytes);
            try {
                return searchRegion(source, request, placement, bytes, callState);
            } catch (Refusal | RuntimeException | Error e) {
                budget.uncharge(bytes);
                throw e;
            }
        } finally {
            preflight.exit(bytes);
        }
    }

    private Selected searchRegion(
            PageSource source,
            PhysicalRequest request,
            Placement placement,
            long bytes,
            MemorySegment callState)
            throws Refusal {
        Mapped mapped = alignedRegion(source, request, bytes, callState);
        Translation frames;
        try {
            frames = pages.resolve(mapped.address(), bytes, true, callState);
        } catch (RuntimeException | Error e) {
            reservations.release(mapped.reservation(), callState);
            throw e;
        }
        if (isAligned(mapped.address(), request)
                && frames.isContiguous(0, bytes)
                && placement.firstFit(frames.addressOf(0), bytes) == frames.addressOf(0)) {
            return new Selected(mapped, 0);
        }
        reservations.release(mapped.reservation(), callState);
        if (frames.isTemporarilyUnreadable()) {
            throw frames.unreadableRefusal();
        }
        if (frames.isHidden()) {
            throw new Refusal.NotPermitted(
                    "a region is contiguous only if its frames say so, and they are hidden from"
                            + " this process");
        }
        throw new Refusal.Fragmented(
                String.format(
                        Locale.ROOT,
                        "the region's longest run is of %d bytes, and it begins at 0x%x, mapped at"
                                + " 0x%x",
                        frames.longestRunBytes(),
                        frames.addressOf(0),
                        mapped.address()));
    }

    /**
     * Maps a region, if possible at an aligned address. The kernel chooses the address, below what
     * is mapped: so the region is mapped again below a filler, unless other threads map memory.
     */
    private Mapped alignedRegion(
            PageSource source, PhysicalRequest request, long bytes, MemorySegment callState)
            throws Refusal {
        Mapped mapped = source.map(request, bytes, callState);
        for (int i = 0; i < REGIONS_TRIED && !isAligned(mapped.address(), request); i++) {
            long excess = mapped.address() & request.alignment() - 1;
            reservations.release(mapped.reservation(), callState);
            Reservation filler =
                    reservations.make(
                            excess, 1, () -> os.reserve(excess, os.pageBytes(), callState));
            try {
                mapped = source.map(request, bytes, callState);
            } finally {
                reservations.release(filler, callState);
            }
        }
        return mapped;
    }

    /** Leaves the units that were found, in their order, and gives the others back. */
    private Selected keep(
            Mapped batch,
            long unit,
            RunSearch.Found found,
            List<Piece> selected,
            PhysicalRequest request,
            MemorySegment callState)
            throws Refusal {
        Piece piece = selected.getFirst();
        boolean aligned = isAligned(piece.address + found.offset(), request);
        boolean staysInBatch =
                aligned && (piece.bytes == batch.bytes() || !small.serve(request, piece.bytes));
        if (selected.size() == 1 && !request.guarded() && staysInBatch) {
            Reservation reservation = part(batch, piece, callState);
            return new Selected(
                    new Mapped(
                            reservation, piece.address, piece.bytes, batch.backing(), batch.huge()),
                    found.offset());
        }
        return moved(batch, unit, selected, request, found.offset(), callState);
    }

    private Selected moved(
            Mapped batch,
            long unit,
            List<Piece> selected,
            PhysicalRequest request,
            long offset,
            MemorySegment callState)
            throws Refusal {
        long bytes = selected.stream().mapToLong(Piece::bytes).sum();
        int pieces = selected.size();
        List<Piece> gone = new ArrayList<>();
        try {
            reservations.count(pieces); // each that leaves the batch splits it
        } catch (Refusal e) {
            reservations.release(batch.reservation(), callState);
            throw e;
        }
        try {
            PageReservation space = space(unit, request, bytes, pieces, callState);
            long to = space.address();
            for (Piece piece : selected) {
                gone.add(piece);
                try {
                    os.move(piece.address, to, piece.bytes, callState);
                } catch (Refusal e) {
                    gone.removeLast();
                    releaseAllBut(space.reservation(), to, piece.bytes, callState);
                    throw e;
                } catch (RuntimeException | Error e) { // moved or not: its old place is lost too
                    releaseAllBut(space.reservation(), to, piece.bytes, callState);
                    throw e;
                }
                to += piece.bytes;
            }
            boolean huge = batch.huge() && bytes % unit == 0;
            return new Selected(
                    new Mapped(space.reservation(), space.address(), bytes, batch.backing(), huge),
                    request.guarded() ? 0 : offset);
        } finally {
            releaseRest(batch, gone, callState);
            reservations.uncount(pieces);
        }
    }

    /** Small blocks lie side by side, so that they share page tables. */
    private PageReservation space(
            long unit, PhysicalRequest request, long bytes, int pieces, MemorySegment callState)
            throws Refusal {
        if (small.serve(request, bytes)) {
            return PageReservation.reserveSmall(os, small, request, bytes, pieces, callState);
        }
        long alignment = Math.max(unit, Pages.HUGE_BYTES);
        return PageReservation.reserve(
                os, reservations, request, bytes, alignment, pieces, callState);
    }

    /**
     * Releases a reservation except a place into which pages could not be moved: the kernel may
     * have unmapped that before it refused, and another thread may have mapped it since. It stays
     * counted as a mapping, which it may still be.
     */
    private void releaseAllBut(
            Reservation reservation, long place, long bytes, MemorySegment callState) {
        releasePart(reservation.address(), place, callState);
        releasePart(place + bytes, reservation.address() + reservation.bytes(), callState);
        reservations.uncount(reservation.mappings() - 1);
    }

    /** A part of some units as pieces of the mapping. */
    private static List<Piece> pieces(
            Mapped batch, long unit, int[] units, long offset, long bytes) {
        List<Piece> pieces = new ArrayList<>();
        long skip = offset;
        long left = bytes;
        for (int i = 0; i < units.length && left > 0; i++) {
            long start = batch.address() + units[i] * unit + skip;
            long length = Math.min(left, unit - skip);
            Piece last = pieces.isEmpty() ? null : pieces.getLast();
            if (last != null && last.address + last.bytes == start) {
                pieces.set(pieces.size() - 1, new Piece(last.address, last.bytes + length));
            } else {
                pieces.add(new Piece(start, length));
            }
            skip = 0;
            left -= length;
        }
        return pieces;
    }

    /** Gives a batch back but for one piece. */
    private Reservation part(Mapped batch, Piece piece, MemorySegment callState) {
        Reservation whole = batch.reservation();
        if (piece.bytes == batch.bytes()) {
            return whole;
        }
        long end = piece.address + piece.bytes;
        releasePart(batch.address(), piece.address, callState);
        releasePart(end, batch.address() + batch.bytes(), callState);
        return new Reservation(piece.address, piece.bytes, true, whole.mappings());
    }

    /** Gives a batch back but for the pieces that have left it. */
    private void releaseRest(Mapped batch, List<Piece> gone, MemorySegment callState) {
        if (gone.isEmpty()) {
            reservations.release(batch.reservation(), callState);
            return;
        }
        long from = batch.address();
        List<Piece> ascending =
                gone.stream().sorted(Comparator.comparingLong(Piece::address)).toList();
        for (Piece piece : ascending) {
            releasePart(from, piece.address, callState);
            from = piece.address + piece.bytes;
        }
        releasePart(from, batch.address() + batch.bytes(), callState);
        reservations.uncount(batch.reservation().mappings());
    }

    /** The count of a part stays with the whole. */
    private void releasePart(long from, long to, MemorySegment callState) {
        if (from < to) {
            reservations.release(new Reservation(from, to - from, true, 0), callState);
        }
    }

    /** The request of a batch, of which it is not known yet where a block begins. */
    private static PhysicalRequest unguarded(PhysicalRequest request) {
        return request.toBuilder().guarded(false).aligned(1).build();
    }

    /** Whether an address is aligned as the physical one has to be. */
    private static boolean isAligned(long address, PhysicalRequest request) {
        return Alignment.isAligned(address, request.alignment());
    }
}
