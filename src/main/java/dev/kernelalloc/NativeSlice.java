package dev.kernelalloc;

import dev.kernelalloc.bulk.Alignment;
import dev.kernelalloc.bulk.BulkMemory;
import dev.kernelalloc.core.ChangeGuard;
import dev.kernelalloc.core.ClosingSites;
import dev.kernelalloc.core.IndexSpliterator;
import dev.kernelalloc.core.MergeSort;
import dev.kernelalloc.core.OwnerText;
import dev.kernelalloc.struct.StructType;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.MemorySegment;
import java.util.AbstractList;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.RandomAccess;
import java.util.Spliterator;
import java.util.function.Consumer;
import java.util.function.IntFunction;
import java.util.function.ToLongFunction;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/**
 * Adjoining values of one type in native memory: a whole {@link NativeArray}, a borrowed part of
 * one or of a {@link NativeVec}, or {@linkplain #over any segment}. A slice ends with its owner:
 * from then on every access throws {@link IllegalStateException}. On any thread but the owner's it
 * throws {@link WrongThreadException}. A slice over a segment has the bounds, the life, the threads
 * and the write protection of the segment.
 *
 * <p>The elements of a record type are copies: {@link #get} reads one, {@link #set} writes one.
 * Those of an interface type are live views of the memory, and so are slices of a bare layout; to
 * copy one is to copy its bytes.
 *
 * <p><b>Code called by an operation</b>, such as the accessors of a record, a comparator, a
 * function or an action, may read and set elements. It must not end the owner of the memory, nor
 * add elements to a vec that owns it or remove some: that throws {@link
 * java.util.ConcurrentModificationException} and changes nothing. Iterators and streams show the
 * memory as long as it lives.
 *
 * <p>As in C, an element takes the size of its type rounded up to its alignment. Indexes are
 * counted from 0, and every index is checked. An access costs what the raw loop over the segment
 * costs, and makes no garbage unless the value escapes.
 *
 * @param <T> the type of an element: a record, an interface, or {@link MemorySegment} for a bare
 *     layout
 */
public abstract class NativeSlice<T> implements Iterable<T> {

    /** Elements that {@link #toString} shows. */
    private static final int SHOWN_ELEMENTS = 4;

    /** Equal elements that {@link #fill} copies at once, unless one is larger. */
    private static final long TILE_BYTES = 2 << 10;

    /** Only for this package. */
    NativeSlice() {}

    // ---- making one ---------------------------------------------------------------------------

    /**
     * Returns a segment as a slice: a mapped file, memory of C, a part of an arena, a Java array.
     * It owns nothing, and every access is one of the segment.
     *
     * {@snippet lang = java :
     * MemorySegment file = channel.map(READ_WRITE, 0, channel.size(), arena);
     * NativeSlice<Point> points = NativeSlice.over(POINT, file);
     * points.sortByLong(Point::x);
     * }
     *
     * <p>Any thread that may access the segment may use the slice. If the segment is shared, so is
     * the slice, and its {@link #stream} may be parallel; that of a confined segment throws {@link
     * WrongThreadException} in the first other thread that accesses an element. Code called by an
     * operation may close the arena of the segment: the operation then throws {@link
     * IllegalStateException}.
     *
     * @param <T> the type of the elements
     * @param type the type of an element
     * @param segment the memory: whole elements, the first at an address aligned for the type
     * @return a slice of all elements in the segment
     * @throws IllegalArgumentException if the size of the segment is no multiple of that of an
     *     element, its address is not aligned, or the size of an element is 0 or not fixed
     */
    public static <T> NativeSlice<T> over(StructType<T> type, MemorySegment segment) {
        long length = wholeElements(type, segment.byteSize());
        requireAligned(type, segment);
        return SliceOf.make(type, segment, length, ChangeGuard.NONE);
    }

    // ---- elements -----------------------------------------------------------------------------

    /**
     * Returns the type of an element.
     *
     * @return the type of all elements
     */
    public abstract StructType<T> type();

    /**
     * Returns the number of elements. Allowed at any time, on any thread.
     *
     * @return the number of elements, not negative
     */
    public abstract long length();

