package dev.kernelalloc.frames;

import org.jspecify.annotations.Nullable;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.function.Consumer;

/**
 * Maps an address to its slab, and one in a huge page to its physical address.
 *
 * <p>The address space is divided into windows of 2 MiB. Slabs begin at multiples of that, so that
 * two loads find the one of an address. Small blocks by request share windows: a third load finds
 * theirs by its page. Slabs at other addresses are found by a search. A window that is a huge page
 * has its physical address in a table of the same shape, so that a translation takes three loads
 * and 8 bytes for each huge page: what SPDK's memory map does.
 *
 * <p><b>Concurrency.</b> Changes hold the lock; look-ups do not. Their loads are plain: a slab is
 * entered before any of its blocks is published, and the hand-over of a block to another thread
 * orders the rest. A thread that synchronizes with a listener of drifts sees the new address. An
 * opaque load would keep HotSpot from moving the loads before it out of a loop: 3.1 ns instead of
 * 1.7. A slab that has been removed is never entered again.
 */
final class FrameTable {

    private static final int WINDOW_BITS = Long.numberOfTrailingZeros(Pages.HUGE_BYTES);
    private static final int LEAF_BITS = 14;
    private static final int DIRECTORY_BITS = 13;
    private static final int LEAF_MASK = (1 << LEAF_BITS) - 1;
    private static final int DIRECTORY_MASK = (1 << DIRECTORY_BITS) - 1;

    private static final VarHandle SLABS = MethodHandles.arrayElementVarHandle(FrameSlab[][].class);
    private static final VarHandle SLAB = MethodHandles.arrayElementVarHandle(FrameSlab[].class);
    private static final VarHandle SMALL =
            MethodHandles.arrayElementVarHandle(FrameSlab[][][].class);
    private static final VarHandle ADDRESSES = MethodHandles.arrayElementVarHandle(long[][].class);
    private static final VarHandle ADDRESS = MethodHandles.arrayElementVarHandle(long[].class);

    private final @Nullable FrameSlab[][] slabs = new FrameSlab[1 << DIRECTORY_BITS][];

    /** The small slab of each page, for each window. */
    private final @Nullable FrameSlab[][][] small = new FrameSlab[1 << DIRECTORY_BITS][][];

    private final int pageShift;

    /** The physical address of each window that is a huge page, else 0 or less. */
    private final long[] @Nullable [] addresses = new long[1 << DIRECTORY_BITS][];

    private final ConcurrentSkipListMap<Long, FrameSlab> all = new ConcurrentSkipListMap<>();
    private final ReverseTable reverse;

    /** Whether the page map of a slab may have been unreadable for the moment. */
    private volatile boolean unread;

    FrameTable(long pageBytes) {
        this.pageShift = Long.numberOfTrailingZeros(pageBytes);
        this.reverse = new ReverseTable(pageBytes);
    }

    /** The slab of an address, or null. */
    @Nullable FrameSlab find(long address) {
        return find(address, 1);
    }

    /** The slab that all those bytes, at least 1, lie in; or null. */
    @Nullable FrameSlab find(long address, long bytes) {
        FrameSlab slab = atWindow(address >>> WINDOW_BITS);
        if (slab == null) {
            slab = atPage(address);
        }
        return slab != null && slab.covers(address, bytes) ? slab : search(address, bytes);
    }

    /**
     * Returns the physical address of bytes that one huge page holds; 0 or less if they are not all
     * in one, or this is not known here.
     */
    long addressInHugePage(long address, long bytes) {
        long index = address >>> WINDOW_BITS + LEAF_BITS;
        if (index >= 1 << DIRECTORY_BITS) {
            return 0;
        }
        long[] leaf = addresses[(int) index];
        if (leaf == null) {
            return 0;
        }
        long offset = address & Pages.HUGE_BYTES - 1;
        long start = leaf[(int) (address >>> WINDOW_BITS) & LEAF_MASK];
        return start > 0 && bytes <= Pages.HUGE_BYTES - offset ? start + offset : 0;
    }

    /**
     * The virtual address of the byte at a physical one.
     *
     * @param readAgain resolves a slab whose page map was unreadable for the moment
     */
    OptionalLong addressAt(long physical, Consumer<FrameSlab> readAgain) {
        long found = reverse.find(physical, all.values());
        if (found == 0 && unread) {
            unread = false; // before the look: a slab that is added meanwhile sets it again
            for (FrameSlab slab : all.values()) {
                readAgain.accept(slab);
                noteIfUnread(slab);
            }
            found = reverse.find(physical, all.values());
        }
        return found == 0 ? OptionalLong.empty() : OptionalLong.of(found);
    }

    /**
     * Returns the slab of a window, or another: masks are cheaper than a check, which the caller
     * makes. For a foreign address the result may be the slab or null; its extent, which decides,
     * is final.
     */
    private @Nullable FrameSlab atWindow(long window) {
        FrameSlab[] leaf = slabs[(int) (window >>> LEAF_BITS) & DIRECTORY_MASK];
        return leaf == null ? null : leaf[(int) window & LEAF_MASK];
    }

    /** Returns the small slab of a page, or null; for a foreign address perhaps another. */
    private @Nullable FrameSlab atPage(long address) {
        long window = address >>> WINDOW_BITS;
        FrameSlab[][] leaf = small[(int) (window >>> LEAF_BITS) & DIRECTORY_MASK];
        FrameSlab[] ofPages = leaf == null ? null : leaf[(int) window & LEAF_MASK];
        return ofPages == null ? null : ofPages[pageInWindow(address)];
    }

    private @Nullable FrameSlab search(long address, long bytes) {
        Map.Entry<Long, FrameSlab> below = all.floorEntry(address);
        return below != null && below.getValue().covers(address, bytes) ? below.getValue() : null;
    }

