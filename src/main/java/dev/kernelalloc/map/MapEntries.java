package dev.kernelalloc.map;

import dev.kernelalloc.core.ChangeGuard;
import dev.kernelalloc.core.ClosingSites;
import dev.kernelalloc.core.OwnerText;
import dev.kernelalloc.struct.StructType;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.Spliterator;
import java.util.Spliterators;
import java.util.function.UnaryOperator;
import java.util.stream.LongStream;
import java.util.stream.StreamSupport;

/**
 * The entries of a hash map in native memory: those of a {@link NativeMap}, or of a {@link
 * SharedMap} under a {@link MapLease}. Keys are {@code long} numbers; values are structs inside the
 * map. The order of the entries is unspecified.
 *
 * <p>A map and a lease belong to one thread: an access by another thread, also through a view,
 * throws {@link WrongThreadException}. After their {@code close} every access throws {@link
 * IllegalStateException}.
 *
 * <p><b>Code called by an operation</b>, such as the accessors of a record, a function or an
 * action, may read the map and set the values of its keys. It must not add or remove keys, nor end
 * the map or the lease: that throws {@link java.util.ConcurrentModificationException} and changes
 * nothing.
 *
 * @param <V> the type of a value: a record, copied in and out; an interface, whose instances are
 *     live views of the memory; or {@link MemorySegment} for a bare layout
 */
public abstract class MapEntries<V> {

    /**
     * Code called once per entry.
     *
     * @param <V> the type of a value
     */
    @FunctionalInterface
    public interface Action<V> {
        /**
         * Processes an entry.
         *
         * @param key the key
         * @param value the value: a copy, or a live view
         */
        void accept(long key, V value);
    }

    /**
     * A condition on an entry.
     *
     * @param <V> the type of a value
     */
    @FunctionalInterface
    public interface Condition<V> {
        /**
         * Returns whether the condition holds for an entry.
         *
         * @param key the key
         * @param value the value: a copy, or a live view
         * @return true if it holds
         */
        boolean test(long key, V value);
    }

    private final StructType<V> type;

    /** Exchanged by a map that grows. */
    LongTable table;

    long size;

    /** Counts whatever moves entries: additions and removals of keys, and growth. */
    int changes;

    /** Refuses changes by code that an operation calls. */
    final ChangeGuard guard = new ChangeGuard();

    /** Only for this package. */
    MapEntries(StructType<V> type, LongTable table, long size) {
        this.type = type;
        this.table = table;
        this.size = size;
    }

    /**
     * Returns the type of a value.
     *
     * @return the type of all values
     */
    public final StructType<V> type() {
        return type;
    }

    /**
     * Returns the number of entries.
     *
     * @return the number of entries, not negative
     */
    public final long size() {
        return size;
    }

    /**
     * Returns whether there are no entries.
     *
     * @return true if {@link #size} is 0
     */
    public final boolean isEmpty() {
        return size == 0;
    }

    /**
     * Returns whether there is an entry with a key.
     *
     * @param key the key
     * @return true if {@link #get} returns a value
     */
    public final boolean containsKey(long key) {
        return find(key) >= 0;
    }

    /**
     * Returns the value of a key: a copy if the type is a record, a live view if it is an
     * interface.
     *
     * @param key the key
     * @return the value; null if there is no such key
     * @throws IllegalStateException if the owner is closed; of a live view, when it is used
     * @throws WrongThreadException if called by another thread; of a live view, when it is used
     */
    public abstract @Nullable V get(long key);

    /**
     * Writes the value of a key that is in the map.
     *
     * @param key the key
     * @param value a record; or a view, whose bytes are copied
     * @return false if there is no such key, and nothing has changed
     * @throws IllegalArgumentException if {@code value} does not fit, as in {@link
     *     StructType#set(MemorySegment, Object)}
     */
    public abstract boolean replace(long key, V value);

    /**
     * Replaces the value of a key by the result of a function of it. A live view may be changed in
     * place and returned.
     *
     * @param key the key
     * @param change a function from the old value to the new one; if it throws, the map has not
     *     changed, except for what was written through a view
     * @return false if there is no such key, and the function was not called
     */
    public final boolean update(long key, UnaryOperator<V> change) {
        long place = find(key);
        if (place < 0) {
            Objects.requireNonNull(change, "change");
            return false;
        }
        guard.enter();
        try {
            write(place, change.apply(read(place)));
        } finally {
            guard.exit();
        }
        return true;
    }

    /**
     * Calls an action with each entry.
     *
     * @param action the action; if it throws, the remaining entries are left out
     */
    public final void forEach(Action<? super V> action) {
        Objects.requireNonNull(action, "action");
        requireAccess();
        guard.enter();
        try {
            for (long at = table.next(0); at >= 0; at = table.next(at + table.stride())) {
                action.accept(table.keyAt(at), read(at));
            }
        } finally {
            guard.exit();
        }
    }

    /**
     * Returns the keys. If keys are added or removed, or the table is exchanged, before the stream
     * has ended, its next step throws a {@link java.util.ConcurrentModificationException}.
     *
     * @return a sequential stream, confined to the thread of the map
     */
    public final LongStream keys() {
        requireAccess();
        return StreamSupport.longStream(
                Spliterators.spliteratorUnknownSize( // with a size, count() would not step
                        new KeyIterator(this), Spliterator.DISTINCT | Spliterator.NONNULL),
                false);
    }

    /**
     * Finds a key, as {@link LongTable#find} does; where the owner was closed, reports the site.
     */
    final long find(long key) {
        try {
            return table.find(key);
        } catch (IllegalStateException | WrongThreadException e) {
            throw ClosingSites.explain(e, table.memory(), guard.owner());
        }
    }

    /** Checks thread and life; where the owner was closed, reports the site. */
    final void requireAccess() {
        try {
            table.requireAccess();
        } catch (IllegalStateException | WrongThreadException e) {
            throw ClosingSites.explain(e, table.memory(), guard.owner());
        }
    }

    /** Returns the value at a place. */
    abstract V read(long place);

    /** Writes the value at a place, which may call code of the user. */
    abstract void write(long place, V value);

    /** Describes the entries for people. */
    final String contents() {
        return size + " × " + type.type().getSimpleName();
    }

    /** Describes the owner for people; without contents if it is closed, or on another thread. */
    final String show(String name, String contents) {
        MemorySegment slots = table.memory();
        return OwnerText.of(
                name,
                type.type().getSimpleName(),
                slots,
                () -> contents,
                OwnerText.location(slots.address(), slots.byteSize(), ""));
    }
}
