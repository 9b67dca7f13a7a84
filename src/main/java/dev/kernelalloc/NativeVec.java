package dev.kernelalloc;

import dev.kernelalloc.bulk.BulkMemory;
import dev.kernelalloc.core.ChangeGuard;
import dev.kernelalloc.core.GrowableBlock;
import dev.kernelalloc.core.OwnedBlock;
import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.physical.PhysicalExtent;
import dev.kernelalloc.struct.StructType;

import java.lang.foreign.MemorySegment;
import java.util.Collection;
import java.util.ConcurrentModificationException;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.Spliterator;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/**
 * A growing number of adjoining values in native memory, and the owner of that memory.
 *
 * <p>A vec belongs to the thread that created it: an access by another thread throws {@link
 * WrongThreadException}. After {@link #close} every access throws {@link IllegalStateException}.
 *
 * <p><b>Capacity.</b> A vec has room for {@link #capacity} elements. A full vec moves to a block
 * for a third more, and uses all the room that the allocator provides: at most half more, unless
 * the allocator's smallest block is larger, such as a page. From 1 MiB on, the system moves the
 * pages to another address where it can, so that nothing is copied. From 32 MiB on, it also uses
 * huge pages, so that up to 2 MiB more may be resident than elements need. A move ends all views,
 * slices and segments taken before: they throw {@link IllegalStateException}, and never reach the
 * old memory. {@link #reserve} makes room beforehand.
 *
 * <p>If memory is not available, the call throws an {@link AllocationException}, and the elements
 * are unchanged. Views, slices and segments stay valid, except those of a vec of 1 MiB or more,
 * which may have ended.
 *
 * <p><b>Code called by a vec</b>, such as the accessors of a record, a comparator, a predicate or a
 * collection to add, may read the vec and set elements. It must not add or remove elements, move,
 * hand over or close the vec: that throws {@link ConcurrentModificationException} and changes
 * nothing. Between the steps of an iterator or a stream a change is possible; the next step throws.
 *
 * <p>Views show the memory of a vec, not its elements: after a removal an older view shows the
 * element that has moved there.
 *
 * {@snippet lang = java :
 * try (NativeVec<Point> points = NativeVec.create(POINT)) {
 *     points.add(new Point(1, 2));
 *     points.add(new Point(3, 4));
 *     points.removeAt(0);
 * }
 * }
 *
 * @param <T> the type of an element: a record, copied in and out; an interface, whose instances are
 *     live views of the memory; or {@link MemorySegment} for a bare layout
 */
public abstract class NativeVec<T> implements Iterable<T>, AutoCloseable {

    private static final long FIRST_CAPACITY = 4;

    /** Larger elements change places by being swapped, not by way of a Java array. */
    private static final long MOST_COPIED_BYTES = 1 << 16;

    private final StructType<T> type;
    private final long stride;
    private final GrowableBlock buffer;

    /** All of the block. */
    MemorySegment memory;

    long size;
    long capacity;

    /** Counts removals and moves. Additions show in the size. */
    private int changes;

    /** Refuses changes by code that this vec calls. */
    final ChangeGuard guard = new ChangeGuard();

    /** Only for this package. */
    NativeVec(StructType<T> type, OwnedBlock block, long size) {
        this.type = type;
        this.stride = NativeSlice.stride(type);
        this.size = size;
        this.buffer = new GrowableBlock(block, type.byteAlignment());
        look();
    }

    // ---- making -------------------------------------------------------------------------------

    /**
     * Creates a vec without elements, which takes no memory until the first is added.
     *
     * @param <T> the type of the elements
     * @param allocator the allocator of the memory
     * @param type the type of an element
     * @return a vec owned by the calling thread
     * @throws IllegalArgumentException if the type ends in a flexible array
     * @throws IllegalStateException if the allocator is closed
     */
    public static <T> NativeVec<T> create(KernelAllocator allocator, StructType<T> type) {
        NativeSlice.bytes(type, 0);
        return VecOf.make(
                type,
                OwnedBlock.none(AbstractAllocator.blocksOf(allocator), type.byteAlignment()),
                0);
    }