    /** Returns whether a range, of at least 1 byte, shares a byte with a slab. */
    boolean overlaps(long address, long bytes) {
        Map.Entry<Long, FrameSlab> below = all.floorEntry(address + bytes - 1);
        return below != null && below.getValue().address() + below.getValue().bytes() > address;
    }

    /** Returns the slabs that are here now. */
    List<FrameSlab> all() {
        return List.copyOf(all.values());
    }

    boolean isEmpty() {
        return all.isEmpty();
    }

    /** Adds a slab: all of it, or nothing if the Java heap is exhausted. */
    synchronized void add(FrameSlab slab) {
        try {
            all.put(slab.address(), slab);
            setSlab(slab, slab);
            setAddresses(slab, true);
            reverse.put(slab.address(), slab.translation());
            noteIfUnread(slab);
        } catch (Error e) {
            remove(slab);
            throw e;
        }
    }

    /** Sets and never clears, so that it needs no lock. */
    private void noteIfUnread(FrameSlab slab) {
        if (slab.translation().isTemporarilyUnreadable()) {
            unread = true;
        }
    }

    /** Removes a slab, whose address no other has before its memory is released. */
    synchronized void remove(FrameSlab slab) {
        setSlab(slab, null);
        setAddresses(slab, false);
        all.remove(slab.address());
        reverse.remove(slab.address(), slab.translation());
    }

    /** Sets where the pages of a slab lie now, unless it was removed meanwhile. */
    synchronized void retranslate(FrameSlab slab, Translation found) {
        if (all.get(slab.address()) == slab) {
            Translation before = slab.translation();
            slab.retranslate(found);
            setAddresses(slab, true);
            reverse.remove(slab.address(), before);
            reverse.put(slab.address(), found);
        }
    }

    private int pageInWindow(long address) {
        return (int) ((address & Pages.HUGE_BYTES - 1) >>> pageShift);
    }

    private void setSlab(FrameSlab slab, @Nullable FrameSlab value) {
        if (isSmall(slab)) {
            setSmall(slab, value);
            return;
        }
        long last = lastWindow(slab);
        for (long window = firstWindow(slab); window <= last; window++) {
            int index = (int) (window >>> LEAF_BITS);
            FrameSlab[] leaf = slabs[index];
            if (leaf == null && value != null) {
                leaf = new FrameSlab[1 << LEAF_BITS];
                SLABS.setRelease(slabs, index, leaf);
            }
            if (leaf != null) {
                SLAB.setRelease(leaf, (int) window & LEAF_MASK, value);
            }
        }
    }

    /** The pages of a window have a table as long as one of them is in a small slab. */
    private void setSmall(FrameSlab slab, @Nullable FrameSlab value) {
        long window = firstWindow(slab);
        int index = (int) (window >>> LEAF_BITS);
        if (index > DIRECTORY_MASK) {
            return; // left to the search
        }
        FrameSlab[][] leaf = small[index];
        if (value == null && (leaf == null || leaf[(int) window & LEAF_MASK] == null)) {
            return; // adding it has failed before: removing it allocates nothing
        }
        if (leaf == null) {
            leaf = new FrameSlab[1 << LEAF_BITS][];
            SMALL.setRelease(small, index, leaf);
        }
        FrameSlab[] ofPages = leaf[(int) window & LEAF_MASK];
        if (ofPages == null) {
            ofPages = new FrameSlab[1 << WINDOW_BITS - pageShift];
            SLABS.setRelease(leaf, (int) window & LEAF_MASK, ofPages);
        }
        int last = pageInWindow(slab.address() + slab.bytes() - 1);
        for (int page = pageInWindow(slab.address()); page <= last; page++) {
            SLAB.setRelease(ofPages, page, value);
        }
        if (value == null && isEmpty(ofPages)) {
            SLABS.setRelease(leaf, (int) window & LEAF_MASK, null);
        }
    }

    /** A loop, as a stream needs Java heap. */
    private static boolean isEmpty(@Nullable FrameSlab[] ofPages) {
        for (FrameSlab slab : ofPages) {
            if (slab != null) {
                return false;
            }
        }
        return true;
    }

    /** Whether it may share its window with others. */
    private static boolean isSmall(FrameSlab slab) {
        long last = slab.address() + slab.bytes() - 1;
        return slab.use() == FrameSlab.Use.BLOCK
                && slab.bytes() < Pages.HUGE_BYTES
                && slab.address() >>> WINDOW_BITS == last >>> WINDOW_BITS;
    }

    /** A table of a range without huge pages is not made. */
    private void setAddresses(FrameSlab slab, boolean present) {
        long last = lastWindow(slab);
        for (long window = firstWindow(slab); window <= last; window++) {
            long address = present ? slab.addressOfHugePage(window) : 0;
            int index = (int) (window >>> LEAF_BITS);
            long[] leaf = addresses[index];
            if (leaf == null && address > 0) {
                leaf = new long[1 << LEAF_BITS];
                ADDRESSES.setRelease(addresses, index, leaf);
            }
            if (leaf != null) {
                ADDRESS.setRelease(leaf, (int) window & LEAF_MASK, address);
            }
        }
    }

    private static long firstWindow(FrameSlab slab) {
        return slab.address() >>> WINDOW_BITS;
    }

    /** Returns -1 for a slab that has no window of its own, or is left to the search. */
    private static long lastWindow(FrameSlab slab) {
        if (isSmall(slab)) {
            return -1;
        }
        long last = slab.address() + slab.bytes() - 1 >>> WINDOW_BITS;
        boolean served =
                (slab.address() & Pages.HUGE_BYTES - 1) == 0
                        && last >>> LEAF_BITS + DIRECTORY_BITS == 0;
        return served ? last : -1;
    }
}
