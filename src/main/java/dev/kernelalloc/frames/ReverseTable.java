package dev.kernelalloc.frames;

import java.util.Collection;
import java.util.concurrent.locks.StampedLock;

/**
 * Maps physical addresses back to virtual ones: one entry for a huge page, otherwise one for a base
 * page. It is built when it is first asked, so who never asks pays nothing.
 *
 * <p><b>Concurrency.</b> Readers are optimistic: they repeat a look-up under the lock only if a
 * slab came or went meanwhile. Two slabs may name one frame, where a page has moved and no audit
 * has noticed: the later one is right, and the other's removal leaves its entry alone.
 */
final class ReverseTable {

    private static final int HUGE_BITS = Long.numberOfTrailingZeros(Pages.HUGE_BYTES);

    private final int pageBits;
    private final StampedLock lock = new StampedLock();
    private final LongTable hugePages = new LongTable();
    private final LongTable basePages = new LongTable();

    /** Written under the lock. */
    private volatile boolean built;

    ReverseTable(long pageBytes) {
        this.pageBits = Long.numberOfTrailingZeros(pageBytes);
    }

    /**
     * Returns the virtual address of the byte at a physical one; 0 if there is none.
     *
     * @param slabs all slabs; one that is added or removed meanwhile is followed by a call of
     *     {@link #put} or {@link #remove}
     */
    long find(long physical, Collection<FrameSlab> slabs) {
        if (physical < 0) {
            return 0;
        }
        if (!built) {
            build(slabs);
        }
        long stamp = lock.tryOptimisticRead();
        long found = look(physical);
        if (lock.validate(stamp)) {
            return found;
        }
        stamp = lock.readLock();
        try {
            return look(physical);
        } finally {
            lock.unlockRead(stamp);
        }
    }

    private long look(long physical) {
        long huge = hugePages.get(physical >>> HUGE_BITS);
        if (huge != 0) {
            return huge + (physical & Pages.HUGE_BYTES - 1);
        }
        long page = basePages.get(physical >>> pageBits);
        return page == 0 ? 0 : page + (physical & (1L << pageBits) - 1);
    }

    private void build(Collection<FrameSlab> slabs) {
        long stamp = lock.writeLock();
        try {
            if (!built) {
                slabs.forEach(slab -> enter(slab.address(), slab.translation(), true));
                built = true;
            }
        } catch (Error e) {
            discard();
            throw e;
        } finally {
            lock.unlockWrite(stamp);
        }
    }

    /** Adds the pages of a slab. */
    void put(long address, Translation translation) {
        change(address, translation, true);
    }

    /** Removes the pages of a slab. */
    void remove(long address, Translation translation) {
        change(address, translation, false);
    }

    private void change(long address, Translation translation, boolean added) {
        long stamp = lock.writeLock();
        try {
            if (built) {
                enter(address, translation, added);
            }
        } catch (Error e) {
            discard();
            throw e;
        } finally {
            lock.unlockWrite(stamp);
        }
    }

    /** The Java heap is exhausted: half a table would not follow its slabs. It is built again. */
    private void discard() {
        built = false;
        hugePages.clear();
        basePages.clear();
    }

    private void enter(long address, Translation translation, boolean added) {
        int perHuge = 1 << HUGE_BITS - pageBits;
        int page = 0;
        while (page < translation.pages()) {
            int end = translation.endOfRun(page);
            long physical = translation.pageAddress(page);
            if (physical == Translation.UNKNOWN) {
                page = end;
                continue;
            }
            while (page < end) {
                long virtual = address + ((long) page << pageBits);
                if ((physical & Pages.HUGE_BYTES - 1) == 0 && end - page >= perHuge) {
                    enterHugePage(physical, virtual, added);
                    physical += Pages.HUGE_BYTES;
                    page += perHuge;
                } else {
                    enterPage(physical, virtual, added);
                    physical += 1L << pageBits;
                    page++;
                }
            }
        }
    }

    private void enterHugePage(long physical, long virtual, boolean added) {
        long key = physical >>> HUGE_BITS;
        if (added) {
            hugePages.put(key, virtual);
        } else if (hugePages.get(key) == virtual) {
            hugePages.remove(key, virtual);
        } else {
            enterPages(physical, virtual, false); // where it was split
        }
    }

    /** An older huge page that a later page lies in is split, or it would hide that one. */
    private void enterPage(long physical, long virtual, boolean added) {
        if (added) {
            long key = physical >>> HUGE_BITS;
            long huge = hugePages.get(key);
            if (huge != 0) {
                hugePages.remove(key, huge);
                enterPages(key << HUGE_BITS, huge, true);
            }
            basePages.put(physical >>> pageBits, virtual);
        } else {
            basePages.remove(physical >>> pageBits, virtual);
        }
    }

    /** Enters the pages of a huge page one by one. */
    private void enterPages(long physical, long virtual, boolean added) {
        for (long offset = 0; offset < Pages.HUGE_BYTES; offset += 1L << pageBits) {
            enterPage(physical + offset, virtual + offset, added);
        }
    }
}
