package dev.kernelalloc;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import dev.kernelalloc.bulk.BulkMemory;
import dev.kernelalloc.core.GrowableBlock;
import dev.kernelalloc.core.OwnedBlock;
import dev.kernelalloc.core.Utf8;
import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.physical.PhysicalExtent;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Locale;

/**
 * An immutable UTF-8 text in native memory, and the owner of that memory.
 *
 * <p>A string belongs to the thread that created it: an access by another thread throws {@link
 * WrongThreadException}. After {@link #close} every access throws {@link IllegalStateException},
 * {@link #equals} and {@link #hashCode} included.
 *
 * <p>The memory is a length of eight bytes in the order of the platform, the bytes of the text, and
 * a NUL, so that C code can use either form: {@link #lengthPrefixed} and {@link #cString}. All
 * segments are read-only.
 *
 * <p>Lengths and offsets are in bytes. Nothing is decoded to compare, hash or search: the order is
 * that of the bytes, which for UTF-8 is the order of the code points. (The order of {@link
 * String#compareTo} differs where characters beyond U+FFFF are compared with some below.)
 *
 * <p><b>Malformed text.</b> A lone surrogate has no UTF-8 encoding, and some bytes are not UTF-8:
 * both are refused with their position. A NUL is an ordinary character, but would end the text for
 * C: {@link #cString} refuses one inside.
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
     * Copies a text.
     *
     * @param allocator the allocator of the memory
     * @param text the text to encode; NULs are ordinary characters
     * @return a string owned by the calling thread
     * @throws IllegalArgumentException if the text has a lone surrogate; the message has its index
     * @throws AllocationException if memory is not available
     * @throws IllegalStateException if the allocator is closed
     */
    public static NativeString of(KernelAllocator allocator, String text) {
        return copy(allocator, Utf8.encode(text), false);
    }

    /**
     * Copies a text to memory of the {@linkplain KernelAllocator#global global} allocator.
     *
     * @param text the text to encode; NULs are ordinary characters
     * @return a string owned by the calling thread
     * @throws IllegalArgumentException if the text has a lone surrogate; the message has its index
     * @throws AllocationException if memory is not available
     */
    public static NativeString of(String text) {
        return of(KernelAllocator.global(), text);
    }

    /**
     * Copies UTF-8 bytes.
     *
     * @param allocator the allocator of the memory
     * @param bytes the bytes of the text
     * @return a string owned by the calling thread
     * @throws IllegalArgumentException if they are not well-formed UTF-8; the message has the
     *     offset
     * @throws AllocationException if memory is not available
     * @throws IllegalStateException if the allocator is closed
     */
    public static NativeString ofUtf8(KernelAllocator allocator, byte[] bytes) {
        return copy(allocator, MemorySegment.ofArray(bytes), true);
    }

    /**
     * Copies UTF-8 bytes to memory of the {@linkplain KernelAllocator#global global} allocator.
     *
     * @param bytes the bytes of the text
     * @return a string owned by the calling thread
     * @throws IllegalArgumentException if they are not well-formed UTF-8; the message has the
     *     offset
     * @throws AllocationException if memory is not available
     */
    public static NativeString ofUtf8(byte[] bytes) {
        return ofUtf8(KernelAllocator.global(), bytes);
    }

    /**
     * Copies UTF-8 bytes.
     *
     * @param allocator the allocator of the memory
     * @param bytes the bytes of the text, native or of the Java heap
     * @return a string owned by the calling thread
     * @throws IllegalArgumentException if they are not well-formed UTF-8; the message has the
     *     offset
     * @throws AllocationException if memory is not available
     * @throws IllegalStateException if the allocator or the memory of {@code bytes} is closed
     */
    public static NativeString ofUtf8(KernelAllocator allocator, MemorySegment bytes) {
        return copy(allocator, bytes, true);
    }

    /**
     * Copies a C string, up to its NUL.
     *
     * @param allocator the allocator of the memory
     * @param text a segment that begins with the first byte and includes the NUL
     * @return a string owned by the calling thread, without the NUL
     * @throws IllegalArgumentException if there is no NUL, or the bytes before it are not
     *     well-formed; the message has the offset
     * @throws AllocationException if memory is not available
     * @throws IllegalStateException if the allocator or the memory of {@code text} is closed
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
     * Creates a builder of a string.
     *
     * @param allocator the allocator of the memory
     * @return a builder owned by the calling thread, without text and without memory
     * @throws IllegalStateException if the allocator is closed
     */
    public static Builder builder(KernelAllocator allocator) {
        return new Builder(OwnedBlock.none(AbstractAllocator.blocksOf(allocator), ALIGNMENT));
    }

    /**
     * Creates a builder of a string, in memory of the {@linkplain KernelAllocator#global global}
     * allocator.
     *
     * @return a builder owned by the calling thread, without text and without memory
     */
    public static Builder builder() {
        return builder(KernelAllocator.global());
    }

    private static NativeString copy(
            KernelAllocator allocator, MemorySegment bytes, boolean unchecked) {
        OwnedBlock block =
                OwnedBlock.allocate(
                        AbstractAllocator.blocksOf(allocator),
                        sizeOf(bytes.byteSize()),
                        ALIGNMENT,
                        false);
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
     * Returns the number of bytes of the text, without the NUL behind it. Allowed at any time, on
     * any thread.
     *
     * @return not negative
     */
    public long byteLength() {
        return text.byteSize();
    }

    /**
     * Returns whether the text is empty.
     *
     * @return whether {@link #byteLength} is 0
     */
    public boolean isEmpty() {
        return byteLength() == 0;
    }

    /**
     * Counts the code points of the text.
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
     * Returns one byte of the text.
     *
     * @param offset the offset of the byte
     * @return the value
     * @throws IndexOutOfBoundsException if there is no such byte
     */
    public byte byteAt(long offset) {
        try {
            return text.get(JAVA_BYTE, offset);
        } catch (IllegalStateException | WrongThreadException e) {
            throw block.explain(e);
        }
    }

    /**
     * Returns the bytes of the text, without the NUL.
     *
     * @return a read-only segment of {@link #byteLength} bytes, which ends with this string
     */
    public MemorySegment segment() {
        return text;
    }

    /**
     * Returns the text for C code: its bytes and a NUL.
     *
     * @return a read-only segment, which ends with this string
     * @throws IllegalStateException if the text contains a NUL, which would end it for C; pass
     *     {@link #segment} and its size instead
     */
    public MemorySegment cString() {
        block.requireAccess();
        long nul = indexOf(text, (byte) 0, 0);
        if (nul >= 0) {
            throw new IllegalStateException(
                    String.format(
                            Locale.ROOT,
                            "the text has a NUL at offset %d of %d, which would end it for C: pass"
                                    + " segment() and its size",
                            nul,
                            byteLength()));
        }
        return block.segment().asSlice(PREFIX_BYTES, byteLength() + NUL_BYTES).asReadOnly();
    }

    /**
     * Returns the text with its length before it: eight bytes in the order of the platform, and
     * that number of bytes.
     *
     * @return a read-only segment aligned to eight bytes, which ends with this string
     */
    public MemorySegment lengthPrefixed() {
        return block.segment().asSlice(0, PREFIX_BYTES + byteLength()).asReadOnly();
    }

    /**
     * Returns the physical location of the text, in its order; adjoining pieces are merged. The
     * location is the one that was read when the memory was prepared: see {@link
     * PhysicalAllocator#extents(MemorySegment)}, which can also split the pieces for a device.
     *
     * @return at least one extent, unless there are no bytes
     * @throws UnsupportedOperationException if the memory is not a {@link PhysicalAllocator}'s
     * @throws PhysicalAddressException if a byte's address is unknown, with the reason
     * @throws IllegalStateException if this string is closed
     * @throws WrongThreadException if called by another thread
     */
    public List<PhysicalExtent> extents() {
        return block.extents(PREFIX_BYTES, byteLength());
    }

    // ---- comparing ----------------------------------------------------------------------------

    /**
     * Returns whether an object is a string of the same bytes, of any allocator.
     *
     * @param other any object
     * @return true if it is
     * @throws IllegalStateException if one of them is closed, unless they are the same object
     * @throws WrongThreadException if one of them belongs to another thread, unless they are the
     *     same object
     */
    @Override
    public boolean equals(@Nullable Object other) {
        return this == other || other instanceof NativeString string && compareTo(string) == 0;
    }

    /** Returns a hash of the bytes. It differs from that of a {@link String} of the same text. */
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
     * Compares the bytes, as unsigned ones, which is the order of the code points.
     *
     * @param other the object to compare with
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
     * Returns the first offset where this text contains another.
     *
     * @param part the text to search for
     * @return the offset in bytes; -1 if it is absent
     */
    public long indexOf(NativeString part) {
        return indexOf(part.text, 0);
    }

    /**
     * Returns the first offset, from a given one on, where this text contains another.
     *
     * @param part the text to search for
     * @param from the smallest offset in bytes
     * @return the offset in bytes; -1 if it is absent
     * @throws IllegalArgumentException if {@code from} is negative
     */
    public long indexOf(NativeString part, long from) {
        return indexOf(part.text, from);
    }

    /**
     * Returns the first offset where this text contains another.
     *
     * @param part the text to search for
     * @return the offset in bytes; -1 if it is absent
     * @throws IllegalArgumentException if the argument has a lone surrogate
     */
    public long indexOf(String part) {
        return indexOf(Utf8.encode(part), 0);
    }

    /**
     * Returns the first offset, from a given one on, where this text contains another.
     *
     * @param part the text to search for
     * @param from the smallest offset in bytes
     * @return the offset in bytes; -1 if it is absent
     * @throws IllegalArgumentException if {@code from} is negative, or {@code part} has a lone
     *     surrogate
     */
    public long indexOf(String part, long from) {
        return indexOf(Utf8.encode(part), from);
    }

    /**
     * Returns the last offset where this text contains another.
     *
     * @param part the text to search for
     * @return the offset in bytes; -1 if it is absent
     * @throws IllegalArgumentException if the argument has a lone surrogate
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
     * Returns whether this text contains another.
     *
     * @param part the text to search for
     * @return true if it is
     * @throws IllegalArgumentException if the argument has a lone surrogate
     */
    public boolean contains(String part) {
        return indexOf(part) >= 0;
    }

    /**
     * Returns whether this text begins with another.
     *
     * @param start the text to compare with
     * @return true if it does
     * @throws IllegalArgumentException if the argument has a lone surrogate
     */
    public boolean startsWith(String start) {
        return isAt(Utf8.encode(start), 0);
    }

    /**
     * Returns whether this text ends with another.
     *
     * @param end the text to compare with
     * @return true if it does
     * @throws IllegalArgumentException if the argument has a lone surrogate
     */
    public boolean endsWith(String end) {
        MemorySegment bytes = Utf8.encode(end);
        return isAt(bytes, byteLength() - bytes.byteSize());
    }

    /**
     * Returns whether this text equals another.
     *
     * @param other the object to compare with
     * @return true if it is
     * @throws IllegalArgumentException if the argument has a lone surrogate
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
     * Ends this string and its segments, and frees the memory.
     *
     * @throws IllegalStateException if it is closed already, or a downcall is using a segment;
     *     nothing has changed then
     * @throws WrongThreadException if called by another thread
     */
    @Override
    public void close() {
        block.close();
    }

    /**
     * Returns the text, decoded. {@link #describe} works at any time.
     *
     * @return a Java string of the same code points
     * @throws IllegalStateException if this string is closed, or too long for a Java array
     * @throws WrongThreadException if called by another thread
     */
    @Override
    public String toString() {
        block.requireAccess();
        return Utf8.decode(text);
    }

    /**
     * Returns the beginning of the text, the address and the guarantee of the pages; once closed,
     * or on another thread, without the text.
     *
     * @return one line
     */
    public String describe() {
        return block.describe("NativeString", () -> quoted(text));
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
     * A growing text in native memory, until a {@link NativeString} takes it over. It belongs to
     * the thread that created it, and owns its memory: closing it without {@link #build} frees it.
     *
     * <p>If memory is not available, the call throws an {@link AllocationException}, and the text
     * is unchanged.
     */
    public static final class Builder implements AutoCloseable {

        private final GrowableBlock buffer;
        private long length;

        private Builder(OwnedBlock block) {
            this.buffer = new GrowableBlock(block, ALIGNMENT);
        }

        /**
         * Appends a text.
         *
         * @param text the text to encode
         * @return this builder
         * @throws IllegalArgumentException if the text has a lone surrogate, even if the other half
         *     of a pair was appended before; nothing has changed then
         * @throws AllocationException if memory is needed and not available
         * @throws IllegalStateException if this builder or, if memory is needed, its allocator is
         *     closed
         * @throws WrongThreadException if called by another thread
         */
        public Builder append(String text) {
            return append(Utf8.encode(text));
        }

        /**
         * Appends a text.
         *
         * @param text the text to copy
         * @return this builder
         * @throws AllocationException if memory is needed and not available
         * @throws IllegalStateException if this builder, {@code text} or, if memory is needed, the
         *     allocator is closed
         * @throws WrongThreadException if called by another thread
         */
        public Builder append(NativeString text) {
            return append(text.text);
        }

        /**
         * Appends the decimal digits of a number.
         *
         * @param number the number
         * @return this builder
         * @throws AllocationException if memory is needed and not available
         * @throws IllegalStateException if this builder or, if memory is needed, its allocator is
         *     closed
         * @throws WrongThreadException if called by another thread
         */
        public Builder append(long number) {
            return append(Long.toString(number));
        }

        /**
         * Appends a character.
         *
         * @param codePoint the code point of the character
         * @return this builder
         * @throws IllegalArgumentException if it is no code point, or a surrogate
         * @throws AllocationException if memory is needed and not available
         * @throws IllegalStateException if this builder or, if memory is needed, its allocator is
         *     closed
         * @throws WrongThreadException if called by another thread
         */
        public Builder appendCodePoint(int codePoint) {
            return append(Character.toString(codePoint));
        }

        private Builder append(MemorySegment bytes) {
            reserve(bytes.byteSize());
            BulkMemory.copy(bytes, 0, buffer.memory(), PREFIX_BYTES + length, bytes.byteSize());
            length += bytes.byteSize();
            return this;
        }

        /**
         * Reserves room for more text.
         *
         * @param additional the number of bytes that can be appended without more memory
         * @return this builder
         * @throws IllegalArgumentException if it is negative, or the size of all overflows
         * @throws AllocationException if memory is not available
         * @throws IllegalStateException if this builder or its allocator is closed
         * @throws WrongThreadException if called by another thread
         */
        public Builder reserve(long additional) {
            buffer.block().requireAccess();
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
            if (needed > buffer.memory().byteSize()) {
                buffer.enlarge(Math.min(PREFIX_BYTES + length, buffer.memory().byteSize()), needed);
            }
            return this;
        }

        /**
         * Returns the number of bytes so far.
         *
         * @return not negative
         */
        public long byteLength() {
            return length;
        }

        /**
         * Returns the bytes of the text so far.
         *
         * @return a read-only segment, dead when more room is made, or this builder is closed or
         *     has built
         * @throws IllegalStateException if this builder is closed
         * @throws WrongThreadException if called by another thread
         */
        public MemorySegment segment() {
            buffer.block().requireAccess();
            MemorySegment memory = buffer.memory();
            return memory.asSlice(Math.min(PREFIX_BYTES, memory.byteSize()), length).asReadOnly();
        }

        /**
         * Truncates the text. The capacity stays.
         *
         * @param byteLength the number of bytes to keep; if there are fewer, nothing happens
         * @return this builder
         * @throws IllegalArgumentException if it is negative, or would cut a character
         * @throws IllegalStateException if this builder is closed
         * @throws WrongThreadException if called by another thread
         */
        public Builder truncate(long byteLength) {
            buffer.block().requireAccess();
            if (byteLength >= length) {
                return this;
            }
            if (byteLength < 0
                    || Utf8.isContinuation(
                            buffer.memory().get(JAVA_BYTE, PREFIX_BYTES + byteLength))) {
                throw new IllegalArgumentException(
                        String.format(
                                Locale.ROOT,
                                "byteLength=%d is negative, or inside a character",
                                byteLength));
            }
            length = byteLength;
            return this;
        }

        /**
         * Returns a string that takes over the memory and the text, without copying. This builder
         * is dead afterwards, as if closed; closing it does nothing.
         *
         * @return a string owned by the calling thread
         * @throws AllocationException if nothing was appended yet and memory is not available
         * @throws IllegalStateException if this builder or, if nothing was appended yet, its
         *     allocator is closed
         * @throws WrongThreadException if called by another thread
         */
        public NativeString build() {
            reserve(0);
            OwnedBlock block = buffer.block();
            block.requireAccess();
            // Created before the memory changes hands, so that the text is not lost with a full
            // Java heap.
            NativeString string = finished(block.successor(sizeOf(length)), length);
            block.detach();
            return string;
        }

        /**
         * Ends this builder and frees the memory. Does nothing once {@link #build} has handed it
         * over.
         *
         * @throws IllegalStateException if it is closed already
         * @throws WrongThreadException if called by another thread
         */
        @Override
        public void close() {
            buffer.block().close();
        }

        /**
         * Returns the beginning of the text, the address and the guarantee of the pages; once
         * closed, or on another thread, without the text.
         */
        @Override
        public String toString() {
            return buffer.block().describe("NativeString.Builder", () -> quoted(segment()));
        }
    }
}
