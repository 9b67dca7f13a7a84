package dev.kernelalloc.netty;

import dev.kernelalloc.AllocationException;

import io.netty.buffer.AbstractReferenceCountedByteBuf;
import io.netty.buffer.ByteBuf;
import io.netty.util.IllegalReferenceCountException;
import io.netty.util.Recycler;

import org.jspecify.annotations.Nullable;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.ReadOnlyBufferException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.channels.GatheringByteChannel;
import java.nio.channels.ScatteringByteChannel;
import java.util.Objects;

/**
 * A direct buffer that owns one raw block.
 *
 * <p><b>Lifetime.</b> The reference count decides who frees the block: {@link #deallocate} runs
 * once, on the thread that released last. It forgets the address before it frees the block, so that
 * this object refers to a live block or to none. A late access that Netty's check of the count does
 * not catch, because it is switched off, finds {@link #NO_ADDRESS} and is out of bounds. An access
 * in the very moment of the release by another thread is a race in the program, as with every
 * buffer of Netty.
 *
 * <p><b>Recycling.</b> The object, not the block, goes to Netty's {@link Recycler}. When it is used
 * again the count is set to 1 last, by a release store: a thread that sees it sees the new block.
 *
 * <p><b>Access.</b> The address is kept as a number, and memory is reached through one segment that
 * spans all of it: a segment of its own for each buffer cost 40 B of garbage and a store that the
 * collector tracks, 26 against 20 ns for a buffer of 256 B. That segment checks no bounds of this
 * buffer, and Netty's checks do not suffice: a slice has the bounds that the buffer had when it was
 * made, which {@link #capacity(int)} may have lowered since, and {@code
 * io.netty.buffer.checkBounds=false} switches them off. So {@link #at} checks again.
 */
final class KernelByteBuf extends AbstractReferenceCountedByteBuf {

    private static final MemorySegment MEMORY = AllMemory.segment();

    /** Of a buffer without a block: with any index it is outside {@link #MEMORY}. */
    private static final long NO_ADDRESS = Long.MIN_VALUE;

    private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfShort SHORT_LE =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT =
            ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfInt INT_LE =
            ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfLong LONG_LE =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static final int MEDIUM_BYTES = 3;

    private static final int MAX_CHUNK_BYTES = 8 << 10;

    private static final Recycler<KernelByteBuf> RECYCLER =
            new Recycler<>() {
                @Override
                protected KernelByteBuf newObject(Handle<KernelByteBuf> handle) {
                    return new KernelByteBuf(handle);
                }
            };

    /** Unguarded: the reference count lets {@link #deallocate} run once for each use. */
    private final Recycler.EnhancedHandle<KernelByteBuf> handle;

    private @Nullable KernelByteBufAllocator allocator;

    private long address = NO_ADDRESS;

    private int capacity;

    /**
     * For {@link #internalNioBuffer}; made when it is first asked for, and kept for the next use of
     * this object, which often gets the same block: so an event loop makes none.
     */
    private @Nullable ByteBuffer internalNioBuffer;

    /** The address of the first byte of {@link #internalNioBuffer}. */
    private long nioAddress;

    private KernelByteBuf(Recycler.Handle<KernelByteBuf> handle) {
        super(0);
        this.handle = (Recycler.EnhancedHandle<KernelByteBuf>) handle;
    }

    static KernelByteBuf of(KernelByteBufAllocator allocator, int capacity, int maxCapacity) {
        KernelByteBuf buffer = RECYCLER.get();
        MemorySegment block;
        try {
            block = allocator.memory().allocate(capacity, KernelByteBufAllocator.ALIGNMENT_BYTES);
        } catch (AllocationException e) {
            buffer.handle.unguardedRecycle(buffer);
            throw DirectMemoryErrors.from(e);
        } catch (Throwable e) {
            buffer.handle.unguardedRecycle(buffer);
            throw e;
        }
        buffer.begin(allocator, block, maxCapacity);
        return buffer;
    }

