package dev.kernelalloc.frames;

import dev.kernelalloc.bulk.Alignment;
import dev.kernelalloc.bulk.BulkMemory;
import dev.kernelalloc.os.CallState;
import dev.kernelalloc.os.LockedMappings;
import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.Backing;
import dev.kernelalloc.physical.Drift;
import dev.kernelalloc.physical.FrameFlag;
import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.physical.LostGuarantee;
import dev.kernelalloc.physical.PhysicalAddress;
import dev.kernelalloc.physical.Verification;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.IntPredicate;

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

    /** The pages that are audited at once, at most. */
    private static final int PIECE_PAGES = 1 << 12;

    private static final long LOCKED = ForeignFrame.bit(FrameFlag.MLOCKED);
    private static final long HUGE =
            ForeignFrame.bit(FrameFlag.HUGE) | ForeignFrame.bit(FrameFlag.THP);

    /** What an audit says of slabs that it could not check, made before the heap is exhausted. */
    private static final Optional<String> HEAP_EXHAUSTED =
            Optional.of(
                    "the Java heap is exhausted: some slabs were not checked; raise -Xmx, or verify"
                            + " again when memory is free");

    private final OperatingSystem os;
    private final Pages pages;
    private final FrameTable table;
    private final FrameListener listener;
    private final AddressScope scope;

    Verifier(
            OperatingSystem os,
            Pages pages,
            FrameTable table,
            FrameListener listener,
            AddressScope scope) {
        this.os = os;
        this.pages = pages;
        this.table = table;
        this.listener = listener;
        this.scope = scope;
    }

    /** Audits all slabs of the table, as {@link #verify}. */
    Verification verifyAll(Runnable withdrawal) {
        List<FrameSlab> slabs;
        try {
            slabs = table.all();
        } catch (OutOfMemoryError e) {
            return new Verification(0, List.of(), List.of(), HEAP_EXHAUSTED);
        }
        return verify(slabs, withdrawal);
    }

    /**
     * Audits slabs. Those released during the audit do not count. Java heap is needed for what is
     * found, not for what is audited; slabs that an exhausted heap leaves unchecked are reported as
     * not verifiable.
     *
     * @param slabs that do not change: what is read once per audit is read after they were mapped,
     *     locked and pinned, and says nothing of later ones
     * @param withdrawal is run where a slab has lost what was asked of it, before listeners are
     *     told
     */
    Verification verify(List<FrameSlab> slabs, Runnable withdrawal) {
        List<LostGuarantee> lostNow = new ArrayList<>();
        Verification found = audit(slabs, lostNow);
        if (!slabs.stream().allMatch(FrameSlab::servesItsRequest)) {
            withdrawal.run();
        }
        notifyDrifts(found.drifts());
        lostNow.forEach(one -> FrameListener.notify(listener.lost(), one));
        return found;
    }

    /** Whether an exhausted Java heap left slabs unchecked. */
    static boolean wasCutShort(Verification found) {
        return found.unverifiable().equals(HEAP_EXHAUSTED);
    }

    /** Resolves a slab whose page map was unreadable for a transient reason when it was made. */
    Translation readAgain(FrameSlab slab) {
        Translation known = slab.translation();
        return known.isTemporarilyUnreadable() ? resolveIfUnreadableLocked(slab) : known;
    }

    private synchronized Translation resolveIfUnreadableLocked(FrameSlab slab) {
        Translation known = slab.translation();
        if (!known.isTemporarilyUnreadable()) {
            return known;
        }
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment callState = scratch.allocate(CallState.LAYOUT);
            Translation now =
                    pages.resolve(slab.address(), slab.bytes(), mayBeShared(slab), callState);
            retranslate(slab, now);
            return now;
        }
    }

    /**
     * Reads where the pages of a slab lie once more, before it is in the table and audited.
     *
     * @return each page that has moved; the caller calls {@link #notifyDrifts} once the slab is in
     *     the table
     */
    List<Drift> resolveAgain(FrameSlab slab) {
        if (slab.translation().isHidden()) {
            return List.of();
        }
        try (Arena scratch = Arena.ofConfined()) {
            Audit audit = new Audit(slab, new ProcessView(scratch, List.of(slab)));
            audit.compare();
            boolean learned = !audit.now.isHidden() || audit.now.isTemporarilyUnreadable();
            if (audit.now != slab.translation() && learned) {
                slab.retranslate(audit.now); // also to unread: what was known may have moved
            }
            return audit.drifts;
        }
    }

    /** Notifies listeners of pages that have moved. */
    void notifyDrifts(List<Drift> drifts) {
        drifts.forEach(drift -> FrameListener.notify(listener.drifted(), drift));
    }

    /** One at a time, so that each drift and each loss is found once. */
    private synchronized Verification audit(List<FrameSlab> slabs, List<LostGuarantee> lostNow) {
        long checked = 0;
        List<Drift> drifts = new ArrayList<>();
        List<LostGuarantee> lost = new ArrayList<>();
        Optional<String> unverifiable = Optional.empty();
        try (Arena scratch = Arena.ofConfined()) {
            ProcessView process = new ProcessView(scratch, slabs);
            for (FrameSlab slab : slabs) {
                try {
                    Audit audit = new Audit(slab, process);
                    audit.run();
                    if (isPresent(slab)) {
                        checked += audit.compared;
                        drifts.addAll(audit.drifts);
                        for (LostGuarantee one : audit.lost) {
                            lostNow.add(one);
                            slab.recordLost(one);
                        }
                        lost.addAll(slab.lost());
                        if (audit.now != slab.translation() && !audit.now.isHidden()) {
                            retranslate(slab, audit.now);
                        }
                        if (audit.unverifiable != null && unverifiable.isEmpty()) {
                            unverifiable = Optional.of(audit.unverifiable);
                        }
                    }
                } catch (OutOfMemoryError e) {
                    unverifiable = HEAP_EXHAUSTED;
                }
            }
            if (checked == 0 && unverifiable.isEmpty()) {
                unverifiable = reasonFramesAreHidden(process.callState);
            }
        }
        return new Verification(checked, drifts, lost, unverifiable);
    }

    /** Without a page of its own to look at: whether this process may see frames at all. */
    private Optional<String> reasonFramesAreHidden(MemorySegment callState) {
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment byteOfAPage = scratch.allocate(1); // written, so the page is present
            long address = Alignment.down(byteOfAPage.address(), os.pageBytes());
            Translation frame = pages.resolve(address, os.pageBytes(), true, callState);
            return frame.isHidden()
                    ? Optional.of(frame.unknown(0, address).getMessage())
                    : Optional.empty();
        }
    }

    /** Pages of the pool, of the kernel and of files are not marked as the process's alone. */
    private static boolean mayBeShared(FrameSlab slab) {
        return slab.use() instanceof FrameSlab.Use.Adopted adopted
                ? adopted.isShared()
                : isNeverSwapped(slab);
    }

    /** A slab leaves the table before its pages go, so what was found was of its own. */
    private boolean isPresent(FrameSlab slab) {
        return slab.use() instanceof FrameSlab.Use.Adopted adopted
                ? !adopted.hasEnded()
                : table.find(slab.address()) == slab;
    }

    private void retranslate(FrameSlab slab, Translation found) {
        if (slab.use() instanceof FrameSlab.Use.Adopted) {
            slab.retranslate(found);
        } else {
            table.retranslate(slab, found);
        }
    }

    private static boolean isNeverSwapped(FrameSlab slab) {
        return slab.provenance().backing() != Backing.BASE_PAGES
                && slab.provenance().backing() != Backing.TRANSPARENT_HUGE;
    }

    /** The facts that are read once per process, and only if a slab needs them; and the buffers. */
    private final class ProcessView {

        private final MemorySegment callState;
        private final Piece piece;
        private @Nullable LockedMappings locked;
        private @Nullable IntPredicate held;

        private ProcessView(Arena arena, List<FrameSlab> slabs) {
            this.callState = arena.allocate(CallState.LAYOUT);
            long bytes = 0;
            for (FrameSlab slab : slabs) {
                bytes = Math.max(bytes, slab.bytes());
            }
            this.piece = new Piece(arena, (int) Math.min(PIECE_PAGES, bytes / os.pageBytes()));
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
     * The kernel's report on some pages of a slab at one moment. Audits go piece by piece through
     * these buffers, so that the Java heap they need does not depend on the memory they audit.
     */
    private final class Piece {

        private final long[] entries;
        private final long[] frames;
        private final long[] flags;
        private final long[] counts;
        private final MemorySegment buffer;

        /** Pages without a frame, or with one that is not their own. */
        private BitSet wrong = new BitSet();

        private BitSet wrongBefore = new BitSet();

        /** Whether the records of frames were read, of every page that has one. */
        private boolean hasRecords;

        private boolean mayBeShared;

        private Piece(Arena arena, int pages) {
            this.entries = new long[pages];
            this.frames = new long[pages];
            this.flags = new long[pages];
            this.counts = new long[pages];
            this.buffer = arena.allocate(ValueLayout.JAVA_LONG, pages);
        }

        /** Reads pages until what is wrong has been so several times, or nothing is. */
        private void settle(FrameSlab slab, int first, int count, MemorySegment callState)
                throws Refusal {
            read(slab, first, count, callState);
            int sightings = 1;
            for (int looks = 1;
                    looks < MOST_LOOKS && sightings < SIGHTINGS && !wrong.isEmpty();
                    looks++) {
                Thread.yield();
                BitSet last = wrong;
                wrong = wrongBefore;
                wrongBefore = last;
                read(slab, first, count, callState);
                sightings = hasNewFindings() ? 1 : sightings + 1;
            }
        }

        private boolean hasNewFindings() {
            for (int i = wrong.nextSetBit(0); i >= 0; i = wrong.nextSetBit(i + 1)) {
                if (!wrongBefore.get(i)) {
                    return true;
                }
            }
            return false;
        }

        private void read(FrameSlab slab, int first, int count, MemorySegment callState)
                throws Refusal {
            long address = slab.address() + first * os.pageBytes();
            pages.read(address, entries, count, buffer, callState);
            wrong.clear();
            hasRecords = false;
            mayBeShared = mayBeShared(slab);
            int known = 0;
            for (int i = 0; i < count; i++) {
                if (PageMapEntry.isOwn(entries[i], mayBeShared)) {
                    frames[known++] = entries[i] & PageMapEntry.FRAME_MASK;
                } else {
                    wrong.set(i);
                }
            }
            if (known == 0) {
                return;
            }
            try {
                os.readFrameFlagsOf(frames, known, buffer, callState);
                BulkMemory.copy(buffer, ValueLayout.JAVA_LONG, 0, flags, known);
                os.readFrameCountsOf(frames, known, buffer, callState);
                BulkMemory.copy(buffer, ValueLayout.JAVA_LONG, 0, counts, known);
            } catch (Refusal unreadable) {
                return; // the page map alone has to do
            }
            hasRecords = true;
            for (int i = count - 1; i >= 0; i--) { // from ranks to pages, in place
                if (!wrong.get(i)) {
                    known--;
                    flags[i] = flags[known];
                    counts[i] = counts[known];
                    if (ForeignFrame.isForeign(flags[i], counts[i], !mayBeShared)) {
                        wrong.set(i);
                    }
                }
            }
        }

        /** Whether the page's frame is not its own by its record. */
        private boolean isForeign(int page) {
            return wrong.get(page) && PageMapEntry.isOwn(entries[page], mayBeShared);
        }
    }

    /** The audit of one slab. */
    private final class Audit {

        private final FrameSlab slab;
        private final ProcessView process;
        private final Translation before;
        private final List<Drift> drifts = new ArrayList<>();
        private final List<LostGuarantee> lost = new ArrayList<>();

        /** What it was compared with, where nothing has changed. */
        private Translation now;

        private long compared;
        private @Nullable String unverifiable;

        /** Whether the records say of every frame that it is locked, and that it is huge. */
        private boolean everyFrameIsLocked = true;

        private boolean everyFrameIsHuge = true;

        /** The run of pages that the last one asked about was in. */
        private int runStart;

        private int runEnd;
        private long runAddress;

        private Audit(FrameSlab slab, ProcessView process) {
            this.slab = slab;
            this.process = process;
            this.before = readAgain(slab);
            this.now = before;
        }

        private void run() {
            if (before.isHidden()) {
                unverifiable = before.unknown(0, slab.address()).getMessage();
                now = resolved();
            } else {
                compare();
            }
            if (now.isHidden()) {
                everyFrameIsLocked = false;
                everyFrameIsHuge = false;
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

        private Translation resolved() {
            boolean shared = mayBeShared(slab);
            return pages.resolve(slab.address(), slab.bytes(), shared, process.callState);
        }

        /** Reads all pages; a translation is made only of a slab that has changed. */
        private void compare() {
            Translation.Builder changed = null;
            Piece piece = process.piece;
            int all = before.pages();
            for (int first = 0; first < all; first += piece.entries.length) {
                int count = Math.min(piece.entries.length, all - first);
                try {
                    piece.settle(slab, first, count, process.callState);
                } catch (Refusal e) {
                    recordHidden(Translation.unreadable(e, all, os.pageBytes()), first);
                    return;
                }
                for (int i = 0; i < count; i++) {
                    if (PageMapEntry.isHidden(piece.entries[i])) {
                        long[] entry = {piece.entries[i]};
                        recordHidden(Translation.of(entry, false, os.pageBytes()), first + i);
                        return;
                    }
                    changed = compare(piece, first, i, changed);
                }
            }
            compared = all;
            if (changed != null) {
                now = changed.build();
            }
        }

        /** Nothing is compared if a page is hidden. */
        private void recordHidden(Translation hidden, int page) {
            drifts.clear();
            now = hidden;
            unverifiable = hidden.unknown(0, addressOf(page)).getMessage();
        }

        /** Returns the former address of a page; callers ask in ascending order. */
        private long formerAddress(int page) {
            if (page >= runEnd) {
                runStart = page;
                runEnd = before.endOfRun(page);
                runAddress = before.pageAddress(page);
            }
            return runAddress == Translation.UNKNOWN
                    ? Translation.UNKNOWN
                    : runAddress + (page - runStart) * os.pageBytes();
        }

        /** A page without a frame of its own is a drift for as long as that is so. */
        private Translation.@Nullable Builder compare(
                Piece piece, int first, int i, Translation.@Nullable Builder changed) {
            int page = first + i;
            boolean wrong = piece.wrong.get(i);
            long flags = wrong || !piece.hasRecords ? 0 : piece.flags[i];
            everyFrameIsLocked &= (flags & LOCKED) != 0;
            everyFrameIsHuge &= (flags & HUGE) != 0;
            long entry = piece.entries[i];
            long found =
                    wrong
                            ? Translation.UNKNOWN
                            : (entry & PageMapEntry.FRAME_MASK) * os.pageBytes();
            long formerAddress = formerAddress(page);
            Translation.Builder builder = changed;
            if (wrong || found != formerAddress) {
                if (builder == null) {
                    builder = new Translation.Builder(mayBeShared(slab), os.pageBytes());
                    builder.add(before, page);
                }
            }
            if (piece.isForeign(i)) {
                ForeignFrame frame = new ForeignFrame(piece.flags[i], piece.counts[i]);
                drifts.add(drift(page, formerAddress, found, frame.finding()));
                builder.add(entry, frame);
                return builder;
            }
            if (wrong || found != formerAddress) {
                drifts.add(
                        drift(
                                page,
                                formerAddress,
                                found,
                                finding(page, entry, formerAddress, wrong)));
            }
            if (builder != null) {
                builder.add(entry);
            }
            return builder;
        }

        private String finding(int page, long entry, long formerAddress, boolean wrong) {
            if (wrong) {
                return PageMapEntry.absenceOf(entry, addressOf(page)).getMessage();
            }
            return formerAddress == Translation.UNKNOWN
                    ? "the page has a frame now, and had none that was known"
                    : "the page was moved to another frame";
        }

        private Drift drift(int page, long formerAddress, long found, String finding) {
            boolean pinned = slab.guarantees().contains(Guarantee.PINNED);
            return new Drift(
                    addressOf(page), physical(formerAddress), physical(found), pinned, finding);
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

        private void recordLost(Guarantee guarantee, long address, long bytes, String finding) {
            lost.add(new LostGuarantee(guarantee, address, bytes / os.pageBytes(), finding));
        }

        /**
         * The flag of the frame proves a lock. Its absence proves nothing: of a huge page that is
         * mapped in part the kernel locks the mapping alone, so that is asked then.
         */
        private void checkLocked() throws Refusal {
            if (isNeverSwapped(slab) || everyFrameIsLocked) {
                return;
            }
            long end = slab.address() + slab.bytes();
            LockedMappings locked = process.locked();
            long first = locked.firstOutside(slab.address(), end);
            if (first < end) {
                recordLost(
                        Guarantee.LOCKED,
                        first,
                        locked.bytesOutside(slab.address(), end),
                        "the mapping is no longer locked: munlock(2), munlockall(2) or a new"
                                + " mapping in its place");
            }
        }

        private void checkHuge() throws Refusal {
            long huge = 0;
            for (int sighting = 0; sighting < SIGHTINGS && huge < slab.bytes(); sighting++) {
                try {
                    huge = os.hugeBytes(slab.address(), slab.bytes(), process.callState);
                } catch (Refusal.NotSupported e) {
                    if (everyFrameIsHuge) {
                        return; // a kernel before 6.7
                    }
                    throw e;
                }
            }
            if (huge < slab.bytes()) {
                recordLost(
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
                recordLost(
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
                recordLost(
                        Guarantee.PINNED,
                        slab.address(),
                        slab.bytes(),
                        slab.provenance().pin().map(one -> one + " ended: ").orElse("")
                                + "it was closed or emptied by other code of the process");
            }
        }

        /** A single page is always contiguous. */
        private void checkContiguous() throws Refusal {
            if (slab.bytes() <= os.pageBytes()) {
                return;
            }
            if (!now.isHidden()) {
                if (!now.isContiguous(0, slab.bytes())) {
                    int together = now.firstUnknown(0, 1) == 0 ? 0 : now.endOfRun(0);
                    recordLost(
                            Guarantee.CONTIGUOUS,
                            addressOf(together),
                            slab.bytes() - together * os.pageBytes(),
                            String.format(
                                    Locale.ROOT,
                                    "pages were moved or merged: the longest run is of %d of %d"
                                            + " bytes",
                                    now.longestRunBytes(),
                                    slab.bytes()));
                }
            } else if (!isOneHugePage()) {
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
