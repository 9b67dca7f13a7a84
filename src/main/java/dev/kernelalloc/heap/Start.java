package dev.kernelalloc.heap;

import org.jspecify.annotations.Nullable;

import java.util.concurrent.atomic.AtomicReference;

/** Where a block starts, as a key of a table. One that is in a table never changes. */
final class Start implements Comparable<Start> {

    /**
     * Keys to look up with. Where the Java heap has no room for one there is a spare: who closes a
     * box or an arena can do so but once.
     */
    static final class Keys {

        static {
            Keys rehearsed = new Keys(); // see Rehearsal, which not every heap walks through
            rehearsed.giveBack(rehearsed.takeSpare(1));
        }

        private final Start kept = new Start(0);

        /** The same; null while a thread looks up with it. */
        private final AtomicReference<@Nullable Start> spare = new AtomicReference<>(kept);

        /** A key, until {@link #giveBack}. */
        Start take(long address) {
            try {
                return new Start(address);
            } catch (OutOfMemoryError e) {
                return takeSpare(address);
            }
        }

        /** The spare, until {@link #giveBack}. */
        Start takeSpare(long address) {
            StackReserve.require(); // or it might be taken for ever
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