    /**
     * Returns one element: a copy if the type is a record, a live view if it is an interface.
     *
     * @param index the index of the element
     * @return the value
     * @throws IndexOutOfBoundsException if there is no such element
     * @throws IllegalStateException if the owner is closed; of a live view, when it is used
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
     * @throws IllegalStateException if the owner is closed
     * @throws WrongThreadException if called by another thread
     */
    public abstract void set(long index, T value);

    /**
     * Returns one element as a live view. This is {@link #get}, except that it refuses to return a
     * copy, so that no write to a copy is lost.
     *
     * @param index the index of the element
     * @return the view
     * @throws UnsupportedOperationException if the type is a record
     * @throws IndexOutOfBoundsException if there is no such element
     */
    public abstract T view(long index);

    /**
     * Returns the memory of all elements, which ends with the owner.
     *
     * @return a segment confined to the thread of the owner
     */
    public abstract MemorySegment segment();

    /** Refuses changes to the owner of the memory while one of its operations is in the middle. */
    abstract ChangeGuard guard();

    /** Adds memory, threads and closing site to an exception of an access. */
    final RuntimeException explain(RuntimeException thrown) {
        return ClosingSites.explain(thrown, segment(), guard().owner());
    }

    /**
     * Returns the memory of one element.
     *
     * @param index the index of the element
     * @return a segment of the size of the type, with the life of {@link #segment()}
     * @throws IndexOutOfBoundsException if there is no such element
     */
    public final MemorySegment segment(long index) {
        Objects.checkIndex(index, length());
        return segment().asSlice(index * stride(type()), type().byteSize());
    }

    /**
     * Replaces one element by the result of a function of it.
     *
     * @param index the index of the element
     * @param change a function from the old value to the new one; if it throws, nothing has changed
     * @throws IndexOutOfBoundsException if there is no such element
     */
    public final void update(long index, UnaryOperator<T> change) {
        guard().enter();
        try {
            set(index, change.apply(get(index)));
        } finally {
            guard().exit();
        }
    }

    /**
     * Exchanges the bytes of two elements.
     *
     * @param first the index of an element
     * @param second the index of another element, or of the same
     * @throws IndexOutOfBoundsException if one of the elements does not exist
     */
    public final void swap(long first, long second) {
        MemorySegment one = segment(first);
        MemorySegment other = segment(second);
        try {
            BulkMemory.swap(one, 0, other, 0, one.byteSize());
        } catch (IllegalStateException | WrongThreadException e) {
            throw explain(e);
        }
    }

    /** Reverses the order of the elements. */
    public final void reverse() {
        long last = length() - 1;
        for (long i = 0; i < last - i; i++) {
            swap(i, last - i);
        }
    }

    /**
     * Returns whether there are no elements.
     *
     * @return true if {@link #length} is 0
     */
    public final boolean isEmpty() {
        return length() == 0;
    }

    /**
     * Returns a part of this slice, which ends with the same owner.
     *
     * @param from the index of its first element
     * @param to the index behind its last element
     * @return a slice of the same memory
     * @throws IndexOutOfBoundsException if {@code 0 <= from <= to <= length} does not hold
     */
    public final NativeSlice<T> slice(long from, long to) {
        Objects.checkFromToIndex(from, to, length());
        long stride = stride(type());
        return SliceOf.make(
                type(), segment().asSlice(from * stride, (to - from) * stride), to - from, guard());
    }

    // ---- many at once -------------------------------------------------------------------------

