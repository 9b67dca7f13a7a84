package dev.kernelalloc;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import dev.kernelalloc.bulk.BulkMemory;
import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.physical.PhysicalExtent;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Locale;

/**
 * A text in native memory as UTF-8, which never changes; and the owner of that memory.
 *
 * <p>A string belongs to the thread that made it: another thread's access throws {@link
 * WrongThreadException}. After {@link #close} every access throws {@link IllegalStateException},
 * also of {@link #equals} and {@link #hashCode}.
 *
 * <p>The memory is a length of eight bytes in the order of the platform, the bytes of the text, and
 * a NUL; so C code can have it in either form: {@link #lengthPrefixed} and {@link #cString}. All
 * segments are read-only.
 *
 * <p>Lengths and offsets are in bytes. Nothing is decoded to compare, hash or search: the order is
 * that of the bytes, which for UTF-8 is the order of the code points. (The order of {@link
 * String#compareTo} differs where characters beyond U+FFFF are compared with some below.)
 *
 * <p><b>What is no text.</b> A surrogate that stands alone has no bytes in UTF-8, and bytes that
 * are not UTF-8 are no text: both are refused with their place. A NUL is a character like any
 * other, but would end the text for C: {@link #cString} refuses one inside.
 *
 * {@snippet lang = java :
 * try (NativeString path = NativeString.of("/tmp/größe")) {
 *     int file = open(path.cString(), 0);
 * }
 * }
 */
public final class NativeString implements Comparable<NativeString>, AutoCloseable {

    private static final long PREFIX_BYTES = Long.BYTES;
    private static final long ALIGNMENT = Long.BYTES;
    private static final long NUL_BYTES = 1;

    private static final int SHOWN_BYTES = 64;

    private final OwnedBlock block;

    /** The bytes of the text. */
    private final MemorySegment text;

    /** 0 until it is asked for. */
    private int hash;

    /**
     * @param block prefix, text and NUL
     */
    private NativeString(OwnedBlock block, long length) {
        this.block = block;
        this.text = block.segment().asSlice(PREFIX_BYTES, length).asReadOnly();
    }

    // ---- making -------------------------------------------------------------------------------

    /**
     * A copy of a text.
     *
     * @param allocator where the memory comes from, and goes back to
     * @param text to be encoded; NULs are characters like others
     * @return a string of the calling thread
     * @throws IllegalArgumentException when a surrogate stands alone; the message has its index
     * @throws AllocationException when memory cannot be had
     * @throws IllegalStateException when the allocator is closed
     */
    public static NativeString of(KernelAllocator allocator, String text) {
        return copy(allocator, Utf8.encode(text), false);
    }

    /**
     * A copy of a text in memory of the {@linkplain KernelAllocator#global global} allocator.
     *
     * @param text to be encoded; NULs are characters like others
     * @return a string of the calling thread
     * @throws IllegalArgumentException when a surrogate stands alone; the message has its index
     * @throws AllocationException when memory cannot be had
     */
    public static NativeString of(String text) {
        return of(KernelAllocator.global(), text);
    }

    /**
     * A copy of bytes that are UTF-8.
     *
     * @param allocator where the memory comes from, and goes back to
     * @param bytes all of them
     * @return a string of the calling thread
     * @throws IllegalArgumentException when they are not well-formed; the message has the offset
     * @throws AllocationException when memory cannot be had
     * @throws IllegalStateException when the allocator is closed
     */
    public static NativeString ofUtf8(KernelAllocator allocator, byte[] bytes) {
        return copy(allocator, MemorySegment.ofArray(bytes), true);
    }

    /**
     * A copy of bytes that are UTF-8, in memory of the {@linkplain KernelAllocator#global global}
     * allocator.
     *
     * @param bytes all of them
     * @return a string of the calling thread
     * @throws IllegalArgumentException when they are not well-formed; the message has the offset
     * @throws AllocationException when memory cannot be had
     */
    public static NativeString ofUtf8(byte[] bytes) {
        return ofUtf8(KernelAllocator.global(), bytes);
    }

