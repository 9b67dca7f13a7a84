package dev.kernelalloc.map;

import dev.kernelalloc.struct.StructType;

/**
 * The right of one thread to use the entries of a {@link SharedMap}, until it is closed. The memory
 * stays while the lease lasts, even if the map is closed. Views end with their lease.
 *
 * @param <V> the type of a value
 */
public abstract class MapLease<V> extends MapEntries<V> implements AutoCloseable {

    /** Only for this package. */
    MapLease(StructType<V> type, LongTable table, long size) {
        super(type, table, size);
    }

    /**
     * Ends this lease and its views. If the map is closed and this is its last lease, the memory is
     * freed.
     *
     * @throws IllegalStateException if it is closed already, or a downcall is using a view; nothing
     *     has changed then
     * @throws WrongThreadException if called by another thread
     */
    @Override
    public abstract void close();

    /** Returns the number of entries, the address and the size. */
    @Override
    public final String toString() {
        return show("MapLease", contents());
    }
}
