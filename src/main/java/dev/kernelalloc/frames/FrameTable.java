package dev.kernelalloc.frames;

import org.jspecify.annotations.Nullable;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Collection;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;

/**
 * Maps an address to its slab. Slabs begin at multiples of 2 MiB, so that two loads find the one;
 * those at other addresses are found by a search.
 */
final class FrameTable {

    private static final int WINDOW_BITS = Long.numberOfTrailingZeros(Pages.HUGE_BYTES);
    private static final int LEAF_BITS = 14;
    private static final int DIRECTORY_BITS = 13;

    private static final VarHandle LEAF = MethodHandles.arrayElementVarHandle(FrameSlab[][].class);
    private static final VarHandle SLAB = MethodHandles.arrayElementVarHandle(FrameSlab[].class);

    private final @Nullable FrameSlab[][] directory = new FrameSlab[1 << DIRECTORY_BITS][];
    private final ConcurrentSkipListMap<Long, FrameSlab> all = new ConcurrentSkipListMap<>();

    /** The slab of an address, or null. */
    @Nullable FrameSlab find(long address) {
        return find(address, 1);
    }

    /** The slab that all those bytes, at least 1, lie in; or null. */
    @Nullable FrameSlab find(long address, long bytes) {
        FrameSlab slab = atWindow(address >>> WINDOW_BITS);
        return slab != null && slab.covers(address, bytes) ? slab : search(address, bytes);
    }

    /**
     * Returns the slab of a window, or another: masks are cheaper than a check, which the caller
     * makes. So are plain loads: a slab is set before any of its blocks is published, and the
     * hand-over of a block to another thread orders the rest. For a foreign address the result may
     * be the slab or null; its extent, which decides, is final.
     */
    private @Nullable FrameSlab atWindow(long window) {
        FrameSlab[] leaf = directory[(int) (window >>> LEAF_BITS) & (1 << DIRECTORY_BITS) - 1];
        return leaf == null ? null : leaf[(int) window & (1 << LEAF_BITS) - 1];
    }

    private @Nullable FrameSlab search(long address, long bytes) {
        Map.Entry<Long, FrameSlab> below = all.floorEntry(address);
        return below != null && below.getValue().covers(address, bytes) ? below.getValue() : null;
    }

    /** All slabs, as they are now and later. */
    Collection<FrameSlab> all() {
        return all.values();
    }

    void add(FrameSlab slab) {
        all.put(slab.address(), slab);
        if ((slab.address() & Pages.HUGE_BYTES - 1) == 0) {
            set(slab, slab);
        }
    }

    void remove(FrameSlab slab) {
        if ((slab.address() & Pages.HUGE_BYTES - 1) == 0) {
            set(slab, null);
        }
        all.remove(slab.address());
    }

    private void set(FrameSlab slab, @Nullable FrameSlab value) {
        long first = slab.address() >>> WINDOW_BITS;
        long last = slab.address() + slab.bytes() - 1 >>> WINDOW_BITS;
        for (long window = first; window <= last; window++) {
            if (window >>> LEAF_BITS + DIRECTORY_BITS == 0) {
                SLAB.setRelease(
                        leaf((int) (window >>> LEAF_BITS)),
                        (int) window & (1 << LEAF_BITS) - 1,
                        value);
            }
        }
    }

    private FrameSlab[] leaf(int index) {
        FrameSlab[] leaf = (FrameSlab[]) LEAF.getAcquire(directory, index);
        if (leaf != null) {
            return leaf;
        }
        FrameSlab[] fresh = new FrameSlab[1 << LEAF_BITS];
        FrameSlab[] other =
                (FrameSlab[]) LEAF.compareAndExchange(directory, index, (FrameSlab[]) null, fresh);
        return other == null ? fresh : other;
    }
}
