package dev.kernelalloc.map;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.NativeArray;
import dev.kernelalloc.heap.StackReserve;
import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.struct.StructType;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Locale;
import java.util.Objects;
import java.util.function.Supplier;

/**
 * A hash map from {@code long} keys to structs in native memory, and the owner of that memory. No
 * entry is an object of the Java heap.
 *
 * {@snippet lang = java :
 * try (NativeMap<Point> points = NativeMap.create(POINT)) {
 *     points.put(42, new Point(1, 2));
 *     points.update(42, point -> new Point(point.x(), 3));
 *     Point point = points.get(42);
 *     points.remove(42);
 * }
 * }
 *
 * <p><b>Memory.</b> An entry takes the size of its value and 8 bytes, rounded up to the alignment,
 * in a table that is at most five sixths full. A map that is full allocates a table for a third
 * more entries, copies them, and frees the old one; it is bounded by the limit of its allocator
 * alone. {@link #reserve} makes room beforehand. If memory is not available, the call throws an
 * {@link AllocationException}, and the map is unchanged.
 *
 * <p><b>Views.</b> Adding or removing a key may move entries. So it ends all live views and slices
 * taken before: they throw {@link IllegalStateException}, and never reach the value of another key.
 * Setting values of keys that are in the map ends none.
 *
 * <p><b>Hashing.</b> Each map has a random seed. Keys chosen by an adversary who knows neither the
 * seed nor the order of the entries collide no more often than random ones. A removal leaves no
 * trace, so searches stay as fast however often entries are exchanged.
 *
 * <p>For the thread of a map, and code that it calls, see {@link MapEntries}. {@link #share} makes
 * it available to all threads.
 *
 * @param <V> the type of a value
 */
public abstract class NativeMap<V> extends MapEntries<V> implements AutoCloseable {

    private static final long FIRST_CAPACITY = 4;

    private final StructType<MemorySegment> slot;
    private final KernelAllocator allocator;

    /** The slots of the table. */
    private NativeArray<MemorySegment> memory;

    /** The life of the views since the last change of keys, if there are any. */
    private @Nullable Arena viewing;

    /** The memory of values that {@link #get} returns; null until there is a view of it. */
    private @Nullable MemorySegment values;

    /**
     * Only for this package.
     *
     * @param memory called last, when the map exists, so that no memory is lost where the Java heap
     *     is exhausted
     * @param table of this map alone, to be placed in the memory
     */
    NativeMap(
            StructType<V> type,
            StructType<MemorySegment> slot,
            KernelAllocator allocator,
            Supplier<NativeArray<MemorySegment>> memory,
            LongTable table,
            long size) {
        super(type, table, size);
        this.slot = slot;
        this.allocator = allocator;
        StackReserve.requireForCaller(); // the memory has one owner or the other
        this.memory = memory.get();
        table.place(this.memory.segment());
        look();
    }

    // ---- making -------------------------------------------------------------------------------

    /**
     * Creates an empty map.
     *
     * @param <V> the type of the values
     * @param allocator the allocator of the memory
     * @param type the type of a value
     * @return a map owned by the calling thread
     * @throws IllegalArgumentException if the type ends in a flexible array
     * @throws AllocationException if memory is not available
     * @throws IllegalStateException if the allocator is closed
     */
    public static <V> NativeMap<V> create(KernelAllocator allocator, StructType<V> type) {
        return withCapacity(allocator, type, FIRST_CAPACITY);
    }

    /**
     * Creates an empty map in memory of the {@linkplain KernelAllocator#global global} allocator.
     *
     * @param <V> the type of the values
     * @param type the type of a value
     * @return a map owned by the calling thread
     * @throws IllegalArgumentException if the type ends in a flexible array
     * @throws AllocationException if memory is not available
     */
    public static <V> NativeMap<V> create(StructType<V> type) {
        return create(KernelAllocator.global(), type);
    }

    /**
     * Creates an empty map that has room for some entries.
     *
     * @param <V> the type of the values
     * @param allocator the allocator of the memory
     * @param type the type of a value
     * @param capacity the number of entries it has room for
     * @return a map owned by the calling thread
     * @throws IllegalArgumentException if {@code capacity} is negative, the size of that many
     *     entries overflows, or the type ends in a flexible array
     * @throws AllocationException if memory is not available
     * @throws IllegalStateException if the allocator is closed
     */
    public static <V> NativeMap<V> withCapacity(
            KernelAllocator allocator, StructType<V> type, long capacity) {
        if (type.isFlexible()) {
            throw new IllegalArgumentException(
                    type.type().getName() + " ends in a flexible array: its size is not fixed");
        }
        StructType<MemorySegment> slot = StructType.of(LongTable.slot(type));
        NativeArray<MemorySegment> memory = allocate(allocator, slot, capacity);
        try {
            LongTable table = LongTable.create(type, memory.segment(), capacity);
            return MapOf.make(type, slot, allocator, () -> memory, table, 0);
        } catch (Throwable e) {
            memory.close(); // the Java heap or stack is exhausted
            throw e;
        }
    }