    /**
     * A copy of bytes that are UTF-8.
     *
     * @param allocator where the memory comes from, and goes back to
     * @param bytes all of them, native or of the Java heap
     * @return a string of the calling thread
     * @throws IllegalArgumentException when they are not well-formed; the message has the offset
     * @throws AllocationException when memory cannot be had
     * @throws IllegalStateException when the allocator or the memory of {@code bytes} is closed
     */
    public static NativeString ofUtf8(KernelAllocator allocator, MemorySegment bytes) {
        return copy(allocator, bytes, true);
    }

    /**
     * A copy of a text of C code's, up to its NUL.
     *
     * @param allocator where the memory comes from, and goes back to
     * @param text begins at its first byte and reaches beyond its NUL
     * @return a string of the calling thread, without the NUL
     * @throws IllegalArgumentException when there is no NUL, or the bytes before it are not
     *     well-formed; the message has the offset
     * @throws AllocationException when memory cannot be had
     * @throws IllegalStateException when the allocator or the memory of {@code text} is closed
     */
    public static NativeString ofCString(KernelAllocator allocator, MemorySegment text) {
        long length = indexOf(text, (byte) 0, 0);
        if (length < 0) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "no NUL among %d bytes: reinterpret the segment to the size the text"
                                    + " can have",
                            text.byteSize()));
        }
        return copy(allocator, text.asSlice(0, length), true);
    }

    /**
     * A builder of a string.
     *
     * @param allocator where the memory comes from, and goes back to
     * @return a builder of the calling thread, without text and without memory
     * @throws IllegalStateException when the allocator is closed
     */
    public static Builder builder(KernelAllocator allocator) {
        return new Builder(OwnedBlock.none(CheckedBlocks.of(allocator), ALIGNMENT));
    }

    /**
     * A builder of a string in memory of the {@linkplain KernelAllocator#global global} allocator.
     *
     * @return a builder of the calling thread, without text and without memory
     */
    public static Builder builder() {
        return builder(KernelAllocator.global());
    }

    private static NativeString copy(
            KernelAllocator allocator, MemorySegment bytes, boolean unchecked) {
        OwnedBlock block =
                OwnedBlock.take(
                        CheckedBlocks.of(allocator), sizeOf(bytes.byteSize()), ALIGNMENT, false);
        try {
            BulkMemory.copy(bytes, 0, block.segment(), PREFIX_BYTES, bytes.byteSize());
            NativeString string = finished(block, bytes.byteSize());
            if (unchecked) {
                Utf8.requireWellFormed(string.text); // the copy: others may write to the original
            }
            return string;
        } catch (RuntimeException | Error e) {
            block.close(); // no UTF-8, or the bytes are out of reach
            throw e;
        }
    }

    private static NativeString finished(OwnedBlock block, long length) {
        block.segment().set(JAVA_LONG_UNALIGNED, 0, length);
        block.segment().set(JAVA_BYTE, PREFIX_BYTES + length, (byte) 0);
        return new NativeString(block, length);
    }

    private static long sizeOf(long length) {
        if (length > Long.MAX_VALUE - PREFIX_BYTES - NUL_BYTES) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "a text of %d bytes, with its length and a NUL, exceeds Long.MAX_VALUE",
                            length));
        }
        return PREFIX_BYTES + length + NUL_BYTES;
    }

    // ---- the memory ---------------------------------------------------------------------------

    /**
     * How many bytes the text has, without the NUL behind it. May be asked at any time, on any
     * thread.
     *
     * @return not negative
     */
    public long byteLength() {
        return text.byteSize();
    }

    /**
     * Whether there is no character.
     *
     * @return whether {@link #byteLength} is 0
     */
    public boolean isEmpty() {
        return byteLength() == 0;
    }

    /**
     * How many code points the text has; counts them.
     *
     * @return not negative
     */
    public long codePointCount() {
        block.requireAccess();
        long count = 0;
        for (long i = 0; i < text.byteSize(); i++) {
            count += Utf8.isContinuation(text.get(JAVA_BYTE, i)) ? 0 : 1;
        }
        return count;
    }

    /**
     * One byte of the text.
     *
     * @param offset of the byte
     * @return its value
     * @throws IndexOutOfBoundsException when there is no such byte
     */
    public byte byteAt(long offset) {
        return text.get(JAVA_BYTE, offset);
    }

    /**
     * The bytes of the text alone.
     *
     * @return a read-only segment of {@link #byteLength} bytes, dead when this string is closed
     */
    public MemorySegment segment() {
        return text;
    }

    /**
     * The text for C code: its bytes and a NUL behind them.
     *
     * @return a read-only segment, dead when this string is closed
     * @throws IllegalStateException when the text has a NUL inside, where it would end for C; pass
     *     {@link #segment} and its size then
     */
    public MemorySegment cString() {
        block.requireAccess();
        long nul = indexOf(text, (byte) 0, 0);
        if (nul >= 0) {
            throw new IllegalStateException(
                    String.format(
                            Locale.ROOT,
                            "the text has a NUL at offset %d of %d, where it would end for C: pass"
                                    + " segment() and its size",
                            nul,
                            byteLength()));
        }
        return block.segment().asSlice(PREFIX_BYTES, byteLength() + NUL_BYTES).asReadOnly();
    }

    /**
     * The text with its length before it: eight bytes in the order of the platform, and as many
     * bytes as they say.
     *
     * @return a read-only segment aligned to eight bytes, dead when this string is closed
     */
    public MemorySegment lengthPrefixed() {
        return block.segment().asSlice(0, PREFIX_BYTES + byteLength()).asReadOnly();
    }

    /**
     * The pieces of physical memory that the text lies in, in its order; those that touch are one.
     * As known since the memory was prepared: see {@link PhysicalAllocator#extents(MemorySegment)},
     * which also splits them as devices want it.
     *
     * @return at least one extent, unless there are no bytes
     * @throws UnsupportedOperationException when the memory is not a {@link PhysicalAllocator}'s
     * @throws PhysicalAddressException when a byte's address is not known, with the reason
     * @throws IllegalStateException when this string is closed
     * @throws WrongThreadException when called by another thread
     */
    public List<PhysicalExtent> extents() {
        return block.extents(PREFIX_BYTES, byteLength());
    }

    // ---- comparing ----------------------------------------------------------------------------

    /**
     * Whether an object is a string of the same bytes, of whatever allocator.
     *
     * @param other any object
     * @return whether it is
     * @throws IllegalStateException when one of both is closed, unless they are the same
     * @throws WrongThreadException when one of both belongs to another thread, unless they are the
     *     same
     */
    @Override
    public boolean equals(@Nullable Object other) {
        return this == other || other instanceof NativeString string && compareTo(string) == 0;
    }

    /** A hash of the bytes. It is not that of a {@link String} of the same text. */
    @Override
    public int hashCode() {
        block.requireAccess();
        if (hash == 0) {
            hash = hash(text);
        }
        return hash;
    }

    private static int hash(MemorySegment bytes) {
        long end = bytes.byteSize();
        long hash = end;
        long at = 0;
        for (; end - at >= Long.BYTES; at += Long.BYTES) {
            hash = mixed(hash ^ bytes.get(JAVA_LONG_UNALIGNED, at));
        }
        for (; at < end; at++) {
            hash = mixed(hash ^ bytes.get(JAVA_BYTE, at));
        }
        int folded = (int) (hash ^ hash >>> 32);
        return folded == 0 ? 1 : folded;
    }

    /** Spreads every bit: the finalizer of MurmurHash3 has these constants, by Austin Appleby. */
    private static long mixed(long value) {
        long half = (value ^ value >>> 33) * 0xff51afd7ed558ccdL;
        return (half ^ half >>> 33) * 0xc4ceb9fe1a85ec53L;
    }

    /**
     * The order of the bytes, seen as unsigned, which is that of the code points.
     *
     * @param other to compare with
     * @return negative, 0 or positive
     */
    @Override
    public int compareTo(NativeString other) {
        block.requireAccess();
        other.block.requireAccess();
        long at = BulkMemory.mismatch(text, other.text);
        if (at == -1) {
            return 0;
        }
        if (at == byteLength() || at == other.byteLength()) {
            return Long.compare(byteLength(), other.byteLength());
        }
        return Byte.compareUnsigned(byteAt(at), other.byteAt(at));
    }

    // ---- searching ----------------------------------------------------------------------------

    /**
     * Where a text begins in this one first.
     *
     * @param part to look for
     * @return its offset in bytes; -1 when it is not there
     */
    public long indexOf(NativeString part) {
        return indexOf(part.text, 0);
    }

    /**
     * Where a text begins in this one first, from an offset on.
     *
     * @param part to look for
     * @param from the least offset in bytes
     * @return its offset in bytes; -1 when it is not there
     * @throws IllegalArgumentException when {@code from} is negative
     */
    public long indexOf(NativeString part, long from) {
        return indexOf(part.text, from);
    }

    /**
     * Where a text begins in this one first.
     *
     * @param part to look for
     * @return its offset in bytes; -1 when it is not there
     * @throws IllegalArgumentException when a surrogate stands alone in it
     */
    public long indexOf(String part) {
        return indexOf(Utf8.encode(part), 0);
    }

    /**
     * Where a text begins in this one first, from an offset on.
     *
     * @param part to look for
     * @param from the least offset in bytes
     * @return its offset in bytes; -1 when it is not there
     * @throws IllegalArgumentException when {@code from} is negative, or a surrogate stands alone
     *     in {@code part}
     */
    public long indexOf(String part, long from) {
        return indexOf(Utf8.encode(part), from);
    }

    /**
     * Where a text begins in this one last.
     *
     * @param part to look for
     * @return its offset in bytes; -1 when it is not there
     * @throws IllegalArgumentException when a surrogate stands alone in it
     */
    public long lastIndexOf(String part) {
        MemorySegment bytes = Utf8.encode(part);
        for (long at = byteLength() - bytes.byteSize(); at >= 0; at--) {
            if (isAt(bytes, at)) {
                return at;
            }
        }
        block.requireAccess();
        return -1;
    }

    /**
     * Whether a text is in this one.
     *
     * @param part to look for
     * @return whether it is
     * @throws IllegalArgumentException when a surrogate stands alone in it
     */
    public boolean contains(String part) {
        return indexOf(part) >= 0;
    }

    /**
     * Whether this text begins with another.
     *
     * @param start to compare with
     * @return whether it does
     * @throws IllegalArgumentException when a surrogate stands alone in it
     */
    public boolean startsWith(String start) {
        return isAt(Utf8.encode(start), 0);
    }

    /**
     * Whether this text ends with another.
     *
     * @param end to compare with
     * @return whether it does
     * @throws IllegalArgumentException when a surrogate stands alone in it
     */
    public boolean endsWith(String end) {
        MemorySegment bytes = Utf8.encode(end);
        return isAt(bytes, byteLength() - bytes.byteSize());
    }

    /**
     * Whether this text is another.
     *
     * @param other to compare with
     * @return whether it is
     * @throws IllegalArgumentException when a surrogate stands alone in it
     */
    public boolean contentEquals(String other) {
        block.requireAccess();
        return BulkMemory.mismatch(text, Utf8.encode(other)) == -1;
    }

    private long indexOf(MemorySegment part, long from) {
        if (from < 0) {
            throw new IllegalArgumentException("from=" + from + " must not be negative");
        }
        block.requireAccess();
        long last = byteLength() - part.byteSize();
        if (part.byteSize() == 0) {
            return from <= last ? from : -1;
        }
        byte first = part.get(JAVA_BYTE, 0);
        for (long at = from; at <= last; at++) {
            at = indexOf(text, first, at);
            if (at < 0 || at > last) {
                return -1;
            }
            if (isAt(part, at)) {
                return at;
            }
        }
        return -1;
    }

    private boolean isAt(MemorySegment part, long at) {
        block.requireAccess();
        long bytes = part.byteSize();
        return at >= 0
                && bytes <= byteLength() - at
                && BulkMemory.mismatch(text, at, part, 0, bytes) == -1;
    }

    private static long indexOf(MemorySegment bytes, byte value, long from) {
        for (long i = from; i < bytes.byteSize(); i++) {
            if (bytes.get(JAVA_BYTE, i) == value) {
                return i;
            }
        }
        return -1;
    }

    // ---- the end ------------------------------------------------------------------------------

    /**
     * Ends this string and its segments, and gives the memory back.
     *
     * @throws IllegalStateException when it is closed already, or a downcall is using a segment;
     *     nothing has changed then
     * @throws WrongThreadException when called by another thread
     */
    @Override
    public void close() {
        block.close();
    }

    /**
     * The text, decoded. For what is known of it at any time there is {@link #describe}.
     *
     * @return a Java string of the same code points
     * @throws IllegalStateException when this string is closed, or too long for a Java array
     * @throws WrongThreadException when called by another thread
     */
    @Override
    public String toString() {
        block.requireAccess();
        return Utf8.decode(text);
    }

    /**
     * The beginning of the text, the place, and what is promised of its pages; once closed, or on
     * another thread, without the text.
     *
     * @return one line
     */
    public String describe() {
        return block.show("NativeString", () -> quoted(text));
    }

    /** The first characters, as far as they are whole. */
    private static String quoted(MemorySegment text) {
        long shown = text.byteSize();
        if (shown > SHOWN_BYTES) {
            shown = SHOWN_BYTES;
            while (Utf8.isContinuation(text.get(JAVA_BYTE, shown))) {
                shown--;
            }
        }
        String start = Utf8.decode(text.asSlice(0, shown));
        return '"' + start + (shown < text.byteSize() ? "…\"" : "\"");
    }

    /**
     * A text in native memory that is added to, until a {@link NativeString} takes it over. It
     * belongs to the thread that made it, and owns its memory: closed without {@link #build}, it
     * gives it back.
     *
     * <p>Where memory cannot be had there is an {@link AllocationException}, and the text is what
     * it was.
     */
    public static final class Builder implements AutoCloseable {

        private final Room room;
        private long length;

        private Builder(OwnedBlock block) {
            this.room = new Room(block, ALIGNMENT);
        }

        /**
         * Adds a text.
         *
         * @param text to be encoded
         * @return this builder
         * @throws IllegalArgumentException when a surrogate stands alone, also where the other half
         *     of a pair was added before; nothing has changed then
         * @throws AllocationException when memory is needed and cannot be had
         * @throws IllegalStateException when this builder or, where memory is needed, its allocator
         *     is closed
         * @throws WrongThreadException when called by another thread
         */
        public Builder append(String text) {
            return append(Utf8.encode(text));
        }

        /**
         * Adds a text.
         *
         * @param text whose bytes are copied
         * @return this builder
         * @throws AllocationException when memory is needed and cannot be had
         * @throws IllegalStateException when this builder, {@code text} or, where memory is needed,
         *     the allocator is closed
         * @throws WrongThreadException when called by another thread
         */
        public Builder append(NativeString text) {
            return append(text.text);
        }

        /**
         * Adds the decimal digits of a number.
         *
         * @param number any
         * @return this builder
         * @throws AllocationException when memory is needed and cannot be had
         * @throws IllegalStateException when this builder or, where memory is needed, its allocator
         *     is closed
         * @throws WrongThreadException when called by another thread
         */
        public Builder append(long number) {
            return append(Long.toString(number));
        }

        /**
         * Adds a character.
         *
         * @param codePoint of the character
         * @return this builder
         * @throws IllegalArgumentException when it is no code point, or a surrogate
         * @throws AllocationException when memory is needed and cannot be had
         * @throws IllegalStateException when this builder or, where memory is needed, its allocator
         *     is closed
         * @throws WrongThreadException when called by another thread
         */
        public Builder appendCodePoint(int codePoint) {
            return append(Character.toString(codePoint));
        }

        private Builder append(MemorySegment bytes) {
            reserve(bytes.byteSize());
            BulkMemory.copy(bytes, 0, room.memory(), PREFIX_BYTES + length, bytes.byteSize());
            length += bytes.byteSize();
            return this;
        }

        /**
         * Makes room for more text.
         *
         * @param additional how many bytes can be added then without memory
         * @return this builder
         * @throws IllegalArgumentException when it is negative, or the size of all overflows
         * @throws AllocationException when memory cannot be had
         * @throws IllegalStateException when this builder or its allocator is closed
         * @throws WrongThreadException when called by another thread
         */
        public Builder reserve(long additional) {
            room.block().requireAccess();
            if (additional < 0 || additional > Long.MAX_VALUE - sizeOf(length)) {
                throw new IllegalArgumentException(
                        String.format(
                                Locale.ROOT,
                                "additional=%d must be neither negative nor, with %d bytes, too"
                                        + " large",
                                additional,
                                length));
            }
            long needed = sizeOf(length) + additional;
            if (needed > room.memory().byteSize()) {
                room.enlarge(Math.min(PREFIX_BYTES + length, room.memory().byteSize()), needed);
            }
            return this;
        }

        /**
         * How many bytes the text has so far.
         *
         * @return not negative
         */
        public long byteLength() {
            return length;
        }

        /**
         * The bytes of the text so far.
         *
         * @return a read-only segment, dead when more room is made, or this builder is closed or
         *     has built
         * @throws IllegalStateException when this builder is closed
         * @throws WrongThreadException when called by another thread
         */
        public MemorySegment segment() {
            room.block().requireAccess();
            MemorySegment memory = room.memory();
            return memory.asSlice(Math.min(PREFIX_BYTES, memory.byteSize()), length).asReadOnly();
        }

        /**
         * Cuts the text off. The room stays.
         *
         * @param byteLength how many bytes are kept; where there are fewer, nothing happens
         * @return this builder
         * @throws IllegalArgumentException when it is negative, or would cut a character
         * @throws IllegalStateException when this builder is closed
         * @throws WrongThreadException when called by another thread
         */
        public Builder truncate(long byteLength) {
            room.block().requireAccess();
            if (byteLength >= length) {
                return this;
            }
            if (byteLength < 0
                    || Utf8.isContinuation(
                            room.memory().get(JAVA_BYTE, PREFIX_BYTES + byteLength))) {
                throw new IllegalArgumentException(
                        String.format(
                                Locale.ROOT,
                                "byteLength=%d is negative, or lies inside a character",
                                byteLength));
            }
            length = byteLength;
            return this;
        }

        /**
         * A string that takes over the memory and the text, without copying. This builder is dead
         * from then on, as if closed; closing it does nothing.
         *
         * @return a string of the calling thread
         * @throws AllocationException when nothing was added yet, and memory cannot be had
         * @throws IllegalStateException when this builder or, where nothing was added yet, its
         *     allocator is closed
         * @throws WrongThreadException when called by another thread
         */
        public NativeString build() {
            reserve(0);
            OwnedBlock block = room.block().handOver(sizeOf(length));
            try {
                return finished(block, length);
            } catch (Throwable e) {
                block.close(); // the Java heap or stack is exhausted
                throw e;
            }
        }

        /**
         * Ends this builder and gives the memory back. Does nothing once {@link #build} has handed
         * it over.
         *
         * @throws IllegalStateException when it is closed already
         * @throws WrongThreadException when called by another thread
         */
        @Override
        public void close() {
            room.block().close();
        }

        /**
         * The beginning of the text, the place, and what is promised of its pages; once closed, or
         * on another thread, without the text.
         */
        @Override
        public String toString() {
            return room.block().show("NativeString.Builder", () -> quoted(segment()));
        }
    }
}
