package dev.kernelalloc.frames;

import dev.kernelalloc.bulk.Alignment;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.ExtentVisitor;
import dev.kernelalloc.physical.PhysicalAddress;
import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.physical.PhysicalAddressException.Reason;
import dev.kernelalloc.physical.PhysicalExtent;

import org.jspecify.annotations.Nullable;

import java.util.AbstractList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.RandomAccess;

/**
 * The physical addresses of the pages of a slab when they were resolved, as runs of adjoining
 * pages: few for huge pages, whatever the size of the slab. It never changes; a slab whose pages
 * have moved gets another.
 */
public final class Translation {

    /** Instead of an address: it is not known. Negative still where an offset is added to it. */
    static final long UNKNOWN = Long.MIN_VALUE;

    private final long pageBytes;

    /** The pages at which runs begin, ascending, and behind them the number of pages. */
    private final int[] starts;

    /** The address of the first page of each run, or {@link #UNKNOWN} for all its pages. */
    private final long[] addresses;

    /** The page map's entry of the pages of each run without addresses; none if all are known. */
    private final long[] entries;

    /** Pages whose frames, as the page map shows them, are not their own. */
    private final Map<Integer, ForeignFrame> foreign;

    /** Why the page map could not be read; null if it was. */
    private final @Nullable Refusal unreadable;

    private final boolean known;
    private final boolean hidden;

    private Translation(
            long pageBytes,
            int[] starts,
            long[] addresses,
            long[] entries,
            Map<Integer, ForeignFrame> foreign,
            @Nullable Refusal unreadable) {
        this.pageBytes = pageBytes;
        this.starts = starts;
        this.addresses = addresses;
        this.entries = entries;
        this.foreign = foreign;
        this.unreadable = unreadable;
        this.known = entries.length == 0;
        this.hidden = unreadable != null || Arrays.stream(entries).anyMatch(PageMapEntry::isHidden);
    }

    /**
     * Translates entries of the page map.
     *
     * @param entries the entries, one per page
     * @param mayBeShared whether the kernel does not mark pages of this kind as exclusive
     */
    static Translation of(long[] entries, boolean mayBeShared, long pageBytes) {
        Builder builder = new Builder(mayBeShared, pageBytes);
        builder.add(entries, entries.length);
        return builder.build();
    }

    /** Nothing is known of any page. */
    static Translation unreadable(Refusal why, int pages, long pageBytes) {
        return new Translation(
                pageBytes, new int[] {0, pages}, new long[] {UNKNOWN}, new long[1], Map.of(), why);
    }

    /** Collects pages in their order, so that no array of the size of the slab is needed. */
    static final class Builder {

        private final boolean mayBeShared;
        private final long pageBytes;
        private int[] starts = new int[8];
        private long[] addresses = new long[8];
        private long[] entries = new long[8];
        private final Map<Integer, ForeignFrame> foreign = new HashMap<>();
        private int runs;
        private int pages;

        /** The address that continues the last run. */
        private long next = UNKNOWN;

        /**
         * Begins with no page.
         *
         * @param mayBeShared whether the kernel does not mark pages of this kind as exclusive
         */
        Builder(boolean mayBeShared, long pageBytes) {
            this.mayBeShared = mayBeShared;
            this.pageBytes = pageBytes;
        }

        /** Adds the pages of the first of some entries of the page map. */
        void add(long[] read, int count) {
            for (int i = 0; i < count; i++) {
                add(read[i]);
            }
        }

        /** Adds a page by its entry. */
        void add(long entry) {
            if (PageMapEntry.isOwn(entry, mayBeShared)) {
                long address = (entry & PageMapEntry.FRAME_MASK) * pageBytes;
                if (address != next) {
                    begin(address, 0);
                }
                next = address + pageBytes;
            } else {
                addUnknown(entry);
            }
            pages++;
        }

        /** Adds a page whose frame is not its own. */
        void add(long entry, ForeignFrame frame) {
            foreign.put(pages, frame);
            addUnknown(entry);
            pages++;
        }