    /**
     * Creates a vec without elements, in memory of the {@linkplain KernelAllocator#global global}
     * allocator.
     *
     * @param <T> the type of the elements
     * @param type the type of an element
     * @return a vec owned by the calling thread
     * @throws IllegalArgumentException if the type ends in a flexible array
     */
    public static <T> NativeVec<T> create(StructType<T> type) {
        return create(KernelAllocator.global(), type);
    }

    /**
     * Creates a vec without elements that has room for some.
     *
     * @param <T> the type of the elements
     * @param allocator the allocator of the memory
     * @param type the type of an element
     * @param capacity the minimum number of elements it has room for
     * @return a vec owned by the calling thread
     * @throws IllegalArgumentException if {@code capacity} is negative, the size of that many
     *     elements overflows, or the type ends in a flexible array
     * @throws AllocationException if memory is not available
     * @throws IllegalStateException if the allocator is closed
     */
    public static <T> NativeVec<T> withCapacity(
            KernelAllocator allocator, StructType<T> type, long capacity) {
        NativeSlice.bytes(type, "capacity", capacity);
        return filled(create(allocator, type), vec -> vec.reserve(capacity));
    }

    /**
     * Creates a vec of values.
     *
     * @param <T> the type of the elements
     * @param allocator the allocator of the memory
     * @param type the type of an element
     * @param values the values to copy, in the order of their iterator
     * @return a vec owned by the calling thread
     * @throws IllegalArgumentException if a value does not fit, or the type ends in a flexible
     *     array
     * @throws AllocationException if memory is not available
     * @throws IllegalStateException if the allocator is closed
     */
    public static <T> NativeVec<T> copyOf(
            KernelAllocator allocator, StructType<T> type, Collection<? extends T> values) {
        return filled(create(allocator, type), vec -> vec.addAll(values));
    }

    /**
     * Creates a vec that takes over the memory and the elements of an array, without copying. The
     * array is dead afterwards, as if closed; closing it does nothing.
     *
     * @param <T> the type of the elements
     * @param array an array of the calling thread
     * @return a vec owned by the calling thread
     * @throws IllegalStateException if the array is closed, or a downcall is using its segment
     * @throws WrongThreadException if the array belongs to another thread
     */
    public static <T> NativeVec<T> from(NativeArray<T> array) {
        OwnedBlock block = array.block();
        block.requireAccess();
        array.guard().requireEndable();
        OwnedBlock all = block.successor(block.usableBytes());
        NativeVec<T> vec = VecOf.over(array.type(), all, array.length());
        block.detach();
        return vec;
    }

    private static <T> NativeVec<T> filled(NativeVec<T> vec, Consumer<NativeVec<T>> filling) {
        try {
            filling.accept(vec);
            return vec;
        } catch (RuntimeException | Error e) {
            vec.close(); // no memory, a value does not fit the type, or its accessor failed
            throw e;
        }
    }

    // ---- elements -----------------------------------------------------------------------------

    /**
     * Returns the type of an element.
     *
     * @return the type of all elements
     */
    public final StructType<T> type() {
        return type;
    }

    /**
     * Returns the number of elements.
     *
     * @return the number of elements, not negative
     */
    public final long size() {
        return size;
    }

    /**
     * Returns whether there are no elements.
     *
     * @return true if {@link #size} is 0
     */
    public final boolean isEmpty() {
        return size == 0;
    }

    /**
     * Returns the number of elements for which there is room.
     *
     * @return the number of elements, at least {@link #size}; {@link Long#MAX_VALUE} if elements
     *     have no size
     */
    public final long capacity() {
        return capacity;
    }

    /**
     * Returns one element: a copy if the type is a record, a live view if it is an interface.
     *
     * @param index the index of the element
     * @return the value
     * @throws IndexOutOfBoundsException if there is no such element
     * @throws IllegalStateException if this vec is closed; of a live view, when it is used
     * @throws WrongThreadException if called by another thread; of a live view, when it is used
     */
    public abstract T get(long index);