    private void begin(KernelByteBufAllocator newAllocator, MemorySegment block, int maxCapacity) {
        allocator = newAllocator;
        address = block.address();
        capacity = (int) block.byteSize();
        maxCapacity(maxCapacity);
        setIndex(0, 0);
        markReaderIndex();
        markWriterIndex();
        resetRefCnt();
    }

    @Override
    protected void deallocate() {
        KernelByteBufAllocator owner = alloc();
        MemorySegment block = MemorySegment.ofAddress(address);
        allocator = null; // a recycled buffer must not keep it, nor its class loader
        address = NO_ADDRESS;
        capacity = 0;
        owner.free(block);
        handle.unguardedRecycle(this);
    }

    @Override
    public KernelByteBufAllocator alloc() {
        KernelByteBufAllocator current = allocator;
        if (current == null) {
            throw new IllegalReferenceCountException(0);
        }
        return current;
    }

    @Override
    public int capacity() {
        return capacity;
    }

    @Override
    public ByteBuf capacity(int newCapacity) {
        checkNewCapacity(newCapacity);
        if (newCapacity != capacity) {
            MemorySegment block = MemorySegment.ofAddress(address);
            address = alloc().reallocate(block, newCapacity).address();
            capacity = newCapacity;
            trimIndicesToCapacity(newCapacity);
        }
        return this;
    }

    @Override
    public ByteBuf copy(int index, int length) {
        checkIndex(index, length);
        return alloc().directBuffer(length, maxCapacity()).writeBytes(this, index, length);
    }

    // ---- what it is -------------------------------------------------------------------------

    @Override
    public boolean isDirect() {
        return true;
    }

    @Override
    public boolean isContiguous() {
        return true;
    }

    @Override
    public @Nullable ByteBuf unwrap() {
        return null;
    }

    @Override
    @Deprecated
    public ByteOrder order() {
        return ByteOrder.BIG_ENDIAN;
    }

    @Override
    public boolean hasArray() {
        return false;
    }

    @Override
    public byte[] array() {
        throw new UnsupportedOperationException("direct buffer");
    }

    @Override
    public int arrayOffset() {
        throw new UnsupportedOperationException("direct buffer");
    }

    @Override
    public boolean hasMemoryAddress() {
        KernelByteBufAllocator current = allocator;
        return current != null && current.usesAddresses();
    }

    @Override
    public long memoryAddress() {
        ensureAccessible();
        if (!hasMemoryAddress()) {
            throw new UnsupportedOperationException("Netty uses no addresses in this process");
        }
        return address;
    }

    // ---- where it is --------------------------------------------------------------------------

    /** Returns an address inside the block, with a check of its own: see <b>Access</b>. */
    private long at(int index, int bytes) {
        Objects.checkFromIndexSize(index, bytes, capacity);
        return address + index;
    }

    /**
     * The same for a value, with one comparison: setting and getting a long took 1.83 ns, as it did
     * without a check, and 2.53 ns with the three comparisons above.
     */
    private long valueAt(int index, int bytes) {
        Objects.checkIndex(index, capacity - (bytes - 1));
        return address + index;
    }

    /** The same for what is not called through a checked method. */
    private long accessibleAt(int index, int bytes) {
        checkIndex(index, bytes);
        return at(index, bytes);
    }

    // ---- single values ------------------------------------------------------------------------

    @Override
    protected byte _getByte(int index) {
        return MEMORY.get(BYTE, valueAt(index, Byte.BYTES));
    }

    @Override
    protected short _getShort(int index) {
        return MEMORY.get(SHORT, valueAt(index, Short.BYTES));
    }

    @Override
    protected short _getShortLE(int index) {
        return MEMORY.get(SHORT_LE, valueAt(index, Short.BYTES));
    }

    @Override
    protected int _getUnsignedMedium(int index) {
        long from = valueAt(index, MEDIUM_BYTES);
        return (MEMORY.get(BYTE, from) & 0xFF) << 16 | MEMORY.get(SHORT, from + 1) & 0xFFFF;
    }