    /**
     * Writes one value to all elements; paddings get the bytes of the first element's.
     *
     * <p>The value is written to temporary memory from {@link PoolAllocator#shared} and copied from
     * there, so it is the value that arrives even if another thread writes to the elements. Zeros
     * are written over it at the end.
     *
     * @param value the value, as for {@link #set}
     * @throws AllocationException if that memory is not available; nothing has changed then
     */
    public final void fill(T value) {
        Objects.requireNonNull(value, "value");
        if (isEmpty()) {
            return;
        }
        long stride = stride(type());
        long most = Math.max(stride, TILE_BYTES - TILE_BYTES % Math.max(1, stride));
        PoolAllocator pool = PoolAllocator.shared();
        MemorySegment tile =
                pool.allocate(Math.min(segment().byteSize(), most), type().byteAlignment());
        try {
            BulkMemory.copy(segment(), 0, tile, 0, stride); // paddings
            guard().enter();
            try {
                type().set(tile, value);
            } finally {
                guard().exit();
            }
            BulkMemory.repeat(tile, stride);
            BulkMemory.tile(tile, segment());
        } catch (IllegalStateException | WrongThreadException e) {
            throw explain(e);
        } finally {
            BulkMemory.fill(tile, (byte) 0); // the elements may be secret
            pool.free(tile);
        }
    }

    /**
     * Copies the values of a Java array, one after the other. A view of one of these elements is
     * copied with the contents it has at its turn.
     *
     * @param values the values, one per element
     * @throws IllegalArgumentException if the number differs, and nothing is written; or if a value
     *     does not fit its element, and those in front of it are written
     */
    public final void copyFrom(T[] values) {
        requireLength(values.length, "values passed");
        guard().enter();
        try {
            for (int i = 0; i < values.length; i++) {
                set(i, values[i]);
            }
        } finally {
            guard().exit();
        }
    }

    /**
     * Copies the bytes of the same number of other elements, which may overlap this memory.
     *
     * @param source the elements to copy, of the same layout
     * @throws IllegalArgumentException if their number or layout differs
     */
    public final void copyFrom(NativeSlice<T> source) {
        requireSameLayout(source.type());
        requireLength(source.length(), "elements passed");
        try {
            BulkMemory.copy(source.segment(), 0, segment(), 0, segment().byteSize());
        } catch (IllegalStateException | WrongThreadException e) {
            RuntimeException explained = explain(e);
            throw explained == e ? source.explain(e) : explained;
        }
    }

    /**
     * Copies bytes into all elements: those of a Java array of primitives for example, by {@link
     * MemorySegment#ofArray(int[])}.
     *
     * @param bytes the bytes to copy, of the size of {@link #segment()}
     * @throws IllegalArgumentException if the size differs
     */
    public final void copyFrom(MemorySegment bytes) {
        requireBytes(bytes);
        try {
            BulkMemory.copy(bytes, 0, segment(), 0, bytes.byteSize());
        } catch (IllegalStateException | WrongThreadException e) {
            throw explain(e);
        }
    }

    /**
     * Copies all elements into a Java array. Live views among them stay live.
     *
     * @param target the array to fill, with one place per element
     * @throws IllegalArgumentException if the number differs
     */
    public final void copyTo(T[] target) {
        requireLength(target.length, "places passed");
        guard().enter();
        try {
            for (int i = 0; i < target.length; i++) {
                target[i] = get(i);
            }
        } finally {
            guard().exit();
        }
    }

    /**
     * Copies the bytes of all elements, to a Java array of primitives for example.
     *
     * @param target the memory to fill, of the size of {@link #segment()}
     * @throws IllegalArgumentException if the size differs
     */
    public final void copyTo(MemorySegment target) {
        requireBytes(target);
        try {
            BulkMemory.copy(segment(), 0, target, 0, target.byteSize());
        } catch (IllegalStateException | WrongThreadException e) {
            throw explain(e);
        }
    }

    /**
     * Returns all elements in a new Java array. Live views among them stay live.
     *
     * @param newArray the constructor of the array: {@code Point[]::new}
     * @return an array of all elements
     * @throws IllegalStateException if there are more elements than a Java array can hold
     */
    public final T[] toArray(IntFunction<T[]> newArray) {
        T[] values = newArray.apply(requireIntLength("a Java array"));
        copyTo(values);
        return values;
    }