    /**
     * Writes one element.
     *
     * @param index the index of the element
     * @param value a record; or a view, whose bytes are copied
     * @throws IndexOutOfBoundsException if there is no such element
     * @throws IllegalArgumentException if {@code value} does not fit, as in {@link
     *     StructType#set(MemorySegment, Object)}
     * @throws IllegalStateException if this vec is closed
     * @throws WrongThreadException if called by another thread
     */
    public abstract void set(long index, T value);

    /**
     * Returns one element as a live view; refused where {@link #get} would return a copy.
     *
     * @param index the index of the element
     * @return the view
     * @throws UnsupportedOperationException if the type is a record
     * @throws IndexOutOfBoundsException if there is no such element
     */
    public abstract T view(long index);

    /**
     * Returns the memory of the present elements.
     *
     * @return a segment confined to the thread of this vec, which ends when the vec moves or is
     *     closed
     * @throws IllegalStateException if this vec is closed
     * @throws WrongThreadException if called by another thread
     */
    public final MemorySegment segment() {
        block().requireAccess();
        return memory.asSlice(0, size * stride);
    }

    /**
     * Returns a slice of the present elements: to sort, search, fill, swap, copy or list them.
     *
     * @return a slice that ends when this vec moves or is closed
     * @throws IllegalStateException if this vec is closed
     * @throws WrongThreadException if called by another thread
     */
    public final NativeSlice<T> slice() {
        return slice(0, size);
    }

    /**
     * Returns a slice of some of the elements.
     *
     * @param from the index of the first element
     * @param to the index behind the last element
     * @return a slice that ends when this vec moves or is closed
     * @throws IndexOutOfBoundsException if {@code 0 <= from <= to <= size} does not hold
     * @throws IllegalStateException if this vec is closed
     * @throws WrongThreadException if called by another thread
     */
    public final NativeSlice<T> slice(long from, long to) {
        block().requireAccess();
        Objects.checkFromToIndex(from, to, size);
        return SliceOf.make(
                type, memory.asSlice(from * stride, (to - from) * stride), to - from, guard);
    }

    /**
     * Returns the physical location of the elements, in their order, until the vec moves; adjoining
     * pieces are merged. The location is the one that was read when the memory was prepared: see
     * {@link PhysicalAllocator#extents(MemorySegment)}, which can also split the pieces for a
     * device.
     *
     * @return at least one extent, unless there are no bytes
     * @throws UnsupportedOperationException if the memory is not a {@link PhysicalAllocator}'s
     * @throws PhysicalAddressException if a byte's address is unknown, with the reason
     * @throws IllegalStateException if this vec is closed
     * @throws WrongThreadException if called by another thread
     */
    public final List<PhysicalExtent> extents() {
        return block().extents(0, size * stride);
    }

    // ---- adding -------------------------------------------------------------------------------

    /**
     * Appends an element.
     *
     * @param value a record; or a view, which may be one of this vec, whose bytes are copied
     * @throws IllegalArgumentException if {@code value} does not fit; nothing has changed then
     * @throws AllocationException if memory is needed and not available; the elements are unchanged
     * @throws IllegalStateException if this vec or, if memory is needed, its allocator is closed,
     *     or a downcall is using the segment while this vec must move
     * @throws WrongThreadException if called by another thread
     */
    public abstract void add(T value);

    /**
     * Inserts an element in front of another, or appends it; otherwise as {@link #add}.
     *
     * @param index the index of the new element, at most {@link #size}
     * @param value the value, as for {@link #add}
     * @throws IndexOutOfBoundsException if {@code index} is negative or greater than the size
     */
    public final void insert(long index, T value) {
        Objects.checkIndex(index, size + 1);
        MemorySegment spare = index == size ? MemorySegment.NULL : spareElement();
        add(value);
        moveElement(size - 1, index, spare);
    }