        /** Adds the first pages of another translation. */
        void add(Translation other, int count) {
            for (int run = 0; run + 1 < other.starts.length && other.starts[run] < count; run++) {
                begin(other.addresses[run], other.known ? 0 : other.entries[run]);
                pages = Math.min(count, other.starts[run + 1]);
                long bytes = (pages - other.starts[run]) * pageBytes;
                next = other.addresses[run] == UNKNOWN ? UNKNOWN : other.addresses[run] + bytes;
            }
            other.foreign.forEach(
                    (page, frame) -> {
                        if (page < count) {
                            foreign.put(page, frame);
                        }
                    });
        }

        private void addUnknown(long entry) {
            if (runs == 0 || addresses[runs - 1] != UNKNOWN || entries[runs - 1] != entry) {
                begin(UNKNOWN, entry);
            }
            next = UNKNOWN;
        }

        private void begin(long address, long entry) {
            if (runs == addresses.length) {
                starts = Arrays.copyOf(starts, 2 * runs);
                addresses = Arrays.copyOf(addresses, 2 * runs);
                entries = Arrays.copyOf(entries, 2 * runs);
            }
            starts[runs] = pages;
            addresses[runs] = address;
            entries[runs] = entry;
            runs++;
        }

        Translation build() {
            int[] ends = Arrays.copyOf(starts, runs + 1);
            ends[runs] = pages;
            long[] found = Arrays.copyOf(addresses, runs);
            boolean known = Arrays.stream(found).allMatch(one -> one != UNKNOWN);
            return new Translation(
                    pageBytes,
                    ends,
                    found,
                    known ? new long[0] : Arrays.copyOf(entries, runs),
                    Map.copyOf(foreign),
                    null);
        }
    }

    /** How many pages there are. */
    int pages() {
        return starts[starts.length - 1];
    }

    /** Returns the address of a page, or {@link #UNKNOWN}. */
    long pageAddress(int page) {
        int run = runOf(page);
        return addresses[run] == UNKNOWN
                ? UNKNOWN
                : addresses[run] + (page - starts[run]) * pageBytes;
    }

    /** Returns the address of the byte at an offset, or {@link #UNKNOWN}. */
    long addressOf(long offset) {
        long page = pageAddress((int) (offset / pageBytes));
        return page == UNKNOWN ? UNKNOWN : page + (offset & pageBytes - 1);
    }

    /**
     * Returns the address of each unit of pages; {@link #UNKNOWN} for one that is not physically
     * contiguous at a multiple of its size.
     */
    long[] addressesOfUnits(long unitBytes) {
        int perUnit = (int) (unitBytes / pageBytes);
        long[] units = new long[Math.ceilDiv(pages(), perUnit)];
        int run = 0;
        for (int i = 0; i < units.length; i++) {
            int page = i * perUnit;
            while (starts[run + 1] <= page) {
                run++;
            }
            int end = Math.min(pages(), page + perUnit);
            long address = addresses[run] + (page - starts[run]) * pageBytes;
            boolean whole = end <= starts[run + 1] && Alignment.isAligned(address, unitBytes);
            units[i] = whole && addresses[run] != UNKNOWN ? address : UNKNOWN;
        }
        return units;
    }

    /** Returns whether each unit of pages is physically contiguous at a multiple of its size. */
    boolean consistsOf(long unitBytes) {
        long mask = unitBytes - 1;
        for (int run = 0; run < addresses.length; run++) {
            long end = starts[run + 1] * pageBytes;
            if (addresses[run] == UNKNOWN || (addresses[run] & mask) != 0 || (end & mask) != 0) {
                return false;
            }
        }
        return true;
    }

    /** Whether every page has an address. */
    public boolean isKnown() {
        return known;
    }

    /** The refusal to show the page map at all, or frames in it. */
    boolean isHidden() {
        return hidden;
    }

    /** Whether the page map was unreadable for a transient reason. */
    boolean isTemporarilyUnreadable() {
        return unreadable instanceof Refusal.Shortage;
    }

    /** Returns that reason. */
    Refusal unreadableRefusal() {
        if (unreadable == null) {
            throw new IllegalStateException("the page map was read");
        }
        return unreadable.withMessage(unreadable.getMessage());
    }

