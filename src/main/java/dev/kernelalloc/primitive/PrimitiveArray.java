package dev.kernelalloc.primitive;

import dev.kernelalloc.ArrayLease;
import dev.kernelalloc.NativeArray;
import dev.kernelalloc.NativeSlice;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.bulk.BulkMemory;
import dev.kernelalloc.core.ClosingSites;
import dev.kernelalloc.core.OwnerText;
import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.physical.PhysicalExtent;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.function.Supplier;

/**
 * Numbers of one primitive type in native memory, one after the other: what all arrays of numbers
 * have in common. The classes of each type add the access to elements.
 *
 * {@snippet lang = java :
 * try (NativeLongArray longs = NativeLongArray.zeroed(1_000_000)) {
 *     for (long i = 0; i < longs.length(); i++) {
 *         longs.set(i, longs.get(i) - i);
 *     }
 *     longs.sort();
 *     long found = longs.binarySearch(-1);
 * }
 * }
 *
 * <p>An array is one of three:
 *
 * <ul>
 *   <li>The <b>owner</b> of a block, by {@code zeroed}, {@code uninitialized} and {@code of}. It
 *       belongs to the thread that created it, and {@link #close} frees the block.
 *   <li>A <b>lease</b> of a {@link SharedPrimitiveArray}. It belongs to the thread that took it,
 *       and {@code close} ends it.
 *   <li>A <b>view</b>: a {@link #slice} of an array, or an array {@code over} a segment. It ends
 *       with the memory, has the threads and the write protection of the memory, and {@code close}
 *       does nothing.
 * </ul>
 *
 * <p>After the end every access throws {@link IllegalStateException}, on another thread {@link
 * WrongThreadException}, outside the bounds {@link IndexOutOfBoundsException}. The length may be
 * read at any time, on any thread. Elements have the byte order of the machine. An access costs
 * that of the raw segment, and makes no garbage.
 *
 * @param <A> the class of the array
 */