    /**
     * Appends elements.
     *
     * @param values the values to copy, in the order of their iterator; views of this vec included
     * @throws IllegalArgumentException if one does not fit; the elements are unchanged
     * @throws AllocationException if memory is not available; the elements are unchanged
     * @throws IllegalStateException as for {@link #add}
     */
    @SuppressWarnings("unchecked") // a list of elements of the same type
    public final void addAll(Collection<? extends T> values) {
        block().requireAccess();
        guard.requireFree();
        if (values instanceof NativeSlice.ElementList<?> list && list.elements().type() == type) {
            addAll((NativeSlice<T>) list.elements());
            return;
        }
        int count;
        guard.enter();
        try {
            count = values.size();
        } finally {
            guard.exit();
        }
        if (count > capacity - size && capacity > 0 && type.isView()) {
            addAllMoving(values);
        } else {
            reserve(count);
            addEach(values);
        }
    }

    /** Copies the views before the memory that they may be of ends. */
    private void addAllMoving(Collection<? extends T> values) {
        try (NativeVec<T> copies =
                VecOf.make(type, OwnedBlock.none(block().source(), type.byteAlignment()), 0)) {
            guard.enter();
            try {
                copies.addAll(values);
            } finally {
                guard.exit();
            }
            addAll(copies.slice());
        }
    }

    private void addEach(Collection<? extends T> values) {
        long before = size;
        try {
            Iterator<? extends T> iterator = iterator(values);
            while (hasNext(iterator)) {
                add(next(iterator));
            }
        } catch (RuntimeException | Error e) {
            if (block().isAlive()) {
                truncate(before);
            }
            throw e;
        }
    }

    private Iterator<? extends T> iterator(Collection<? extends T> values) {
        guard.enter();
        try {
            return values.iterator();
        } finally {
            guard.exit();
        }
    }

    private boolean hasNext(Iterator<?> values) {
        guard.enter();
        try {
            return values.hasNext();
        } finally {
            guard.exit();
        }
    }

    private T next(Iterator<? extends T> values) {
        guard.enter();
        try {
            return values.next();
        } finally {
            guard.exit();
        }
    }

    /**
     * Appends copies of elements.
     *
     * @param elements the elements to copy, of the same layout; may be a slice of this vec
     * @throws IllegalArgumentException if their layout differs
     * @throws AllocationException if memory is not available; the elements are unchanged
     * @throws IllegalStateException if this vec or the owner of the elements is closed, or as for
     *     {@link #add}
     */
    public final void addAll(NativeSlice<T> elements) {
        elements.requireSameLayout(type);
        MemorySegment source = elements.segment();
        long bytes = source.byteSize();
        boolean own = source.scope().equals(memory.scope());
        long offset = source.address() - memory.address();
        long end = offset + bytes; // beyond the size where elements were removed since
        reserve(elements.length(), own ? Math.max(size * stride, end) : size * stride);
        BulkMemory.copy(own ? memory : source, own ? offset : 0, memory, size * stride, bytes);
        size += elements.length();
    }

    /**
     * Reserves room for additional elements, and as much more as keeps appending cheap. Does not
     * move if there is room already.
     *
     * @param additional the number of elements that can be added without more memory
     * @throws IllegalArgumentException if it is negative, or the size of all overflows
     * @throws AllocationException if memory is not available; the elements are unchanged
     * @throws IllegalStateException as for {@link #add}
     */
    public final void reserve(long additional) {
        reserve(additional, size * stride);
    }

    private void reserve(long additional, long keptBytes) {
        block().requireAccess();
        guard.requireFree();
        if (additional < 0) {
            throw new IllegalArgumentException(
                    "additional=" + additional + " must not be negative");
        }
        if (additional > capacity - size) {
            if (additional > Long.MAX_VALUE - size) {
                throw new IllegalArgumentException(
                        String.format(
                                Locale.ROOT,
                                "size=%d and additional=%d together exceed Long.MAX_VALUE",
                                size,
                                additional));
            }
            long needed = Math.max(size + additional, FIRST_CAPACITY);
            long bytes = NativeSlice.bytes(type, "capacity", needed);
            exchange(() -> buffer.enlarge(keptBytes, bytes));
        }
    }