    /** Returns whether the system never shows the frames of pages. */
    boolean isNeverShown() {
        return unreadable instanceof Refusal.NotSupported;
    }

    /** Why a page has no address. */
    PhysicalAddressException unknown(int page, long virtualAddress) {
        if (unreadable != null) {
            return absent(unreadable);
        }
        int run = runOf(page);
        if (addresses[run] != UNKNOWN) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT, "page %d at 0x%x has an address", page, virtualAddress));
        }
        ForeignFrame frame = foreign.get(page);
        return frame == null
                ? PageMapEntry.absenceOf(entries[run], virtualAddress)
                : frame.absenceOf(virtualAddress);
    }

    /** Converts a refused page map to the exception of a request for an address. */
    static PhysicalAddressException absent(Refusal why) {
        Reason reason =
                switch (why) {
                    case Refusal.NotSupported _ -> Reason.NOT_SUPPORTED;
                    case Refusal.NotPermitted _ -> Reason.HIDDEN;
                    default -> Reason.UNREADABLE;
                };
        return new PhysicalAddressException(reason, "no physical address: " + why.getMessage());
    }

    /** Whether those bytes are known to lie side by side. */
    boolean isContiguous(long offset, long bytes) {
        int run = runOf((int) (offset / pageBytes));
        return addresses[run] != UNKNOWN && offset + bytes <= starts[run + 1] * pageBytes;
    }

    /** Returns the page behind the run of a page. */
    int endOfRun(int page) {
        return starts[runOf(page) + 1];
    }

    /** The most bytes that lie side by side. */
    long longestRunBytes() {
        long longest = 0;
        for (int run = 0; run < addresses.length; run++) {
            if (addresses[run] != UNKNOWN) {
                longest = Math.max(longest, starts[run + 1] - starts[run]);
            }
        }
        return longest * pageBytes;
    }

    /** Returns the first page of a range that has no address; -1 if all have one. */
    int firstUnknown(int from, int to) {
        for (int run = runOf(from); run < addresses.length && starts[run] < to; run++) {
            if (addresses[run] == UNKNOWN) {
                return Math.max(from, starts[run]);
            }
        }
        return -1;
    }

    /**
     * Visits the runs of a range, split so that none is longer than {@code longest} or crosses a
     * multiple of {@code boundary}.
     *
     * @param offset of the range, all of whose pages have addresses
     * @param boundary a power of two, or 0
     */
    void extents(long offset, long bytes, long longest, long boundary, ExtentVisitor visitor) {
        long end = offset + bytes;
        int run = runOf((int) (offset / pageBytes));
        for (long from = offset; from < end; run++) {
            long to = Math.min(end, starts[run + 1] * pageBytes);
            long start = addresses[run] + (from - starts[run] * pageBytes);
            split(start, to - from, longest, boundary, visitor);
            from = to;
        }
    }

    /** Returns the runs of all pages, each made when it is asked for; none if a page is unknown. */
    List<PhysicalExtent> extents(PhysicalAddress.Scope scope) {
        return known ? new Runs(this, scope) : List.of();
    }

    private static final class Runs extends AbstractList<PhysicalExtent> implements RandomAccess {

        private final Translation all;
        private final PhysicalAddress.Scope scope;

        Runs(Translation all, PhysicalAddress.Scope scope) {
            this.all = all;
            this.scope = scope;
        }

        @Override
        public PhysicalExtent get(int run) {
            int pages = all.starts[run + 1] - all.starts[run];
            return new PhysicalExtent(
                    new PhysicalAddress(all.addresses[run], scope), pages * all.pageBytes);
        }

        @Override
        public int size() {
            return all.addresses.length;
        }
    }

    private static void split(
            long start, long bytes, long longest, long boundary, ExtentVisitor visitor) {
        long at = start;
        long left = bytes;
        while (left > 0) {
            long length = Math.min(left, longest);
            if (boundary != 0) {
                length = Math.min(length, boundary - (at & boundary - 1));
            }
            visitor.visit(at, length);
            at += length;
            left -= length;
        }
    }

    private int runOf(int page) {
        int found = Arrays.binarySearch(starts, page);
        return found >= 0 ? found : -found - 2;
    }
}