public abstract sealed class PrimitiveArray<A extends PrimitiveArray<A>> implements AutoCloseable
        permits NativeByteArray,
                NativeShortArray,
                NativeIntArray,
                NativeLongArray,
                NativeFloatArray,
                NativeDoubleArray {

    /** Elements that {@link #toString} shows. */
    private static final int SHOWN_ELEMENTS = 8;

    /** The most that is prepared on the Java heap and copied again and again. */
    private static final long TILE_WORDS = 128;

    private final NativeSlice<MemorySegment> memory;
    final MemorySegment segment;
    final long length;

    /** Calls the supplier last: see {@link PrimitiveKind.Constructor}. */
    PrimitiveArray(Supplier<NativeSlice<MemorySegment>> memory, long length) {
        this.length = length;
        this.memory = memory.get();
        this.segment = this.memory.segment();
    }

    /** Returns how arrays of this class are made. */
    abstract PrimitiveKind<A> kind();

    // ---- all elements -------------------------------------------------------------------------

    /**
     * Returns the number of elements. Allowed at any time, on any thread.
     *
     * @return the number of elements, not negative
     */
    public final long length() {
        return length;
    }

    /**
     * Returns whether there are no elements.
     *
     * @return true if {@link #length} is 0
     */
    public final boolean isEmpty() {
        return length == 0;
    }

    /**
     * Returns the memory of all elements: for C functions, channels, and the access modes of {@link
     * VarHandle}.
     *
     * @return a segment that ends with the memory
     */
    public final MemorySegment segment() {
        return segment;
    }

    /**
     * Returns a part of this array: the same memory, which the part neither owns nor keeps.
     *
     * @param from the index of its first element
     * @param to the index behind its last element
     * @return a view of the elements
     * @throws IndexOutOfBoundsException if {@code 0 <= from <= to <= length} does not hold
     */
    public final A slice(long from, long to) {
        Objects.checkFromToIndex(from, to, length);
        return kind().constructor().apply(() -> memory.slice(from, to), to - from);
    }

    /**
     * Copies the elements of another array, whose memory may overlap this one's.
     *
     * @param source an array of the same length
     * @throws IllegalArgumentException if the lengths differ
     */
    public final void copyFrom(A source) {
        source.requireAccess();
        copyFrom(source.segment());
    }

    /**
     * Copies bytes into all elements.
     *
     * @param bytes the bytes to copy, of the size of {@link #segment()}
     * @throws IllegalArgumentException if the sizes differ
     */
    public final void copyFrom(MemorySegment bytes) {
        requireSize(bytes);
        BulkMemory.copy(bytes, 0, segment, 0, bytes.byteSize());
    }

    /**
     * Copies the bytes of all elements.
     *
     * @param target the memory to fill, of the size of {@link #segment()}
     * @throws IllegalArgumentException if the sizes differ
     */
    public final void copyTo(MemorySegment target) {
        requireSize(target);
        BulkMemory.copy(segment, 0, target, 0, target.byteSize());
    }

    /**
     * Returns the first index at which the bits of two arrays differ.
     *
     * @param other the array to compare with
     * @return the index; the smaller length if one array is the beginning of the other; -1 if both
     *     are equal
     */
    public final long mismatch(A other) {
        requireAccess();
        other.requireAccess();
        long bytes = BulkMemory.mismatch(segment, other.segment());
        return bytes < 0 ? bytes : bytes >> kind().format().shift();
    }

    /**
     * Sorts the elements in place, in ascending order; among floating-point numbers -0.0 comes
     * before 0.0, and every NaN comes last. The time is linear in the length. Takes about 100 KiB
     * of the Java heap at a time. If other threads write to the elements meanwhile, the order is
     * unspecified, and elements may be lost or occur twice.
     *
     * @throws IllegalArgumentException if the memory is read-only
     */
    public final void sort() {
        requireWritable();
        requireAccess();
        RadixSort.sort(kind().format(), segment, length);
    }

    /** Searches sorted elements for one with the same order as that of the bits. */
    final long search(long bits) {
        requireAccess();
        NumberFormat format = kind().format();
        long key = format.keyOrLast(bits);
        long low = 0;
        long high = length - 1;
        while (low <= high) {
            long middle = low + high >>> 1;
            int compared = Long.compare(format.keyOrLast(format.bits(segment, middle)), key);
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

    /** Writes one element to all places, in words, which hold it repeated. */
    final void fillBits(long bits) {
        requireWritable();
        requireAccess();
        NumberFormat format = kind().format();
        long word = format.repeated(bits);
        if (word == Long.rotateLeft(word, Byte.SIZE)) {
            BulkMemory.fill(segment, (byte) word); // zero for example
            return;
        }
        long words = Math.ceilDiv(segment.byteSize(), Long.BYTES);
        long[] tile = new long[(int) Math.min(words, TILE_WORDS)];
        Arrays.fill(tile, word);
        BulkMemory.tile(MemorySegment.ofArray(tile), segment);
    }

    private void requireWritable() {
        if (segment.isReadOnly()) {
            throw new IllegalArgumentException("the elements are read-only: " + segment);
        }
    }

    /** Throws if the memory has ended, or is confined to another thread; for no elements, too. */
    final void requireAccess() {
        if (!segment.scope().isAlive()) {
            throw new IllegalStateException(
                    "already closed: " + this + ClosingSites.of(segment.scope()));
        }
        if (!segment.isAccessibleBy(Thread.currentThread())) {
            throw new WrongThreadException(this + ", not of " + Thread.currentThread());
        }
    }

    /** Returns the length of a Java array of all elements. */
    final int intLength() {
        if (length > Integer.MAX_VALUE - 8) {
            throw new IllegalStateException(
                    String.format(
                            Locale.ROOT,
                            "length=%d exceeds that of a Java array; take a slice",
                            length));
        }
        return (int) length;
    }

    private void requireSize(MemorySegment other) {
        requireAccess();
        if (other.byteSize() != segment.byteSize()) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "sizes differ: passed=%d bytes=%d length=%d; take a slice of as many",
                            other.byteSize(),
                            segment.byteSize(),
                            length));
        }
    }

    // ---- owners -------------------------------------------------------------------------------

    /**
     * Makes the array available to all threads, without copying. This array is dead afterwards, as
     * if closed; closing it does nothing. {@link SharedPrimitiveArray#attach} is the inverse, on
     * any thread.
     *
     * @return a shared array
     * @throws UnsupportedOperationException if this array is a lease or a view
     * @throws IllegalStateException if this array is closed, or a downcall is using the segment;
     *     nothing has changed then
     * @throws WrongThreadException if called by another thread
     */
    public final SharedPrimitiveArray<A> share() {
        if (!(memory instanceof NativeArray<MemorySegment> owned)) {
            throw new UnsupportedOperationException("owns no memory to share: " + this);
        }
        return new SharedPrimitiveArray<>(kind(), length, owned::share);
    }

    /**
     * Returns the physical location of the elements, in their order; adjoining pieces are merged.
     * The location is the one that was read when the memory was prepared: see {@link
     * PhysicalAllocator#extents(MemorySegment)}.
     *
     * @return at least one extent, unless there are no bytes
     * @throws UnsupportedOperationException if the memory is not a {@link PhysicalAllocator}'s, or
     *     this is a view
     * @throws PhysicalAddressException if a byte's address is unknown, with the reason
     * @throws IllegalStateException if this array is closed
     * @throws WrongThreadException if called by another thread
     */
    public final List<PhysicalExtent> extents() {
        if (memory instanceof NativeArray<MemorySegment> owned) {
            return owned.extents();
        }
        if (memory instanceof ArrayLease<MemorySegment> lease) {
            return lease.extents();
        }
        throw new UnsupportedOperationException(
                "owns no memory: pass its segment to PhysicalAllocator.extents: " + this);
    }

    /**
     * Ends this array, and frees the memory if this is its owner, or the last lease of a closed
     * shared array. Does nothing if this is a view, or the array is {@linkplain #share shared}.
     *
     * @throws IllegalStateException if it is closed already, or a downcall is using the segment;
     *     nothing has changed then
     * @throws WrongThreadException if called by another thread
     */
    @Override
    public final void close() {
        // No switch: it is linked at its first use, and the Java heap may be exhausted.
        if (memory instanceof NativeArray<MemorySegment> owned) {
            owned.close();
        } else if (memory instanceof ArrayLease<MemorySegment> lease) {
            lease.close();
        }
    }

    /** Returns the first elements and the address; without the elements once the memory ended. */
    @Override
    public final String toString() {
        return OwnerText.of(kind().name(), "", segment, this::contents, location());
    }

    /** Returns the address, the size and the guarantee, with which the memory describes itself. */
    private String location() {
        String described = memory.toString();
        return described.substring(described.lastIndexOf("at 0x"), described.length() - 1);
    }

    private String contents() {
        StringBuilder text = new StringBuilder().append(length).append(" × {");
        NumberFormat format = kind().format();
        for (long i = 0; i < Math.min(length, SHOWN_ELEMENTS); i++) {
            text.append(i == 0 ? "" : ", ").append(format.text(format.bits(segment, i)));
        }
        return text.append(length > SHOWN_ELEMENTS ? ", …}" : "}").toString();
    }
}