    /**
     * Sorts the elements in place; equal ones keep their order. If the comparator throws, every
     * element is still present, in an unspecified order.
     *
     * <p>The sort temporarily takes memory for half of the elements from {@link
     * PoolAllocator#shared}. If other threads write to the elements meanwhile, the order is
     * unspecified, and elements may be lost or occur twice.
     *
     * @param order the order of the values; live views passed to it are valid during the call
     * @throws AllocationException if that memory is not available; nothing has changed then
     * @throws IllegalArgumentException if the memory is read-only
     */
    public final void sort(Comparator<? super T> order) {
        Objects.requireNonNull(order, "order");
        if (segment().isReadOnly()) {
            throw new IllegalArgumentException("the elements are read-only: " + segment());
        }
        try {
            MergeSort.sort(
                    type(),
                    segment(),
                    length(),
                    guard(),
                    AbstractAllocator.blocksOf(PoolAllocator.shared()),
                    order);
        } catch (IllegalStateException | WrongThreadException e) {
            throw explain(e);
        }
    }

    /**
     * Sorts the elements by an integer key; otherwise as {@link #sort}.
     *
     * @param key the key of a value
     * @throws AllocationException as {@link #sort} does
     */
    public final void sortByLong(ToLongFunction<? super T> key) {
        sort(Comparator.comparingLong(Objects.requireNonNull(key, "key")));
    }

    /**
     * Searches sorted elements for a value.
     *
     * @param value the value to search for
     * @param order the order of the elements
     * @return the index of an equal element; or {@code -1 - i} if there is none and {@code value}
     *     would keep the order at {@code i}
     */
    public final long binarySearch(T value, Comparator<? super T> order) {
        Objects.requireNonNull(order, "order");
        guard().enter();
        try {
            return search(value, order);
        } finally {
            guard().exit();
        }
    }

    private long search(T value, Comparator<? super T> order) {
        long low = 0;
        long high = length() - 1;
        while (low <= high) {
            long middle = low + high >>> 1;
            int compared = order.compare(get(middle), value);
            if (compared < 0) {
                low = middle + 1;
            } else if (compared > 0) {
                high = middle - 1;
            } else {
                return middle;
            }
        }
        return -1 - low;
    }

    /**
     * Searches elements that are sorted by an integer key.
     *
     * @param value the key to search for
     * @param key the key of an element
     * @return the same as {@link #binarySearch}
     */
    public final long binarySearchByLong(long value, ToLongFunction<? super T> key) {
        Objects.requireNonNull(key, "key");
        guard().enter();
        try {
            return searchByLong(value, key);
        } finally {
            guard().exit();
        }
    }

    private long searchByLong(long value, ToLongFunction<? super T> key) {
        long low = 0;
        long high = length() - 1;
        while (low <= high) {
            long middle = low + high >>> 1;
            long found = key.applyAsLong(get(middle));
            if (found < value) {
                low = middle + 1;
            } else if (found > value) {
                high = middle - 1;
            } else {
                return middle;
            }
        }
        return -1 - low;
    }

    // ---- one after the other ------------------------------------------------------------------

    @Override
    public abstract void forEach(Consumer<? super T> action);

    /**
     * Returns an iterator over the elements in their order, which reads each on request.
     *
     * @return an iterator without removal; it costs no garbage if the JIT inlines the loop around
     *     it
     */
    @Override
    public final Iterator<T> iterator() {
        return new ElementIterator<>(this);
    }

    /**
     * Returns a spliterator over the elements in their order. Those of an {@link ArrayLease} and of
     * a slice {@link #over} a segment can be split: other elements belong to one thread.
     *
     * @return a sized, ordered spliterator, whose {@code trySplit} otherwise throws {@link
     *     WrongThreadException}
     */
    @Override
    public Spliterator<T> spliterator() {
        return guard() == ChangeGuard.NONE
                ? new IndexSpliterator<T>(this::forEachOfSegment, 0, length())
                : new ElementSpliterator<>(this);
    }

    /** For any thread: the segment checks each access. */
    private void forEachOfSegment(long from, long to, Consumer<? super T> action) {
        if (to - from == 1) {
            action.accept(get(from));
        } else {
            slice(from, to).forEach(action);
        }
    }

