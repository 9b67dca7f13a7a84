package dev.kernelalloc.frames;

import dev.kernelalloc.os.CallState;
import dev.kernelalloc.os.LockedMappings;
import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.Drift;
import dev.kernelalloc.physical.FrameFlag;
import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.physical.LostGuarantee;
import dev.kernelalloc.physical.PhysicalAddress;
import dev.kernelalloc.physical.Verification;
import dev.kernelalloc.physical.Way;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.IntPredicate;
import java.util.function.Predicate;

/**
 * Audits slabs: reads their page map again and compares, and asks the kernel whether the guarantees
 * of their pages still hold. If the records of frames are readable, a frame at an unchanged address
 * that is not the page's own is detected as well.
 *
 * <p>A page that the kernel is moving has no frame for a moment, and one that it has just moved has
 * a frame with a foreign record. So a suspicious page is read again, and counts if it was seen in
 * {@link #SIGHTINGS} readings in a row.
 */
final class Verifier {

    private static final int SIGHTINGS = 3;

    /** Pages that come and go in that many looks are reported as the last one shows them. */
    private static final int MOST_LOOKS = 16;

    private final OperatingSystem os;
    private final Pages pages;
    private final FrameListener listener;
    private final AddressScope scope;

    Verifier(OperatingSystem os, Pages pages, FrameListener listener, AddressScope scope) {
        this.os = os;
        this.pages = pages;
        this.listener = listener;
        this.scope = scope;
    }

    /**
     * Audits slabs. Those released during the audit do not count.
     *
     * @param isLive whether a slab is still in the table
     * @param withdrawal is run where a slab has lost what was asked of it, before listeners are
     *     told
     */
    Verification verify(List<FrameSlab> slabs, Predicate<FrameSlab> isLive, Runnable withdrawal) {
        List<LostGuarantee> lostNow = new ArrayList<>();
        Verification found = audit(slabs, isLive, lostNow);
        if (!slabs.stream().allMatch(FrameSlab::servesItsRequest)) {
            withdrawal.run();
        }
        found.drifts().forEach(drift -> FrameListener.tell(listener.drifted(), drift));
        lostNow.forEach(one -> FrameListener.tell(listener.lost(), one));
        return found;
    }