    private static NativeArray<MemorySegment> allocate(
            KernelAllocator allocator, StructType<MemorySegment> slot, long capacity) {
        if (capacity < 0 || capacity > maxCapacity(slot)) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "capacity=%d is negative or too large: at most %d entries of %d bytes",
                            capacity,
                            maxCapacity(slot),
                            slot.byteSize()));
        }
        return NativeArray.zeroed(allocator, slot, LongTable.slots(capacity));
    }

    /** Leaves room for slots without an entry; no machine has that much memory. */
    private static long maxCapacity(StructType<MemorySegment> slot) {
        return Long.MAX_VALUE / 2 / slot.byteSize();
    }

    // ---- adding -------------------------------------------------------------------------------

    /**
     * Returns the number of entries for which there is room.
     *
     * @return the number of entries, at least {@link #size}
     */
    public final long capacity() {
        return table.capacity();
    }

    /**
     * Writes the value of a key, and adds the key if it is not in the map.
     *
     * @param key the key
     * @param value a record; or a view, which may be one of this map, whose bytes are copied
     * @return true if the key was added
     * @throws IllegalArgumentException if {@code value} does not fit; no key was added then
     * @throws AllocationException if memory is needed and not available; the map is unchanged
     * @throws IllegalStateException if this map or, if memory is needed, its allocator is closed;
     *     or a downcall is using a view while a key is to be added
     * @throws WrongThreadException if called by another thread
     */
    public abstract boolean put(long key, V value);

    /**
     * Returns a live view of the value of a key, and adds the key with a value of zeros if it is
     * not in the map.
     *
     * @param key the key
     * @return the view
     * @throws UnsupportedOperationException if the type is a record, whose values are copies
     * @throws AllocationException if memory is needed and not available; the map is unchanged
     * @throws IllegalStateException as for {@link #put}
     * @throws WrongThreadException if called by another thread
     */
    public final V getOrAdd(long key) {
        if (!type().isView()) {
            throw new UnsupportedOperationException(
                    type().type().getName()
                            + " is a record: a change to the copy would be lost; use put or"
                            + " update");
        }
        long place = find(key);
        if (place < 0) {
            guard.requireFree();
            table.clearSpare();
            place = addSpare(key, ~place);
        }
        return read(place);
    }

    /**
     * Makes room for more entries.
     *
     * @param additional the number of entries that can be added without another allocation
     * @throws IllegalArgumentException if it is negative, or the size overflows
     * @throws AllocationException if memory is not available; the map is unchanged
     * @throws IllegalStateException as for {@link #put}
     * @throws WrongThreadException if called by another thread
     */
    public final void reserve(long additional) {
        requireChangeable();
        if (additional < 0) {
            throw new IllegalArgumentException("additional=" + additional + " is negative");
        }
        if (additional > maxCapacity(slot) - size) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "additional=%d with size=%d is too large: at most %d entries of %d"
                                    + " bytes",
                            additional,
                            size,
                            maxCapacity(slot),
                            slot.byteSize()));
        }
        if (additional > capacity() - size) {
            rebuild(size + additional, true);
        }
    }

    /**
     * Moves the entries to a smaller table, if there is room for more than they need.
     *
     * @throws AllocationException if memory is not available; the map is unchanged
     * @throws IllegalStateException as for {@link #put}
     * @throws WrongThreadException if called by another thread
     */
    public final void shrinkToFit() {
        requireChangeable();
        if (size < capacity()) {
            rebuild(size, true);
        }
    }

    /**
     * Adds an entry with the value in the spare slot of the table.
     *
     * @param place where it belongs
     * @return the place of the entry
     */
    final long addSpare(long key, long place) {
        StackReserve.requireForCaller(); // an entry is added wholly or not at all
        endViews();
        long at = place;
        while (size == capacity() || !table.insert(key, at)) {
            boolean full = size == capacity();
            rebuild(full ? size + size / 3 + FIRST_CAPACITY : capacity(), full);
            at = ~table.find(key);
        }
        size++;
        changes++;
        return at;
    }

    /**
     * Exchanges the table.
     *
     * @param sameHashes false if the present hashes form a cluster at the end, or refuse a key
     */
    private void rebuild(long capacity, boolean sameHashes) {
        boolean done = sameHashes && rebuilt(capacity, true);
        while (!done) {
            done = rebuilt(capacity, false);
        }
    }

    private boolean rebuilt(long capacity, boolean sameHashes) {
        NativeArray<MemorySegment> other = allocateGuarded(capacity);
        boolean done = false;
        try {
            LongTable rebuilt =
                    sameHashes
                            ? table.resized(other.segment(), capacity)
                            : LongTable.create(type(), other.segment(), capacity);
            endViews(); // those of a pressure listener included
            done = rebuilt.addAll(table);
            if (done) {
                rebuilt.copySpare(table);
                NativeArray<MemorySegment> old = memory;
                memory = other;
                table = rebuilt;
                changes++; // entries have moved
                look();
                other = old;
            }
        } finally {
            other.close();
        }
        return done;
    }

    /** A pressure listener that runs during the call may read the map and set values. */
    private NativeArray<MemorySegment> allocateGuarded(long capacity) {
        guard.enter();
        try {
            return allocate(allocator, slot, capacity);
        } finally {
            guard.exit();
        }
    }

    // ---- removing -----------------------------------------------------------------------------

    /**
     * Removes a key and its value.
     *
     * @param key the key
     * @return false if there is no such key
     * @throws IllegalStateException if this map is closed, or a downcall is using a view
     * @throws WrongThreadException if called by another thread
     */
    public final boolean remove(long key) {
        long place = find(key);
        if (place < 0) {
            return false;
        }
        guard.requireFree();
        removeAt(place);
        return true;
    }

    /**
     * Removes the entries for which a condition holds. If the condition throws, those for which it
     * has returned true are removed.
     *
     * @param condition the condition; a live view passed to it is valid during the call
     * @return whether an entry was removed
     * @throws IllegalStateException as for {@link #remove}
     * @throws WrongThreadException if called by another thread
     */
    public final boolean removeIf(Condition<? super V> condition) {
        Objects.requireNonNull(condition, "condition");
        requireChangeable();
        long before = size;
        guard.enter();
        try {
            // From the end: a removal moves the entries behind it alone, which were tested before.
            for (long at = table.previous(table.end()); at >= 0; at = table.previous(at)) {
                if (condition.test(table.keyAt(at), read(at))) {
                    removeAt(at);
                }
            }
        } finally {
            guard.exit();
        }
        return size < before;
    }

    private void removeAt(long place) {
        StackReserve.requireForCaller(); // an entry is removed wholly or not at all
        endViews();
        table.remove(place);
        size--;
        changes++;
    }

    /**
     * Removes all entries, and keeps the room.
     *
     * @throws IllegalStateException as for {@link #remove}
     * @throws WrongThreadException if called by another thread
     */
    public final void clear() {
        requireChangeable();
        StackReserve.requireForCaller(); // all entries are removed or none
        endViews();
        table.clear();
        size = 0;
        changes++;
    }

    // ---- views --------------------------------------------------------------------------------

    /** Returns the memory of values to return; called after an access to the table. */
    final MemorySegment values() {
        MemorySegment known = values;
        return known != null ? known : openViews();
    }

    private MemorySegment openViews() {
        Arena lifetime = Arena.ofConfined();
        MemorySegment all = table.memory();
        MemorySegment opened = NativeMemory.segment(all.address(), all.byteSize(), lifetime);
        viewing = lifetime;
        values = opened;
        return opened;
    }

    private void endViews() {
        if (viewing != null) {
            viewing.close();
            viewing = null;
            values = null;
        }
    }

    /** Copies need no life of their own. */
    private void look() {
        values = type().isView() ? null : table.memory();
    }

    private void requireChangeable() {
        requireAccess();
        guard.requireFree();
    }

    // ---- the end ------------------------------------------------------------------------------

    /**
     * Makes the map available to all threads, without copying; its keys are fixed from then on.
     * This map is dead afterwards, as if closed; closing it does nothing. {@link SharedMap#attach}
     * is the inverse, on any thread.
     *
     * @return a shared map
     * @throws IllegalStateException if this map is closed, or a downcall is using a view; nothing
     *     has changed then
     * @throws WrongThreadException if called by another thread
     */
    public final SharedMap<V> share() {
        requireChangeable();
        endViews();
        return new SharedMap<>(type(), slot, allocator, memory, table, size);
    }

    /**
     * Ends this map and its views, and frees the memory. Does nothing if the map is {@linkplain
     * #share shared}.
     *
     * @throws IllegalStateException if it is closed already, or a downcall is using a view; nothing
     *     has changed then
     * @throws WrongThreadException if called by another thread
     */
    @Override
    public final void close() {
        guard.requireEndable();
        endViews();
        memory.close();
    }

    /** Returns the number of entries, the capacity, the address and the size. */
    @Override
    public final String toString() {
        return show("NativeMap", contents() + ", room for " + capacity());
    }
}
