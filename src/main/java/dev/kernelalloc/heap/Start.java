package dev.kernelalloc.heap;

import org.jspecify.annotations.Nullable;

import java.util.concurrent.atomic.AtomicReference;

/** The start address of a block, as a key of a table. A key in a table never changes. */
final class Start implements Comparable<Start> {

    /**
     * Keys for lookups. There is a spare in case the Java heap has no room for one, since a box or
     * an arena can be closed only once.
     */
    static final class Keys {

        static {
            Keys rehearsed = new Keys(); // see Rehearsal, which not every heap executes
            rehearsed.giveBack(rehearsed.takeSpare(1));
        }

        private final Start kept = new Start(0);

        /** The spare key; null while a thread looks up with it. */
        private final AtomicReference<@Nullable Start> spare = new AtomicReference<>(kept);

        /** Returns a key, valid until {@link #giveBack}. */
        Start take(long address) {
            try {
                return new Start(address);
            } catch (OutOfMemoryError e) {
                return takeSpare(address);
            }
        }

        /** Returns the spare, valid until {@link #giveBack}. */
        Start takeSpare(long address) {
            StackReserve.require(); // otherwise it might be taken forever
            Start start = spare.getAndSet(null);
            while (start == null) { // for as long as another thread takes to look up
                Thread.onSpinWait();
                start = spare.getAndSet(null);
            }
            start.address = address;
            return start;
        }

        /** Ends the use of a key. */
        void giveBack(Start key) {
            if (key == kept) {
                spare.set(key);
            }
        }
    }

    private long address;

    Start(long address) {
        this.address = address;
    }

    @Override
    public int compareTo(Start other) {
        return Long.compare(address, other.address);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Start start && address == start.address;
    }

    @Override
    public int hashCode() {
        return Long.hashCode(address);
    }
}