    /**
     * Releases unused memory, as far as the allocator can: moves to a block for exactly the present
     * elements, if that is smaller.
     *
     * @throws AllocationException if the smaller block is not available; the elements are unchanged
     * @throws IllegalStateException as for {@link #add}
     */
    public final void shrinkToFit() {
        block().requireAccess();
        guard.requireFree();
        if (size == capacity || stride == 0) {
            return;
        }
        exchange(() -> buffer.shrinkToFit(size * stride));
    }

    /** For {@link #add}: copies the value before its own memory may end. */
    final void addMoving(T value) {
        block().requireAccess();
        OwnedBlock copy =
                OwnedBlock.allocate(block().source(), stride, type.byteAlignment(), false);
        try {
            guard.enter();
            try {
                type.set(copy.segment(), value);
            } finally {
                guard.exit();
            }
            reserve(1);
            copy(copy.segment(), 0, memory, size, 1);
            size++;
        } finally {
            copy.close();
        }
    }

    private void exchange(Runnable exchange) {
        MemorySegment before = memory;
        guard.enterMove();
        try {
            exchange.run();
        } finally {
            guard.exitMove();
            look(); // even if the old block was found overrun
            if (memory != before) {
                changes++;
            }
        }
    }

    private void look() {
        memory = buffer.memory();
        capacity = stride == 0 ? Long.MAX_VALUE : memory.byteSize() / stride;
    }

    private OwnedBlock block() {
        return buffer.block();
    }

    // ---- removing -----------------------------------------------------------------------------

    /**
     * Removes the last element.
     *
     * @return the value; a live view shows its former memory, until an element is added
     * @throws NoSuchElementException if there are no elements
     * @throws IllegalStateException if this vec is closed
     * @throws WrongThreadException if called by another thread
     */
    public final T removeLast() {
        block().requireAccess();
        if (size == 0) {
            throw new NoSuchElementException("the vec has no element");
        }
        guard.requireFree();
        T removed = read(size - 1);
        removeFrom(size - 1);
        return removed;
    }

    private T read(long index) {
        guard.enter();
        try {
            return type.get(memory, index * stride);
        } finally {
            guard.exit();
        }
    }

    private void removeFrom(long newSize) {
        size = newSize;
        changes++;
    }

    /**
     * Removes an element, and moves those behind it forward.
     *
     * @param index the index of the element
     * @return the value; a live view shows its bytes behind the last element, until one is added
     * @throws IndexOutOfBoundsException if there is no such element
     * @throws IllegalStateException if this vec is closed
     * @throws WrongThreadException if called by another thread
     */
    public final T removeAt(long index) {
        block().requireAccess();
        Objects.checkIndex(index, size);
        guard.requireFree();
        if (type.isView()) {
            moveElement(index, size - 1, spareElement());
            return removeLast();
        }
        T removed = read(index);
        copy(memory, index + 1, memory, index, size - 1 - index);
        removeFrom(size - 1);
        return removed;
    }

    /**
     * Removes an element, and moves the last one to its place: the effect of {@link #removeAt} in
     * constant time, but without keeping the order.
     *
     * @param index the index of the element
     * @return the value; a live view shows its bytes behind the last element, until one is added
     * @throws IndexOutOfBoundsException if there is no such element
     * @throws IllegalStateException if this vec is closed
     * @throws WrongThreadException if called by another thread
     */
    public final T swapRemove(long index) {
        block().requireAccess();
        Objects.checkIndex(index, size);
        guard.requireFree();
        if (type.isView()) {
            slice().swap(index, size - 1);
            return removeLast();
        }
        T removed = read(index);
        copy(memory, size - 1, memory, index, 1);
        removeFrom(size - 1);
        return removed;
    }