    @Override
    protected int _getUnsignedMediumLE(int index) {
        long from = valueAt(index, MEDIUM_BYTES);
        return MEMORY.get(BYTE, from) & 0xFF | (MEMORY.get(SHORT_LE, from + 1) & 0xFFFF) << 8;
    }

    @Override
    protected int _getInt(int index) {
        return MEMORY.get(INT, valueAt(index, Integer.BYTES));
    }

    @Override
    protected int _getIntLE(int index) {
        return MEMORY.get(INT_LE, valueAt(index, Integer.BYTES));
    }

    @Override
    protected long _getLong(int index) {
        return MEMORY.get(LONG, valueAt(index, Long.BYTES));
    }

    @Override
    protected long _getLongLE(int index) {
        return MEMORY.get(LONG_LE, valueAt(index, Long.BYTES));
    }

    @Override
    protected void _setByte(int index, int value) {
        MEMORY.set(BYTE, valueAt(index, Byte.BYTES), (byte) value);
    }

    @Override
    protected void _setShort(int index, int value) {
        MEMORY.set(SHORT, valueAt(index, Short.BYTES), (short) value);
    }

    @Override
    protected void _setShortLE(int index, int value) {
        MEMORY.set(SHORT_LE, valueAt(index, Short.BYTES), (short) value);
    }

    @Override
    protected void _setMedium(int index, int value) {
        long to = valueAt(index, MEDIUM_BYTES);
        MEMORY.set(BYTE, to, (byte) (value >>> 16));
        MEMORY.set(SHORT, to + 1, (short) value);
    }

    @Override
    protected void _setMediumLE(int index, int value) {
        long to = valueAt(index, MEDIUM_BYTES);
        MEMORY.set(BYTE, to, (byte) value);
        MEMORY.set(SHORT_LE, to + 1, (short) (value >>> 8));
    }

    @Override
    protected void _setInt(int index, int value) {
        MEMORY.set(INT, valueAt(index, Integer.BYTES), value);
    }

    @Override
    protected void _setIntLE(int index, int value) {
        MEMORY.set(INT_LE, valueAt(index, Integer.BYTES), value);
    }

    @Override
    protected void _setLong(int index, long value) {
        MEMORY.set(LONG, valueAt(index, Long.BYTES), value);
    }

    @Override
    protected void _setLongLE(int index, long value) {
        MEMORY.set(LONG_LE, valueAt(index, Long.BYTES), value);
    }

    // ---- many bytes ---------------------------------------------------------------------------

    @Override
    public ByteBuf getBytes(int index, byte[] dst, int dstIndex, int length) {
        checkDstIndex(index, length, dstIndex, dst.length);
        MemorySegment.copy(MEMORY, BYTE, at(index, length), dst, dstIndex, length);
        return this;
    }

    @Override
    public ByteBuf getBytes(int index, ByteBuffer dst) {
        int length = dst.remaining();
        checkIndex(index, length);
        if (dst.isReadOnly()) {
            throw new ReadOnlyBufferException();
        }
        MemorySegment.copy(MEMORY, at(index, length), MemorySegment.ofBuffer(dst), 0, length);
        dst.position(dst.limit());
        return this;
    }

    @Override
    public ByteBuf getBytes(int index, ByteBuf dst, int dstIndex, int length) {
        checkDstIndex(index, length, dstIndex, dst.capacity());
        if (dst instanceof KernelByteBuf other) {
            long to = other.accessibleAt(dstIndex, length);
            MemorySegment.copy(MEMORY, at(index, length), MEMORY, to, length);
        } else if (dst.hasArray()) {
            getBytes(index, dst.array(), dst.arrayOffset() + dstIndex, length);
        } else if (dst.nioBufferCount() > 0) {
            int from = index;
            for (ByteBuffer part : dst.nioBuffers(dstIndex, length)) {
                int bytes = part.remaining();
                getBytes(from, part);
                from += bytes;
            }
        } else {
            dst.setBytes(dstIndex, this, index, length);
        }
        return this;
    }

