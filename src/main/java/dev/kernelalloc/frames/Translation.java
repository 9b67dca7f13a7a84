package dev.kernelalloc.frames;

import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.PhysicalAddress;
import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.physical.PhysicalAddressException.Reason;
import dev.kernelalloc.physical.PhysicalExtent;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * The physical addresses of the pages of a slab when they were resolved, and the runs of adjoining
 * pages. It never changes; a slab whose pages have moved gets another.
 */
final class Translation {

    /** Instead of an address: it is not known. Negative still where an offset is added to it. */
    static final long UNKNOWN = Long.MIN_VALUE;

    /** Why addresses are unknown. */
    private sealed interface Source {

        /** None is. */
        record Nothing() implements Source {}

        /** The page map was read: these are its entries. */
        record Entries(long[] values) implements Source {}

        /** Some frames that the page map shows are not their pages' own. */
        record Foreign(Map<Integer, ForeignFrame> frames, Source others) implements Source {}

        /** It could not be read. */
        record Unreadable(Refusal why) implements Source {}
    }

    private final long pageBytes;

    /** The address of each page. */
    private final long[] addresses;

    private final Source source;

    /** The pages at which runs begin, ascending, and behind them the number of pages. */
    private final int[] runs;

    private Translation(long pageBytes, long[] addresses, Source source) {
        this.pageBytes = pageBytes;
        this.addresses = addresses;
        this.source = source;
        this.runs = runs(addresses, pageBytes);
    }

    /**
     * Translates entries of the page map.
     *
     * @param entries the entries, one per page
     * @param mayBeShared whether the kernel does not mark pages of this kind as exclusive
     */
    static Translation of(long[] entries, boolean mayBeShared, long pageBytes) {
        long[] addresses = new long[entries.length];
        boolean known = true;
        for (int i = 0; i < entries.length; i++) {
            boolean own = PageMapEntry.isOwn(entries[i], mayBeShared);
            addresses[i] = own ? (entries[i] & PageMapEntry.FRAME_MASK) * pageBytes : UNKNOWN;
            known &= own;
        }
        return new Translation(
                pageBytes, addresses, known ? new Source.Nothing() : new Source.Entries(entries));
    }

    /**
     * The same without the addresses of some pages.
     *
     * @param foreign by page, the frames that are not theirs
     */
    Translation without(Map<Integer, ForeignFrame> foreign) {
        long[] own = addresses.clone();
        foreign.keySet().forEach(page -> own[page] = UNKNOWN);
        return new Translation(pageBytes, own, new Source.Foreign(Map.copyOf(foreign), source));
    }

    /** Nothing is known of any page. */
    static Translation unreadable(Refusal why, int pages, long pageBytes) {
        long[] addresses = new long[pages];
        Arrays.fill(addresses, UNKNOWN);
        return new Translation(pageBytes, addresses, new Source.Unreadable(why));
    }

    /** A page without an address adjoins neither neighbour. */
    private static int[] runs(long[] addresses, long pageBytes) {
        int[] starts = new int[addresses.length + 1];
        int count = 0;
        long next = 0;
        for (int i = 0; i < addresses.length; i++) {
            if (i == 0 || addresses[i] != next) {
                starts[count++] = i;
            }
            next = addresses[i] + pageBytes;
        }
        starts[count] = addresses.length;
        return Arrays.copyOf(starts, count + 1);
    }

    /** How many pages there are. */
    int pages() {
        return addresses.length;
    }

    /** Returns the address of each page, or {@link #UNKNOWN}; the caller may change the array. */
    long[] addresses() {
        return addresses.clone();
    }

    /** Returns the address of a page, or {@link #UNKNOWN}. */
    long pageAddress(int page) {
        return addresses[page];
    }

    /** Returns the address of the byte at an offset, or {@link #UNKNOWN}. */
    long addressOf(long offset) {
        long page = addresses[(int) (offset / pageBytes)];
        return page == UNKNOWN ? UNKNOWN : page + (offset & pageBytes - 1);
    }

    /** Whether every page has an address. */
    boolean isKnown() {
        return source instanceof Source.Nothing;
    }

