package dev.kernelalloc.frames;

import dev.kernelalloc.bulk.Alignment;
import dev.kernelalloc.physical.Backing;
import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.physical.PagePolicy;
import dev.kernelalloc.physical.PhysicalRequest;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * The slabs that contiguous blocks are cut from, page by page. A few that no block uses are kept,
 * so that the next request costs no system call.
 */
final class HeldRuns {

    /** The bytes that idle slabs may keep. */
    private static final long IDLE_BYTES = 8L << 20;

    /** Pages of a slab for a block. */
    record Run(FrameSlab slab, long offset) {}

    private final long pageBytes;

    private record Held(FrameSlab slab, PageBitmap taken) {}

    // Guarded by this:
    private final List<Held> all = new ArrayList<>();

    /** Those of which pages have moved: nothing more is cut from them. */
    private final Set<FrameSlab> abandoned = new HashSet<>();

    HeldRuns(long pageBytes) {
        this.pageBytes = pageBytes;
    }

    /** A run of free pages that a request can be met with, now taken; null when there is none. */
    synchronized @Nullable Run acquire(PhysicalRequest request, Placement placement, long bytes) {
        if (request.guarded() || request.pages() == PagePolicy.BASE) {
            return null;
        }
        for (Held one : all) {
            if (!abandoned.contains(one.slab) && serves(one.slab, request)) {
                long offset = find(one, placement);
                if (offset >= 0
                        && Alignment.isAligned(
                                one.slab.address() + offset, placement.alignment())) {
                    one.taken.allocate((int) (offset / pageBytes), (int) (bytes / pageBytes));
                    return new Run(one.slab, offset);
                }
            }
        }
        return null;
    }

    private static boolean serves(FrameSlab slab, PhysicalRequest request) {
        PhysicalRequest made = slab.request();
        boolean huge = slab.guarantees().contains(Guarantee.HUGE);
        return slab.guarantees().containsAll(request.least())
                && (huge || !Backings.mustBeHuge(request))
                && (request.pages() != PagePolicy.HUGE_1G
                        || slab.provenance().backing() == Backing.POOL_1G)
                && made.fork() == request.fork()
                && made.dumped() == request.dumped()
                && (request.node().isEmpty() || request.node().equals(made.node()))
                && (!request.nodeRequired() || made.nodeRequired());
    }

    private long find(Held one, Placement placement) {
        FrameSlab slab = one.slab;
        Translation frames = slab.translation();
        PageBitmap taken = one.taken;
        int pages = frames.pages();
        int from = taken.nextFree(0);
        while (from < pages) {
            int end = taken.endOfFree(from);
            // Within the free pages, each run of frames.
            while (from < end) {
                int to = Math.min(end, endOfRun(frames, from));
                long start = startOf(slab, frames, from, placement);
                if (start >= 0) {
                    long place = placement.firstFit(start, (to - from) * pageBytes);
                    if (place != Placement.NONE) {
                        return from * pageBytes + place - start;
                    }
                }
                from = to;
            }
            from = taken.nextFree(end);
        }
        return -1;
    }

    /** If frames are hidden, a huge page is a run. */
    private int endOfRun(Translation frames, int page) {
        if (frames.pageAddress(page) != Translation.UNKNOWN) {
            return frames.endOfRun(page);
        }
        if (!frames.isHidden()) {
            return page + 1;
        }
        int perHugePage = (int) (Pages.HUGE_BYTES / pageBytes);
        return Math.min(frames.pages(), (page / perHugePage + 1) * perHugePage);
    }

    /** Then the offset in the huge page replaces the address, as far as that is known. */
    private long startOf(FrameSlab slab, Translation frames, int page, Placement placement) {
        long address = frames.pageAddress(page);
        if (address != Translation.UNKNOWN) {
            return address;
        }
        boolean provable =
                frames.isHidden()
                        && placement.lowest() == 0
                        && placement.highest() == PhysicalRequest.NO_LIMIT
                        && placement.alignment() <= Pages.HUGE_BYTES
                        && (slab.address() & Pages.HUGE_BYTES - 1) == 0;
        return provable ? page * pageBytes & Pages.HUGE_BYTES - 1 : -1;
    }

    /** Holds a slab, of which a block has taken pages already. */
    synchronized void add(FrameSlab slab, PageBitmap taken) {
        all.add(new Held(slab, taken));
    }

    /**
     * Releases a run whose pages have moved. Its slab serves no further requests, and ends with its
     * last live block.
     *
     * @return the slabs without use; no longer held
     */
    synchronized List<FrameSlab> abandon(Run run, long bytes) {
        for (Held one : all) {
            if (one.slab == run.slab) {
                abandoned.add(one.slab);
                return release(one.taken, run.offset, bytes);
            }
        }
        throw new AssertionError("a slab that a run was taken of is held");
    }

    /**
     * Releases pages.
     *
     * @return the slabs without use that are too many to keep; no longer held
     */
    synchronized List<FrameSlab> release(PageBitmap taken, long offset, long bytes) {
        taken.release((int) (offset / pageBytes), (int) (bytes / pageBytes));
        return acquireIdle(IDLE_BYTES);
    }

    /**
     * Returns the slabs without use; no longer held.
     *
     * @param keptBytes the bytes of them to keep
     */
    synchronized List<FrameSlab> acquireIdle(long keptBytes) {
        long idle = 0;
        List<Held> surplus = new ArrayList<>();
        for (Held one : all) {
            if (one.taken.isEmpty()) {
                boolean kept = !abandoned.remove(one.slab);
                idle += kept ? one.slab.bytes() : 0;
                if (!kept || idle > keptBytes) {
                    surplus.add(one);
                }
            }
        }
        all.removeAll(surplus);
        return surplus.stream().map(Held::slab).toList();
    }
}
