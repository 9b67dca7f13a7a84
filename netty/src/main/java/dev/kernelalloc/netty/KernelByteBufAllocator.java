package dev.kernelalloc.netty;

import static io.netty.util.internal.ObjectUtil.checkPositiveOrZero;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.KernelAllocator;

import io.netty.buffer.AbstractByteBufAllocator;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocatorMetric;
import io.netty.buffer.ByteBufAllocatorMetricProvider;
import io.netty.buffer.CompositeByteBuf;
import io.netty.buffer.UnpooledByteBufAllocator;

import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * Allocates Netty's direct buffers as blocks of a {@link KernelAllocator}. Safe for use by any
 * thread, virtual ones too; a buffer may be released on another thread than it was allocated on.
 *
 * <p>Each direct buffer owns one raw block, from its allocation until its reference count is 0.
 * Growing it {@linkplain KernelAllocator#reallocate reallocates} the block. Heap buffers are plain
 * arrays, not pooled. Every buffer is watched by Netty's leak detector, at the level of {@code
 * io.netty.leakDetection.level}.
 *
 * <p>Where the allocator refuses a block, for its limit or because there is no memory, the error is
 * an {@link OutOfMemoryError} whose cause is the {@link AllocationException}: Netty's {@code
 * OutOfDirectMemoryError}, or its superclass on the module path, where Netty does not open that
 * constructor. The allocator and all buffers stay usable.
 *
 * <p>The caller closes the {@link KernelAllocator} when all buffers are released; this object holds
 * nothing else.
 */
public final class KernelByteBufAllocator extends AbstractByteBufAllocator
        implements ByteBufAllocatorMetricProvider {

    /** Netty's own, which is private there. */
    private static final int DEFAULT_CAPACITY_BYTES = 256;

    /** What a Java {@code long} needs; stricter alignment would only round sizes up. */
    static final long ALIGNMENT_BYTES = 8;

    private final KernelAllocator memory;
    private final boolean preferDirect;
    private final AllocatorMetric metric;
    private final boolean usesAddresses;

    /**
     * Creates an allocator whose {@link #buffer()} is direct.
     *
     * @param memory where the blocks of direct buffers come from; it stays the caller's to close
     * @throws IllegalCallerException when native access is denied; the message names the flag
     */
    public KernelByteBufAllocator(KernelAllocator memory) {
        this(memory, true);
    }

    /**
     * Creates an allocator.
     *
     * @param memory where the blocks of direct buffers come from; it stays the caller's to close
     * @param preferDirect whether {@link #buffer()} and {@link #compositeBuffer()} are direct
     *     rather than on the Java heap
     * @throws IllegalCallerException when native access is denied; the message names the flag
     */
    public KernelByteBufAllocator(KernelAllocator memory, boolean preferDirect) {
        super(preferDirect);
        AllMemory.segment(); // throws here, with the remedy, where access is denied
        this.memory = Objects.requireNonNull(memory, "memory");
        this.preferDirect = preferDirect;
        this.metric = new AllocatorMetric(memory);
        this.usesAddresses = nettyUsesAddresses();
    }

    private static boolean nettyUsesAddresses() {
        ByteBuf sample = UnpooledByteBufAllocator.DEFAULT.directBuffer(1);
        try {
            return sample.hasMemoryAddress();
        } finally {
            sample.release();
        }
    }

    /**
     * Returns the allocator of the blocks, for its statistics and limits.
     *
     * @return the one given to the constructor
     */
    public KernelAllocator memory() {
        return memory;
    }

    /**
     * Returns how many bytes the buffers use. Direct ones are counted as Netty's pools do, with
     * what is free and kept for the next buffers, and with whatever else uses {@link #memory}. That
     * number takes a {@linkplain KernelAllocator#stats snapshot}: ask for it now and then, not for
     * each request.
     *
     * @return always the same metric
     */
    @Override
    public ByteBufAllocatorMetric metric() {
        return metric;
    }

    /** Returns true: blocks are reused, so Netty need not avoid short-lived direct buffers. */
    @Override
    public boolean isDirectBufferPooled() {
        return true;
    }

    // Netty's own methods give heap buffers where Netty cannot free direct ones; this class can.

    @Override
    public ByteBuf buffer() {
        return preferDirect ? directBuffer() : heapBuffer();
    }

    @Override
    public ByteBuf buffer(int initialCapacity) {
        return preferDirect ? directBuffer(initialCapacity) : heapBuffer(initialCapacity);
    }

    @Override
    public ByteBuf buffer(int initialCapacity, int maxCapacity) {
        return preferDirect
                ? directBuffer(initialCapacity, maxCapacity)
                : heapBuffer(initialCapacity, maxCapacity);
    }

    @Override
    public CompositeByteBuf compositeBuffer() {
        return preferDirect ? compositeDirectBuffer() : compositeHeapBuffer();
    }

    @Override
    public CompositeByteBuf compositeBuffer(int maxNumComponents) {
        return preferDirect
                ? compositeDirectBuffer(maxNumComponents)
                : compositeHeapBuffer(maxNumComponents);
    }

    // Without Netty's two methods between: HotSpot inlines 15 calls deep (MaxInlineLevel). With
    // them, the segment of the block was an object of 40 B: 42 to 54 instead of 28 ns, side by
    // side.

    @Override
    public ByteBuf directBuffer() {
        return directBuffer(DEFAULT_CAPACITY_BYTES);
    }

    @Override
    public ByteBuf directBuffer(int initialCapacity) {
        checkPositiveOrZero(initialCapacity, "initialCapacity");
        return toLeakAwareBuffer(KernelByteBuf.of(this, initialCapacity, Integer.MAX_VALUE));
    }

    @Override
    protected ByteBuf newHeapBuffer(int initialCapacity, int maxCapacity) {
        return toLeakAwareBuffer(metric.heapBuffer(this, initialCapacity, maxCapacity));
    }

    @Override
    protected ByteBuf newDirectBuffer(int initialCapacity, int maxCapacity) {
        return toLeakAwareBuffer(KernelByteBuf.of(this, initialCapacity, maxCapacity));
    }

    /**
     * Returns whether Netty's own direct buffers have an address in this process. Where they have
     * none, older versions of Netty would dereference one without checking that they can.
     */
    boolean usesAddresses() {
        return usesAddresses;
    }

    /** Grows or shrinks such a block; it is unchanged where that is refused. */
    MemorySegment reallocate(MemorySegment block, int bytes) {
        try {
            return memory.reallocate(block, bytes, ALIGNMENT_BYTES);
        } catch (AllocationException e) {
            throw DirectMemoryErrors.from(e);
        }
    }

    void free(MemorySegment block) {
        memory.free(block);
    }

    @Override
    public String toString() {
        return "KernelByteBufAllocator[" + memory + "]";
    }
}