    /** Resolves a slab whose page map was unreadable for a transient reason when it was made. */
    synchronized Translation readAgain(FrameSlab slab) {
        if (!slab.translation().isUnreadForTheMoment()) {
            return slab.translation();
        }
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment callState = scratch.allocate(CallState.LAYOUT);
            Translation now = look(slab, callState).ownFrames();
            slab.retranslate(now);
            return now;
        }
    }

    /** One at a time, so that each drift and each loss is found once. */
    private synchronized Verification audit(
            List<FrameSlab> slabs, Predicate<FrameSlab> isLive, List<LostGuarantee> lostNow) {
        long checked = 0;
        List<Drift> drifts = new ArrayList<>();
        List<LostGuarantee> lost = new ArrayList<>();
        Optional<String> unverifiable = Optional.empty();
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment callState = scratch.allocate(CallState.LAYOUT);
            ProcessView process = new ProcessView(callState);
            for (FrameSlab slab : slabs) {
                Audit audit = new Audit(slab, process);
                audit.run();
                // A slab leaves the table before its pages go, so these were still its own.
                if (isLive.test(slab)) {
                    checked += audit.compared;
                    drifts.addAll(audit.drifts);
                    audit.lost.forEach(slab::lose);
                    lostNow.addAll(audit.lost);
                    lost.addAll(slab.lost());
                    if (!audit.look.now.isHidden()) {
                        slab.retranslate(audit.look.ownFrames());
                    }
                    unverifiable = unverifiable.or(() -> Optional.ofNullable(audit.unverifiable));
                }
            }
            if (checked == 0 && unverifiable.isEmpty()) {
                unverifiable = whyHiddenFromAll(callState);
            }
        }
        return new Verification(checked, drifts, lost, unverifiable);
    }

    /** Without a page of its own to look at: whether this process may see frames at all. */
    private Optional<String> whyHiddenFromAll(MemorySegment callState) {
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment byteOfAPage = scratch.allocate(1); // written, so the page is present
            long address = byteOfAPage.address() & -os.pageBytes();
            Translation frame = pages.resolve(address, os.pageBytes(), true, callState);
            return frame.isHidden()
                    ? Optional.of(frame.unknown(0, address).getMessage())
                    : Optional.empty();
        }
    }

    /** Pages of the pool and of the kernel's own are not marked as the process's alone. */
    private static boolean mayBeShared(FrameSlab slab) {
        return isNeverSwapped(slab);
    }

    private static boolean isNeverSwapped(FrameSlab slab) {
        return slab.provenance().way() != Way.BASE_PAGES
                && slab.provenance().way() != Way.TRANSPARENT_HUGE;
    }

    /** The facts that are read once per process, and only if a slab needs them. */
    private final class ProcessView {

        private final MemorySegment callState;
        private @Nullable LockedMappings locked;
        private @Nullable IntPredicate held;

        private ProcessView(MemorySegment callState) {
            this.callState = callState;
        }

        private LockedMappings locked() throws Refusal {
            LockedMappings known = locked;
            if (known == null) {
                known = os.lockedMappings();
                locked = known;
            }
            return known;
        }

        private IntPredicate heldPins() throws Refusal {
            IntPredicate known = held;
            if (known == null) {
                known = os.heldPins(callState);
                held = known;
            }
            return known;
        }
    }

    /**
     * The kernel's report on the pages of a slab at one moment.
     *
     * @param now the addresses, by the page map
     * @param foreign the pages whose frames are not their own, if the records are readable
     * @param flags the flags of the frame of each page; null if the records are not readable
     */
    private record Look(
            Translation now, Map<Integer, ForeignFrame> foreign, long @Nullable [] flags) {

        /** Whether a page has no frame, or one that is not its own. */
        private boolean isWrong(int page) {
            return now.pageAddress(page) == Translation.UNKNOWN || foreign.containsKey(page);
        }

        /** Returns the addresses of pages that have frames of their own. */
        private Translation ownFrames() {
            return foreign.isEmpty() ? now : now.without(foreign);
        }
    }

    private Look look(FrameSlab slab, MemorySegment callState) {
        Translation now = pages.resolve(slab.address(), slab.bytes(), mayBeShared(slab), callState);
        int[] known = now.isHidden() ? new int[0] : known(now);
        if (known.length == 0) {
            return new Look(now, Map.of(), null);
        }
        long[] frames = new long[known.length];
        Arrays.setAll(frames, i -> now.pageAddress(known[i]) / os.pageBytes());
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment flags = scratch.allocate(ValueLayout.JAVA_LONG, frames.length);
            MemorySegment counts = scratch.allocate(ValueLayout.JAVA_LONG, frames.length);
            os.readFrameFlagsOf(frames, flags, callState);
            os.readFrameCountsOf(frames, counts, callState);
            return look(now, known, flags, counts, !mayBeShared(slab));
        } catch (Refusal unreadable) {
            return new Look(now, Map.of(), null); // the page map alone has to do
        }
    }

    private static Look look(
            Translation now,
            int[] known,
            MemorySegment flagsOfKnown,
            MemorySegment countsOfKnown,
            boolean ofNobodyElse) {
        Map<Integer, ForeignFrame> foreign = new HashMap<>();
        long[] flags = new long[now.pages()];
        for (int i = 0; i < known.length; i++) {
            long flagsOfOne = flagsOfKnown.getAtIndex(ValueLayout.JAVA_LONG, i);
            long count = countsOfKnown.getAtIndex(ValueLayout.JAVA_LONG, i);
            flags[known[i]] = flagsOfOne;
            if (ForeignFrame.isForeign(flagsOfOne, count, ofNobodyElse)) {
                foreign.put(known[i], new ForeignFrame(flagsOfOne, count));
            }
        }
        return new Look(now, foreign, flags);
    }

    /** The pages that have addresses. */
    private static int[] known(Translation now) {
        int[] known = new int[now.pages()];
        int count = 0;
        for (int page = 0; page < known.length; page++) {
            if (now.pageAddress(page) != Translation.UNKNOWN) {
                known[count++] = page;
            }
        }
        return Arrays.copyOf(known, count);
    }

    /** The audit of one slab. */
    private final class Audit {

        private final FrameSlab slab;
        private final ProcessView process;
        private final Translation before;
        private final List<Drift> drifts = new ArrayList<>();
        private final List<LostGuarantee> lost = new ArrayList<>();
        private Look look;
        private long compared;
        private @Nullable String unverifiable;

        private Audit(FrameSlab slab, ProcessView process) {
            this.slab = slab;
            this.process = process;
            this.before = readAgain(slab);
            this.look = look(slab, process.callState);
        }

        private void run() {
            settle();
            if (before.isHidden() || look.now.isHidden()) {
                Translation hidden = before.isHidden() ? before : look.now;
                unverifiable = hidden.unknown(0, slab.address()).getMessage();
            } else {
                compare();
                compared = look.now.pages();
            }
            for (Guarantee guarantee : EnumSet.copyOf(slab.guarantees())) { // HUGE first
                try {
                    check(guarantee);
                } catch (Refusal e) {
                    if (unverifiable == null) {
                        unverifiable = guarantee + ": " + e.getMessage();
                    }
                }
            }
        }

        private void check(Guarantee guarantee) throws Refusal {
            switch (guarantee) {
                case LOCKED -> checkLocked();
                case HUGE -> checkHuge();
                case PINNED -> checkPinned();
                case CONTIGUOUS -> checkContiguous();
                case RESIDENT, HIDDEN -> {} // of the moment; of no slab
            }
        }

        // ---- where pages lie ------------------------------------------------------------------

        /** Looks again until what is wrong has been so several times, or nothing is. */
        private void settle() {
            Look last = look;
            int sightings = 1;
            for (int looks = 1;
                    looks < MOST_LOOKS && sightings < SIGHTINGS && isSuspicious(last);
                    looks++) {
                Thread.yield();
                Look next = look(slab, process.callState);
                sightings = hasNewWrongs(last, next) ? 1 : sightings + 1;
                last = next;
            }
            look = last;
        }

        private boolean isSuspicious(Look one) {
            if (one.now.isHidden()) {
                return false;
            }
            for (int page = 0; page < one.now.pages(); page++) {
                if (one.isWrong(page)) {
                    return true;
                }
            }
            return false;
        }

        private boolean hasNewWrongs(Look last, Look next) {
            for (int page = 0; page < next.now.pages(); page++) {
                if (next.isWrong(page) && !last.isWrong(page)) {
                    return true;
                }
            }
            return false;
        }

        /** A page without a frame of its own is a drift for as long as that is so. */
        private void compare() {
            boolean pinned = slab.guarantees().contains(Guarantee.PINNED);
            for (int page = 0; page < look.now.pages(); page++) {
                long now = look.now.pageAddress(page);
                ForeignFrame foreign = look.foreign.get(page);
                if (foreign != null) {
                    PhysicalAddress lay = physical(before.pageAddress(page));
                    drifts.add(new Drift(addressOf(page), lay, null, pinned, foreign.finding()));
                } else if (now == Translation.UNKNOWN || now != before.pageAddress(page)) {
                    drifts.add(moved(page, pinned));
                }
            }
        }

        private Drift moved(int page, boolean pinned) {
            long address = addressOf(page);
            long to = look.now.pageAddress(page);
            String finding =
                    to == Translation.UNKNOWN
                            ? look.now.unknown(page, address).getMessage()
                            : before.pageAddress(page) == Translation.UNKNOWN
                                    ? "the page has a frame now, and had none that was known"
                                    : "the page was moved to another frame";
            return new Drift(
                    address, physical(before.pageAddress(page)), physical(to), pinned, finding);
        }

        private @Nullable PhysicalAddress physical(long address) {
            return address == Translation.UNKNOWN
                    ? null
                    : new PhysicalAddress(address, scope.now());
        }

        private long addressOf(int page) {
            return slab.address() + page * os.pageBytes();
        }

        // ---- what was promised ----------------------------------------------------------------

        private void lose(Guarantee guarantee, long address, long bytes, String finding) {
            lost.add(new LostGuarantee(guarantee, address, bytes / os.pageBytes(), finding));
        }

        /**
         * The flag of the frame proves a lock. Its absence proves nothing: of a huge page that is
         * mapped in part the kernel locks the mapping alone, so that is asked then.
         */
        private void checkLocked() throws Refusal {
            if (isNeverSwapped(slab) || everyFrameHas(ForeignFrame.bit(FrameFlag.MLOCKED))) {
                return;
            }
            long end = slab.address() + slab.bytes();
            LockedMappings locked = process.locked();
            long first = locked.firstOutside(slab.address(), end);
            if (first < end) {
                lose(
                        Guarantee.LOCKED,
                        first,
                        locked.bytesOutside(slab.address(), end),
                        "the mapping is no longer locked: munlock(2), munlockall(2) or a new"
                                + " mapping in its place");
            }
        }

        private boolean everyFrameHas(long bits) {
            return look.flags != null
                    && look.now.isKnown()
                    && Arrays.stream(look.flags).allMatch(flags -> (flags & bits) != 0);
        }

        private void checkHuge() throws Refusal {
            long huge = 0;
            for (int sighting = 0; sighting < SIGHTINGS && huge < slab.bytes(); sighting++) {
                try {
                    huge = os.hugeBytes(slab.address(), slab.bytes(), process.callState);
                } catch (Refusal.NotSupported e) {
                    if (everyFrameHas(
                            ForeignFrame.bit(FrameFlag.HUGE) | ForeignFrame.bit(FrameFlag.THP))) {
                        return; // a kernel before 6.7
                    }
                    throw e;
                }
            }
            if (huge < slab.bytes()) {
                lose(
                        Guarantee.HUGE,
                        firstThatIsNotHuge(),
                        slab.bytes() - huge,
                        String.format(
                                        Locale.ROOT,
                                        "%d of %d bytes are mapped by huge pages: the others were"
                                                + " split, paged out",
                                        huge,
                                        slab.bytes())
                                + " or replaced");
            }
        }

        private long firstThatIsNotHuge() throws Refusal {
            long end = slab.address() + slab.bytes();
            for (long at = slab.address(); at < end; at += Pages.HUGE_BYTES) {
                long bytes = Math.min(Pages.HUGE_BYTES, end - at);
                if (os.hugeBytes(at, bytes, process.callState) < bytes) {
                    return at;
                }
            }
            return slab.address(); // the kernel has made it huge again
        }

        private void checkPinned() throws Refusal {
            long moved = drifts.size();
            if (moved > 0) {
                lose(
                        Guarantee.PINNED,
                        drifts.getFirst().virtualAddress(),
                        moved * os.pageBytes(),
                        drifts.getFirst().finding());
                return;
            }
            if (slab.pins().length == 0) {
                return; // the kernel's own pages
            }
            IntPredicate held = process.heldPins();
            if (!Arrays.stream(slab.pins()).allMatch(held)) {
                lose(
                        Guarantee.PINNED,
                        slab.address(),
                        slab.bytes(),
                        "the io_uring that held the pins was closed or emptied by other code of"
                                + " the process");
            }
        }

        private void checkContiguous() throws Refusal {
            if (!look.now.isHidden()) {
                if (!look.now.isContiguous(0, slab.bytes())) {
                    int end = look.now.endOfRun(0);
                    lose(
                            Guarantee.CONTIGUOUS,
                            addressOf(Math.min(end, look.now.pages() - 1)),
                            slab.bytes() - end * os.pageBytes(),
                            String.format(
                                    Locale.ROOT,
                                    "pages were moved: the longest run is of %d of %d bytes",
                                    look.now.longestRunBytes(),
                                    slab.bytes()));
                }
            } else if (slab.bytes() > os.pageBytes() && !isOneHugePage()) {
                throw new Refusal.NotPermitted(
                        "these are no longer a huge page, and frames are hidden from this process");
            }
        }

        /** As was proven when it was made, and still holds. */
        private boolean isOneHugePage() {
            return isNeverSwapped(slab)
                    || slab.guarantees().contains(Guarantee.HUGE)
                            && lost.stream().noneMatch(one -> one.guarantee() == Guarantee.HUGE);
        }
    }
}