    /**
     * Removes the elements that match a predicate.
     *
     * @param condition the predicate; if it throws, the elements for which it has returned true are
     *     removed and all others kept. Elements in front of the one it is called for may have moved
     *     already
     * @return true if any element was removed
     * @throws ConcurrentModificationException if {@code condition} tries to change this vec, and
     *     lets the refusal through
     * @throws IllegalStateException if this vec is closed
     * @throws WrongThreadException if called by another thread
     */
    public final boolean removeIf(Predicate<? super T> condition) {
        Objects.requireNonNull(condition, "condition");
        block().requireAccess();
        guard.requireFree();
        long all = size;
        long kept = 0;
        long next = 0;
        guard.enter();
        try {
            while (next < all) {
                if (!condition.test(type.get(memory, next * stride))) {
                    copy(memory, next, memory, kept++, 1);
                }
                next++;
            }
        } finally {
            guard.exit();
            if (next > kept) {
                copy(memory, next, memory, kept, all - next);
                removeFrom(kept + all - next);
            }
        }
        return size < all;
    }

    /**
     * Removes all elements from an index on. Nothing moves, and the capacity stays.
     *
     * @param newSize the number of elements to keep; if there are fewer, nothing happens
     * @throws IllegalArgumentException if it is negative
     * @throws IllegalStateException if this vec is closed
     * @throws WrongThreadException if called by another thread
     */
    public final void truncate(long newSize) {
        block().requireAccess();
        if (newSize < 0) {
            throw new IllegalArgumentException("newSize=" + newSize + " must not be negative");
        }
        guard.requireFree();
        if (newSize < size) {
            removeFrom(newSize);
        }
    }

    /**
     * Removes all elements. Nothing moves, and the capacity stays.
     *
     * @throws IllegalStateException if this vec is closed
     * @throws WrongThreadException if called by another thread
     */
    public final void clear() {
        truncate(0);
    }

    // ---- one after the other ------------------------------------------------------------------

    /**
     * Performs an action for every element.
     *
     * @param action an action on a value, or a live view
     * @throws ConcurrentModificationException if {@code action} tries to add or remove elements,
     *     and lets the refusal through
     */
    @Override
    public abstract void forEach(Consumer<? super T> action);

    /**
     * Returns an iterator over the elements in their order.
     *
     * @return an iterator without removal that throws {@link ConcurrentModificationException} if
     *     elements were added or removed since
     */
    @Override
    public final Iterator<T> iterator() {
        return new VecIterator<>(this);
    }

    /**
     * Returns a spliterator over the elements in their order. It cannot be split: they belong to
     * one thread.
     *
     * @return a sized, ordered spliterator that throws {@link ConcurrentModificationException} if
     *     elements were added or removed since; its {@code trySplit} throws {@link
     *     WrongThreadException}
     */
    @Override
    public final Spliterator<T> spliterator() {
        return new VecSpliterator<>(this);
    }

    /**
     * Returns a sequential stream of the elements. They belong to one thread: a parallel stream
     * throws {@link WrongThreadException} when it begins; copy the elements first.
     *
     * @return a stream of values, or of live views
     */
    public final Stream<T> stream() {
        return StreamSupport.stream(spliterator(), false);
    }

    /** Adds memory, threads and closing site to an exception of an access. */
    final RuntimeException explain(RuntimeException thrown) {
        return block().explain(thrown);
    }

    /** Throws when this vec is closed, or another thread's. */
    private void requireAccess() {
        block().requireAccess();
    }

    private void requireUnchanged(int since, long sizeThen) {
        if (changes != since || size != sizeThen) {
            throw new ConcurrentModificationException(
                    "elements were added or removed, or have moved, while they were iterated over");
        }
    }

    // ---- the end ------------------------------------------------------------------------------

    /**
     * Copies the elements to an array, in memory of the same allocator.
     *
     * @return an array owned by the calling thread
     * @throws AllocationException if memory is not available
     * @throws IllegalStateException if this vec or its allocator is closed
     * @throws WrongThreadException if called by another thread
     */
    public final NativeArray<T> toArray() {
        NativeSlice<T> elements = slice();
        OwnedBlock copy =
                OwnedBlock.allocate(block().source(), size * stride, type.byteAlignment(), false);
        try {
            BulkMemory.copy(elements.segment(), 0, copy.segment(), 0, size * stride);
        } catch (RuntimeException | Error e) {
            copy.close(); // a pressure listener has closed this vec
            throw e;
        }
        return NativeArray.owning(type, copy, size);
    }