    /** The refusal to show the page map at all, or frames in it. */
    boolean isHidden() {
        return switch (source) {
            case Source.Nothing _, Source.Foreign _ -> false; // frames were seen
            case Source.Unreadable _ -> true;
            case Source.Entries(long[] values) ->
                    Arrays.stream(values)
                            .anyMatch(
                                    entry ->
                                            (entry & PageMapEntry.PRESENT) != 0
                                                    && (entry & PageMapEntry.FRAME_MASK) == 0);
        };
    }

    /** Whether the page map was unreadable for a transient reason. */
    boolean isUnreadForTheMoment() {
        return source instanceof Source.Unreadable(Refusal why) && why instanceof Refusal.Shortage;
    }

    /** Returns that reason. */
    Refusal whyUnread() {
        return switch (source) {
            case Source.Unreadable(Refusal why) -> why.saying(why.getMessage());
            case Source.Nothing _, Source.Entries _, Source.Foreign _ ->
                    throw new IllegalStateException("the page map was read");
        };
    }

    /** Returns whether the system never shows the frames of pages. */
    boolean isShownToNobody() {
        return source instanceof Source.Unreadable(Refusal why)
                && why instanceof Refusal.NotSupported;
    }

    /** Why a page has no address. */
    PhysicalAddressException unknown(int page, long virtualAddress) {
        return unknown(source, page, virtualAddress);
    }

    private static PhysicalAddressException unknown(Source source, int page, long virtualAddress) {
        return switch (source) {
            case Source.Nothing _ ->
                    throw new IllegalArgumentException(
                            String.format(
                                    Locale.ROOT,
                                    "page %d at 0x%x has an address",
                                    page,
                                    virtualAddress));
            case Source.Unreadable(Refusal why) -> absent(why);
            case Source.Foreign(Map<Integer, ForeignFrame> frames, Source others) -> {
                ForeignFrame frame = frames.get(page);
                yield frame == null
                        ? unknown(others, page, virtualAddress)
                        : frame.whyAbsent(virtualAddress);
            }
            case Source.Entries(long[] values) ->
                    PageMapEntry.whyAbsent(values[page], virtualAddress);
        };
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
        return addresses[runs[run]] != UNKNOWN && offset + bytes <= runs[run + 1] * pageBytes;
    }

    /** Returns the page behind the run of a page. */
    int endOfRun(int page) {
        return runs[runOf(page) + 1];
    }

    /** The most bytes that lie side by side. */
    long longestRunBytes() {
        long longest = 0;
        for (int i = 0; i + 1 < runs.length; i++) {
            if (addresses[runs[i]] != UNKNOWN) {
                longest = Math.max(longest, runs[i + 1] - runs[i]);
            }
        }
        return longest * pageBytes;
    }

    /** The offset of the byte at a physical address, or -1: a search through all runs. */
    long offsetOf(long physical) {
        for (int i = 0; i + 1 < runs.length; i++) {
            long start = addresses[runs[i]];
            long length = (runs[i + 1] - runs[i]) * pageBytes;
            if (start != UNKNOWN && physical >= start && physical - start < length) {
                return runs[i] * pageBytes + (physical - start);
            }
        }
        return -1;
    }

    /**
     * The runs of a range, split so that none is longer than {@code longest} or crosses a multiple
     * of {@code boundary}.
     *
     * @param offset of the range, all of whose pages have addresses
     * @param boundary a power of two, or 0
     */
    List<PhysicalExtent> extents(
            long offset, long bytes, long longest, long boundary, PhysicalAddress.Scope scope) {
        List<PhysicalExtent> extents = new ArrayList<>();
        long end = offset + bytes;
        int run = runOf((int) (offset / pageBytes));
        for (long from = offset; from < end; run++) {
            long to = Math.min(end, runs[run + 1] * pageBytes);
            split(addressOf(from), to - from, longest, boundary, scope, extents);
            from = to;
        }
        return extents;
    }

    private static void split(
            long start,
            long bytes,
            long longest,
            long boundary,
            PhysicalAddress.Scope scope,
            List<PhysicalExtent> extents) {
        long at = start;
        long left = bytes;
        while (left > 0) {
            long length = Math.min(left, longest);
            if (boundary != 0) {
                length = Math.min(length, boundary - (at & boundary - 1));
            }
            extents.add(new PhysicalExtent(new PhysicalAddress(at, scope), length));
            at += length;
            left -= length;
        }
    }

    private int runOf(int page) {
        int found = Arrays.binarySearch(runs, page);
        return found >= 0 ? found : -found - 2;
    }
}