    @Override
    public ByteBuf getBytes(int index, OutputStream out, int length) throws IOException {
        checkIndex(index, length);
        byte[] chunk = new byte[Math.min(length, MAX_CHUNK_BYTES)];
        for (int done = 0; done < length; done += chunk.length) {
            int bytes = Math.min(length - done, chunk.length);
            getBytes(index + done, chunk, 0, bytes);
            out.write(chunk, 0, bytes);
        }
        return this;
    }

    @Override
    public int getBytes(int index, GatheringByteChannel out, int length) throws IOException {
        return out.write(nioBuffer(index, length));
    }

    @Override
    public int getBytes(int index, FileChannel out, long position, int length) throws IOException {
        return out.write(nioBuffer(index, length), position);
    }

    @Override
    public ByteBuf setBytes(int index, byte[] src, int srcIndex, int length) {
        checkSrcIndex(index, length, srcIndex, src.length);
        MemorySegment.copy(src, srcIndex, MEMORY, BYTE, at(index, length), length);
        return this;
    }

    @Override
    public ByteBuf setBytes(int index, ByteBuffer src) {
        int length = src.remaining();
        checkIndex(index, length);
        MemorySegment.copy(MemorySegment.ofBuffer(src), 0, MEMORY, at(index, length), length);
        src.position(src.limit());
        return this;
    }

    @Override
    public ByteBuf setBytes(int index, ByteBuf src, int srcIndex, int length) {
        checkSrcIndex(index, length, srcIndex, src.capacity());
        if (src instanceof KernelByteBuf other) {
            long from = other.accessibleAt(srcIndex, length);
            MemorySegment.copy(MEMORY, from, MEMORY, at(index, length), length);
        } else if (src.hasArray()) {
            setBytes(index, src.array(), src.arrayOffset() + srcIndex, length);
        } else if (src.nioBufferCount() > 0) {
            int to = index;
            for (ByteBuffer part : src.nioBuffers(srcIndex, length)) {
                int bytes = part.remaining();
                setBytes(to, part);
                to += bytes;
            }
        } else {
            src.getBytes(srcIndex, this, index, length);
        }
        return this;
    }

    @Override
    public int setBytes(int index, InputStream in, int length) throws IOException {
        checkIndex(index, length);
        byte[] read = new byte[length]; // one call of the stream: a second one might block
        int bytes = in.read(read);
        if (bytes > 0) {
            setBytes(index, read, 0, bytes);
        }
        return bytes;
    }

    @Override
    public int setBytes(int index, ScatteringByteChannel in, int length) throws IOException {
        try {
            return in.read(internalNioBuffer(index, length));
        } catch (ClosedChannelException _) {
            return -1;
        }
    }

    @Override
    public int setBytes(int index, FileChannel in, long position, int length) throws IOException {
        try {
            return in.read(internalNioBuffer(index, length), position);
        } catch (ClosedChannelException _) {
            return -1;
        }
    }

    @Override
    public ByteBuf setZero(int index, int length) {
        checkIndex(index, length);
        MEMORY.asSlice(at(index, length), length).fill((byte) 0);
        return this;
    }

    // ---- as buffers of the JDK ----------------------------------------------------------------

    @Override
    public int nioBufferCount() {
        return 1;
    }

    @Override
    public ByteBuffer nioBuffer(int index, int length) {
        checkIndex(index, length);
        return MEMORY.asSlice(at(index, length), length).asByteBuffer();
    }

    @Override
    public ByteBuffer[] nioBuffers(int index, int length) {
        return new ByteBuffer[] {nioBuffer(index, length)};
    }

    @Override
    public ByteBuffer internalNioBuffer(int index, int length) {
        accessibleAt(index, length);
        ByteBuffer whole = internalNioBuffer;
        if (whole == null || nioAddress != address || whole.capacity() != capacity) {
            whole = MEMORY.asSlice(address, capacity).asByteBuffer();
            internalNioBuffer = whole;
            nioAddress = address;
        }
        return whole.order(ByteOrder.BIG_ENDIAN).limit(index + length).position(index);
    }
}