    /**
     * Returns an array that takes over the memory and the elements, without copying. This vec is
     * dead afterwards, as if closed; closing it does nothing. Unused capacity stays with the array:
     * see {@link #shrinkToFit}.
     *
     * @return an array owned by the calling thread
     * @throws IllegalStateException if this vec is closed, or a downcall is using its segment
     * @throws WrongThreadException if called by another thread
     */
    public final NativeArray<T> intoArray() {
        guard.requireEndable();
        // Created before the memory changes hands, so that the elements are not lost with a full
        // Java heap.
        NativeArray<T> array = ArrayOf.make(type, block().successor(size * stride), size);
        block().detach();
        return array;
    }

    /**
     * Ends this vec, its slices, its views and its segments, and frees the memory. Does nothing if
     * {@link #intoArray} has handed it over.
     *
     * @throws IllegalStateException if it is closed already, or a downcall is using the segment;
     *     nothing has changed then
     * @throws WrongThreadException if called by another thread
     */
    @Override
    public final void close() {
        guard.requireEndable();
        block().close();
    }

    /**
     * Returns the first elements, the address and the guarantee of the pages; once closed, or on
     * another thread, without the elements.
     */
    @Override
    public final String toString() {
        return block().describe("NativeVec", () -> slice().contents() + ", room for " + capacity);
    }

    /** Room for an element on its way; none where elements are large. */
    private MemorySegment spareElement() {
        return stride > MOST_COPIED_BYTES
                ? MemorySegment.NULL
                : MemorySegment.ofArray(new byte[(int) stride]);
    }

    /** Moves an element to another place, and those between by one. */
    private void moveElement(long from, long to, MemorySegment spare) {
        if (from == to) {
            return;
        }
        if (stride > MOST_COPIED_BYTES) {
            NativeSlice<T> elements = slice();
            int step = from < to ? 1 : -1;
            for (long i = from; i != to; i += step) {
                elements.swap(i, i + step);
            }
            return;
        }
        copy(memory, from, spare, 0, 1);
        if (from < to) {
            copy(memory, from + 1, memory, from, to - from);
        } else {
            copy(memory, to, memory, to + 1, from - to);
        }
        copy(spare, 0, memory, to, 1);
    }

    private void copy(MemorySegment from, long first, MemorySegment to, long place, long count) {
        BulkMemory.copy(from, first * stride, to, place * stride, count * stride);
    }

    /** The elements of a vec in their order, as long as none is added or removed. */
    private static final class VecIterator<T> implements Iterator<T> {

        private final NativeVec<T> elements;
        private final int changes;
        private final long size;
        private long next;

        VecIterator(NativeVec<T> elements) {
            this.elements = elements;
            this.changes = elements.changes;
            this.size = elements.size();
        }

        @Override
        public boolean hasNext() {
            elements.requireAccess();
            elements.requireUnchanged(changes, size);
            return next < size;
        }

        @Override
        public T next() {
            elements.requireUnchanged(changes, size);
            if (next == size) {
                throw new NoSuchElementException();
            }
            return elements.get(next++);
        }
    }

    /** The elements of a vec in their order, as long as none is added or removed. */
    private static final class VecSpliterator<T> implements Spliterator<T> {

        private final NativeVec<T> elements;
        private final int changes;
        private final long size;
        private long next;

        VecSpliterator(NativeVec<T> elements) {
            this.elements = elements;
            this.changes = elements.changes;
            this.size = elements.size();
        }

        @Override
        public boolean tryAdvance(Consumer<? super T> action) {
            elements.requireUnchanged(changes, size);
            if (next == size) {
                return false;
            }
            action.accept(elements.get(next++));
            return true;
        }

        /** Only a parallel stream asks. */
        @Override
        public Spliterator<T> trySplit() {
            throw NativeSlice.confined();
        }

        @Override
        public long estimateSize() {
            return size - next;
        }

        @Override
        public int characteristics() {
            return ORDERED | SIZED | SUBSIZED | NONNULL;
        }
    }
}
