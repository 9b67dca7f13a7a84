package dev.kernelalloc.map;

import java.util.ConcurrentModificationException;
import java.util.NoSuchElementException;
import java.util.PrimitiveIterator;

/** The keys of a map, as long as no entry moves. */
final class KeyIterator implements PrimitiveIterator.OfLong {

    private final MapEntries<?> entries;
    private final int changes;
    private long next;

    KeyIterator(MapEntries<?> entries) {
        this.entries = entries;
        this.changes = entries.changes;
        this.next = entries.table.next(0);
    }

    @Override
    public boolean hasNext() {
        return next >= 0;
    }

    @Override
    public long nextLong() {
        if (entries.changes != changes) {
            throw new ConcurrentModificationException(
                    "keys were added or removed, or the map has grown or shrunk");
        }
        if (next < 0) {
            throw new NoSuchElementException();
        }
        LongTable table = entries.table;
        long key = table.keyAt(next);
        next = table.next(next + table.stride());
        return key;
    }
}
