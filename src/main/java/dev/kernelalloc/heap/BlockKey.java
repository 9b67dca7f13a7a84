package dev.kernelalloc.heap;

import org.jspecify.annotations.Nullable;

import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;

/** The start address of a block, as a key of a table. A key in a table never changes. */
final class BlockKey implements Comparable<BlockKey> {

    /**
     * Keys for the lookups of one table. There is a spare in case the Java heap has no room for
     * one, since a box or an arena can be closed only once.
     */
    static final class Keys {

        static {
            Keys warmedUp = new Keys(); // see Warmup, which not every heap executes
            warmedUp.release(warmedUp.acquireSpare(1));
        }

        private final BlockKey kept = new BlockKey(0);

        /** The spare key; null while a thread looks up with it. */
        private final AtomicReference<@Nullable BlockKey> spare = new AtomicReference<>(kept);

        /** Returns the value of an address in a table, or null. */
        <V> @Nullable V get(Map<BlockKey, V> table, long address) {
            BlockKey key = acquire(address);
            try {
                return table.get(key);
            } finally {
                release(key);
            }
        }

        /** Removes an address from a table if it has that value. */
        <V> void remove(Map<BlockKey, V> table, long address, V value) {
            BlockKey key = acquire(address);
            try {
                table.remove(key, value);
            } finally {
                release(key);
            }
        }

        private BlockKey acquire(long address) {
            try {
                return new BlockKey(address);
            } catch (OutOfMemoryError e) {
                return acquireSpare(address);
            }
        }

        private BlockKey acquireSpare(long address) {
            StackReserve.require(); // otherwise it might be lost forever
            BlockKey start = spare.getAndSet(null);
            while (start == null) { // for as long as another thread needs to look up
                Thread.onSpinWait();
                start = spare.getAndSet(null);
            }
            start.address = address;
            return start;
        }

        private void release(BlockKey key) {
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
