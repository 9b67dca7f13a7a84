package dev.kernelalloc.frames;

import dev.kernelalloc.os.CallState;
import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.Drift;
import dev.kernelalloc.physical.FrameFlag;
import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.physical.PhysicalAddress;
import dev.kernelalloc.physical.Verification;
import dev.kernelalloc.physical.Way;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.stream.IntStream;

/**
 * Reads the page map of slabs again and compares. Where the records of frames can be read too, a
 * frame that lies where it did and yet is not the page's own is found as well.
 */
final class Verifier {

    /** A frame with one of these is not a live page of ours. */
    private static final long FOREIGN =
            bit(FrameFlag.BUDDY)
                    | bit(FrameFlag.NOPAGE)
                    | bit(FrameFlag.ZERO_PAGE)
                    | bit(FrameFlag.KSM)
                    | bit(FrameFlag.HWPOISON)
                    | bit(FrameFlag.OFFLINE);

    private final OperatingSystem os;
    private final Pages pages;
    private final FrameListener listener;
    private final PhysicalAddress.Scope scope;

    Verifier(OperatingSystem os, Pages pages, FrameListener listener, PhysicalAddress.Scope scope) {
        this.os = os;
        this.pages = pages;
        this.listener = listener;
        this.scope = scope;
    }

    private static long bit(FrameFlag flag) {
        return 1L << flag.bit();
    }

    /**
     * Compares slabs; those that are given back meanwhile do not count.
     *
     * @param isLive whether a slab is still in the table
     */
    Verification verify(List<FrameSlab> slabs, Predicate<FrameSlab> isLive) {
        Verification found = compare(slabs, isLive);
        found.drifts().forEach(drift -> FrameListener.tell(listener.drifted(), drift));
        return found;
    }

    /** One at a time, so that each drift is found once. */
    private synchronized Verification compare(List<FrameSlab> slabs, Predicate<FrameSlab> isLive) {
        long checked = 0;
        List<Drift> drifts = new ArrayList<>();
        Optional<String> unverifiable = Optional.empty();
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment callState = scratch.allocate(CallState.LAYOUT);
            for (FrameSlab slab : slabs) {
                Translation before = slab.translation();
                Translation now =
                        pages.resolve(slab.address(), slab.bytes(), mayBeShared(slab), callState);
                if (before.isHidden() || now.isHidden()) {
                    unverifiable = Optional.of(why(before.isHidden() ? before : now, slab));
                    continue;
                }
                List<Drift> found = compare(slab, before, now, callState);
                // A slab leaves the table before its pages go, so these were still its own.
                if (isLive.test(slab)) {
                    checked += now.pages();
                    drifts.addAll(found);
                    slab.retranslate(now);
                }
            }
        }
        return new Verification(checked, drifts, unverifiable);
    }

    /** Pages of the pool and of the kernel's own are not marked as the process's alone. */
    private static boolean mayBeShared(FrameSlab slab) {
        return slab.provenance().way() != Way.BASE_PAGES
                && slab.provenance().way() != Way.TRANSPARENT_HUGE;
    }

    private static String why(Translation hidden, FrameSlab slab) {
        return hidden.unknown(0, slab.address()).getMessage();
    }

    private List<Drift> compare(
            FrameSlab slab, Translation before, Translation now, MemorySegment callState) {
        boolean pinned = slab.guarantees().contains(Guarantee.PINNED);
        List<Drift> drifts = new ArrayList<>();
        for (int page = 0; page < now.pages(); page++) {
            if (now.pageAddress(page) != before.pageAddress(page)) {
                drifts.add(moved(slab, before, now, page, pinned));
            }
        }
        compareRecords(slab, now, pinned, callState, drifts);
        return drifts;
    }

    private Drift moved(
            FrameSlab slab, Translation before, Translation now, int page, boolean pinned) {
        long address = slab.address() + page * os.pageBytes();
        long from = before.pageAddress(page);
        long to = now.pageAddress(page);
        String finding =
                to == Translation.UNKNOWN
                        ? now.unknown(page, address).getMessage()
                        : "the page was moved to another frame";
        return new Drift(
                address,
                new PhysicalAddress(Math.max(0, from), scope),
                to == Translation.UNKNOWN ? null : new PhysicalAddress(to, scope),
                pinned,
                finding);
    }

    /** None where only root may. */
    private void compareRecords(
            FrameSlab slab,
            Translation now,
            boolean pinned,
            MemorySegment callState,
            List<Drift> drifts) {
        int[] known =
                IntStream.range(0, now.pages())
                        .filter(page -> now.pageAddress(page) != Translation.UNKNOWN)
                        .toArray();
        long[] frames =
                Arrays.stream(known)
                        .mapToLong(page -> now.pageAddress(page) / os.pageBytes())
                        .toArray();
        boolean ofNobodyElse = !mayBeShared(slab);
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment flags = scratch.allocate(ValueLayout.JAVA_LONG, frames.length);
            MemorySegment counts = scratch.allocate(ValueLayout.JAVA_LONG, frames.length);
            os.readFrameFlagsOf(frames, flags, callState);
            os.readFrameCountsOf(frames, counts, callState);
            for (int i = 0; i < frames.length; i++) {
                long bits = flags.getAtIndex(ValueLayout.JAVA_LONG, i);
                long count = counts.getAtIndex(ValueLayout.JAVA_LONG, i);
                if ((bits & FOREIGN) != 0 || ofNobodyElse && count != 1) {
                    drifts.add(foreign(slab, now, known[i], bits, count, pinned));
                }
            }
        } catch (Refusal unreadable) {
            // The page map alone has to do.
        }
    }

    private Drift foreign(
            FrameSlab slab, Translation now, int page, long bits, long count, boolean pinned) {
        PhysicalAddress at = new PhysicalAddress(now.pageAddress(page), scope);
        return new Drift(
                slab.address() + page * os.pageBytes(),
                at,
                at,
                pinned,
                "its frame is not its own: kpageflags 0x%x, mapped %d times (kpagecount)"
                        .formatted(bits, count));
    }
}