    /**
     * Returns a stream of the elements, sequential at first. That of an {@link ArrayLease}, and of
     * a slice {@link #over} a shared segment, may be {@linkplain Stream#parallel parallel}: other
     * elements belong to one thread, and a parallel stream of them throws {@link
     * WrongThreadException} when it begins.
     *
     * @return a stream of values, or of live views
     */
    public final Stream<T> stream() {
        return StreamSupport.stream(spliterator(), false);
    }

    /**
     * Returns the elements as a list of fixed size. Elements can be set, unless they are live
     * views, which are written through; none can be added or removed.
     *
     * @return a list that ends with the owner
     * @throws IllegalStateException if there are more elements than a list can hold: use a slice
     */
    public final List<T> asList() {
        return new ElementList<>(this, requireIntLength("a list"));
    }

    // ---- for people ---------------------------------------------------------------------------

    /** Returns the first elements and the address; once the owner is closed, only the address. */
    @Override
    public String toString() {
        return show("NativeSlice", "");
    }

    /**
     * Describes the elements under another name.
     *
     * @param guarantee of the pages; empty for none
     */
    final String show(String name, String guarantee) {
        MemorySegment memory = segment();
        String location = OwnerText.location(memory.address(), memory.byteSize(), guarantee);
        return OwnerText.of(name, "", memory, this::contents, location);
    }

    /** The length and the first elements. */
    final String contents() {
        StringBuilder text = new StringBuilder().append(length()).append(" × {");
        for (long i = 0; i < Math.min(length(), SHOWN_ELEMENTS); i++) {
            text.append(i == 0 ? "" : ", ").append(type().toString(segment(i)));
        }
        return text.append(length() > SHOWN_ELEMENTS ? ", …}" : "}").toString();
    }

    // ---- what is asked for --------------------------------------------------------------------

    /**
     * Returns the distance of elements, as in C: a size is never less than a multiple of its
     * alignment.
     */
    static long stride(StructType<?> type) {
        return Alignment.up(type.byteSize(), type.byteAlignment());
    }

    /**
     * The bytes of a number of elements.
     *
     * @throws IllegalArgumentException if the number is negative, their size overflows, or the size
     *     of one is not fixed
     */
    static long bytes(StructType<?> type, long length) {
        return bytes(type, "length", length);
    }

