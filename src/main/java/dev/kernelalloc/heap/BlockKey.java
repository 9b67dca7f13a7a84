package dev.kernelalloc.heap;

import org.jspecify.annotations.Nullable;

import java.util.concurrent.atomic.AtomicReference;

/** The start address of a block, as a key of a table. A key in a table never changes. */
final class BlockKey implements Comparable<BlockKey> {

    /**
     * Keys for lookups. There is a spare in case the Java heap has no room for one, since a box or
     * an arena can be closed only once.
     */
    static final class Keys {

        static {
            Keys warmedUp = new Keys(); // see Warmup, which not every heap executes
            warmedUp.release(warmedUp.acquireSpare(1));
        }

        private final BlockKey kept = new BlockKey(0);

        /** The spare key; null while a thread looks up with it. */
        private final AtomicReference<@Nullable BlockKey> spare = new AtomicReference<>(kept);

        /** Returns a key, valid until {@link #release}. */
        BlockKey acquire(long address) {
            try {
                return new BlockKey(address);
            } catch (OutOfMemoryError e) {
                return acquireSpare(address);
            }
        }

        /** Returns the spare, valid until {@link #release}. */
        BlockKey acquireSpare(long address) {
            StackReserve.require(); // otherwise it might be lost forever
            BlockKey start = spare.getAndSet(null);
            while (start == null) { // for as long as another thread needs to look up
                Thread.onSpinWait();
                start = spare.getAndSet(null);
            }
            start.address = address;
            return start;
        }

        /** Ends the use of a key. */
        void release(BlockKey key) {
            if (key == kept) {
                spare.set(key);
            }
        }
    }

    private long address;

    BlockKey(long address) {
        this.address = address;
    }

    @Override
    public int compareTo(BlockKey other) {
        return Long.compare(address, other.address);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof BlockKey start && address == start.address;
    }

    @Override
    public int hashCode() {
        return Long.hashCode(address);
    }
}
