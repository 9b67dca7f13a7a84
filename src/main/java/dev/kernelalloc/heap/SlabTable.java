package dev.kernelalloc.heap;

import org.jspecify.annotations.Nullable;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Arrays;

/**
 * From an address to the slab that it lies in: arithmetic and loads, no search.
 *
 * <p>Address space is seen in windows of 64 MiB. A window has a slab for each granule; it stands in
 * the directory at its number, modulo the length, which grows until no two windows meet. Windows
 * are never copied or removed, so a slab is entered by one store, whoever makes the directory grow
 * meanwhile. What the table answers for an address that lies in no slab is null or some slab:
 * {@link Slab#indexOf} decides.
 */
final class SlabTable {

    private static final int GRANULE_BITS = Integer.numberOfTrailingZeros(Range.GRANULE_BYTES);
    private static final int WINDOW_BITS = 26;
    private static final int GRANULES = 1 << WINDOW_BITS - GRANULE_BITS;

    /** Windows side by side for 4 TiB; ranges scattered more widely are refused. */
    private static final int MAX_LENGTH = 1 << 16;

    /** The part of address space of one number. */
    private record Window(long number, @Nullable Slab[] slabs) {

        static final Window NONE = new Window(-1, new Slab[GRANULES]);
    }

    private static final VarHandle DIRECTORY;
    private static final VarHandle SLAB = MethodHandles.arrayElementVarHandle(Slab[].class);

    static {
        try {
            DIRECTORY =
                    MethodHandles.lookup()
                            .findVarHandle(SlabTable.class, "directory", Window[].class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private volatile Window[] directory = {Window.NONE};

    /**
     * What {@link #get} needs of the directory, or of an older one. It is read plainly, so that the
     * JIT may look an address up once and keep what it found: an older one may lack windows, but
     * has no wrong ones.
     */
    private @Nullable Slab[][] slabs = {Window.NONE.slabs};

    /**
     * The slab of an address; or another, when it lies in none; or null, which is not certain:
     * {@link #find} is.
     */
    @Nullable Slab get(long address) {
        @Nullable Slab[][] all = slabs;
        return all[(int) (address >>> WINDOW_BITS) & all.length - 1][granule(address)];
    }

    /** The slab of an address; or another, or null, when it lies in none. */
    @Nullable Slab find(long address) {
        return window(address).slabs[granule(address)];
    }

    /**
     * Makes room for the slabs of a range.
     *
     * @return whether there is room
     */
    boolean reserve(Chunk chunk) {
        long last = chunk.address() + chunk.bytes() - 1 >>> WINDOW_BITS;
        for (long number = chunk.address() >>> WINDOW_BITS; number <= last; number++) {
            if (!reserve(number)) {
                return false;
            }
        }
        return true;
    }

    void put(Slab slab) {
        set(slab, slab);
    }

    void remove(Slab slab) {
        set(slab, null);
    }

    private void set(Slab slab, @Nullable Slab value) {
        for (int i = 0; i < slab.granules(); i++) {
            long address = slab.address() + (long) i * Range.GRANULE_BYTES;
            SLAB.setRelease(window(address).slabs, granule(address), value);
        }
    }

    private Window window(long address) {
        Window[] all = directory;
        return all[(int) (address >>> WINDOW_BITS) & all.length - 1];
    }

    private static int granule(long address) {
        return (int) (address >>> GRANULE_BITS) & GRANULES - 1;
    }

    private boolean reserve(long number) {
        Window window = new Window(number, new Slab[GRANULES]);
        while (true) {
            Window[] now = directory;
            if (now[(int) number & now.length - 1].number == number) {
                return true;
            }
            Window[] grown = grown(now, window);
            if (grown == null) {
                return false;
            }
            if (DIRECTORY.compareAndSet(this, now, grown)) {
                publish();
                return true;
            }
        }
    }

    /** Lets {@link #get} see the directory; the last of several threads has the newest. */
    private void publish() {
        Window[] now;
        do {
            now = directory;
            @Nullable Slab[][] all = Arrays.stream(now).map(Window::slabs).toArray(Slab[][]::new);
            VarHandle.releaseFence(); // who sees the array sees what is in it
            slabs = all;
        } while (now != directory);
    }

    private static Window @Nullable [] grown(Window[] now, Window window) {
        for (int length = now.length; length <= MAX_LENGTH; length *= 2) {
            Window[] longer = new Window[length];
            Arrays.fill(longer, Window.NONE);
            if (Arrays.stream(now).allMatch(known -> enter(longer, known))
                    && enter(longer, window)) {
                return longer;
            }
        }
        return null;
    }

    /** Whether the window meets no other. */
    private static boolean enter(Window[] directory, Window window) {
        int place = (int) window.number & directory.length - 1;
        if (window == Window.NONE) {
            return true;
        }
        if (directory[place] != Window.NONE) {
            return false;
        }
        directory[place] = window;
        return true;
    }
}