    /**
     * @param name of the number, for messages
     */
    static long bytes(StructType<?> type, String name, long length) {
        if (type.isFlexible()) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "%s ends in a @Flexible array: elements need a fixed size",
                            type));
        }
        if (length < 0) {
            throw new IllegalArgumentException(name + "=" + length + " must not be negative");
        }
        long stride = stride(type);
        if (Math.multiplyHigh(length, stride) != 0 || length * stride < 0) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "%s=%d of %d bytes each exceeds Long.MAX_VALUE",
                            name,
                            length,
                            stride));
        }
        return length * stride;
    }

    /** Returns how many elements a number of bytes are. */
    static long wholeElements(StructType<?> type, long bytes) {
        long stride = bytes(type, 1);
        if (stride == 0 || bytes % stride != 0) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "bytes=%d are no whole number of elements: type=%s stride=%d",
                            bytes,
                            type,
                            stride));
        }
        return bytes / stride;
    }

    static void requireAligned(StructType<?> type, MemorySegment segment) {
        if (segment.maxByteAlignment() < type.byteAlignment()) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "misaligned: segment=%s alignment=%d type=%s needs %d; declare"
                                    + " @Struct(packed = true) if the data is",
                            segment,
                            segment.maxByteAlignment(),
                            type,
                            type.byteAlignment()));
        }
    }

    static UnsupportedOperationException notLive(StructType<?> type) {
        return new UnsupportedOperationException(
                String.format(
                                Locale.ROOT,
                                "%s is a record, whose values are copies: use get and set, or"
                                        + " describe the struct",
                                type.type().getName())
                        + " by an interface");
    }

    final void requireSameLayout(StructType<?> other) {
        if (other != type() && !other.layout().equals(type().layout())) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "elements of %s passed, but these are of %s with another layout",
                            other,
                            type()));
        }
    }

    private void requireLength(long given, String what) {
        if (given != length()) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "%d %s, but there are %d elements: take a slice of as many",
                            given,
                            what,
                            length()));
        }
    }

    private void requireBytes(MemorySegment bytes) {
        if (bytes.byteSize() != segment().byteSize()) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "%d bytes passed, but %d elements have %d bytes",
                            bytes.byteSize(),
                            length(),
                            segment().byteSize()));
        }
    }

    private int requireIntLength(String of) {
        if (length() > Integer.MAX_VALUE) {
            throw new IllegalStateException(
                    String.format(
                            Locale.ROOT,
                            "%d elements are more than %s can have: take a slice",
                            length(),
                            of));
        }
        return (int) length();
    }

    // ---- views of the elements ----------------------------------------------------------------

    /** The elements of a slice in their order, each read when it is asked for. */
    private static final class ElementIterator<T> implements Iterator<T> {

        private final NativeSlice<T> elements;
        private long next;

        ElementIterator(NativeSlice<T> elements) {
            this.elements = elements;
        }

        @Override
        public boolean hasNext() {
            return next < elements.length();
        }

        @Override
        public T next() {
            if (!hasNext()) {
                throw new NoSuchElementException();
            }
            return elements.get(next++);
        }
    }

    /** The elements of a slice in their order, for the one thread that they belong to. */
    private static final class ElementSpliterator<T> implements Spliterator<T> {

        private final NativeSlice<T> elements;
        private long next;

        ElementSpliterator(NativeSlice<T> elements) {
            this.elements = elements;
        }

        @Override
        public boolean tryAdvance(Consumer<? super T> action) {
            if (next == elements.length()) {
                return false;
            }
            action.accept(elements.get(next++));
            return true;
        }

        /** The loop of the elements' class, which the JIT compiles for their type. */
        @Override
        public void forEachRemaining(Consumer<? super T> action) {
            if (next == 0) {
                next = elements.length();
                elements.forEach(action);
            } else {
                Spliterator.super.forEachRemaining(action);
            }
        }

        /** Only a parallel stream asks: the parts would be other threads' work. */
        @Override
        public Spliterator<T> trySplit() {
            throw confined();
        }

        @Override
        public long estimateSize() {
            return elements.length() - next;
        }

        @Override
        public int characteristics() {
            return ORDERED | SIZED | SUBSIZED | NONNULL;
        }
    }

    /** The elements of a slice as a list of their number. */
    static final class ElementList<T> extends AbstractList<T> implements RandomAccess {

        private final NativeSlice<T> elements;
        private final int size;

        ElementList(NativeSlice<T> elements, int size) {
            this.elements = elements;
            this.size = size;
        }

        @Override
        public int size() {
            return size;
        }

        @Override
        public T get(int index) {
            return elements.get(index);
        }

        /** Not of live views: the one returned would show what has replaced it. */
        @Override
        public T set(int index, T value) {
            if (elements.type().isView()) {
                throw new UnsupportedOperationException(
                        "elements are live views: write through them, or set one in the array"
                                + " itself");
            }
            T old = elements.get(index);
            elements.set(index, value);
            return old;
        }

        @Override
        public void forEach(Consumer<? super T> action) {
            elements.forEach(action);
        }

        @Override
        public void replaceAll(UnaryOperator<T> operator) {
            elements.guard().enter();
            try {
                for (int i = 0; i < size; i++) {
                    set(i, operator.apply(get(i)));
                }
            } finally {
                elements.guard().exit();
            }
        }

        /** Returns the listed elements. */
        NativeSlice<T> elements() {
            return elements;
        }

        /** In the memory: what a list does otherwise, with an array of views, would mix them up. */
        @Override
        @SuppressWarnings("unchecked") // without an order they must be comparable with each other
        public void sort(@Nullable Comparator<? super T> order) {
            elements.sort(
                    order == null ? (Comparator<? super T>) Comparator.naturalOrder() : order);
        }

        @Override
        public Spliterator<T> spliterator() {
            return elements.spliterator();
        }
    }

    static WrongThreadException confined() {
        return new WrongThreadException(
                "the elements are confined to one thread: a parallel stream cannot reach them."
                        + " Share the array, and stream over a lease; or copy the values first");
    }
}
