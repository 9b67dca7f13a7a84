package dev.kernelalloc;

import dev.kernelalloc.heap.Block;
import dev.kernelalloc.heap.BlockSource;
import dev.kernelalloc.heap.LiveBlocks;
import dev.kernelalloc.heap.LiveBlocks.Counters;
import dev.kernelalloc.heap.LiveBlocks.Owner;
import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.os.Refusal;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/**
 * The blocks of an allocator behind the public contract: arguments are checked here, and here alone
 * a refusal becomes an {@link AllocationException}.
 */
final class CheckedBlocks {

    private static final MemorySegment.Scope GLOBAL_SCOPE = Arena.global().scope();

    private final String tag;
    private final LiveBlocks blocks;
    private boolean processWide; // guarded by this

    CheckedBlocks(String tag, BlockSource source) {
        this.tag = tag;
        this.blocks = new LiveBlocks(tag, source);
    }

    /** The blocks of an allocator: how boxes reach them without a call through the interface. */
    static CheckedBlocks of(KernelAllocator allocator) {
        return switch (allocator) {
            case PoolAllocator pool -> pool.blocks();
            case PhysicalAllocator physical -> physical.blocks();
        };
    }

    // ---- raw blocks ---------------------------------------------------------------------------

    MemorySegment allocate(long bytes, long alignment, boolean zeroed) {
        return NativeMemory.segment(allocate(bytes, alignment, zeroed, Owner.CALLER), bytes);
    }

    Optional<MemorySegment> tryAllocate(long bytes, long alignment) {
        check(bytes, alignment);
        try {
            long address = blocks.allocate(bytes, alignment, false, Owner.CALLER);
            return Optional.of(NativeMemory.segment(address, bytes));
        } catch (Refusal _) {
            return Optional.empty();
        }
    }

    MemorySegment reallocate(MemorySegment block, long bytes, long alignment) {
        check(bytes, alignment);
        try {
            return NativeMemory.segment(
                    blocks.reallocate(rawAddress(block), bytes, alignment), bytes);
        } catch (Refusal e) {
            throw explained(e, bytes, alignment);
        }
    }

    void free(MemorySegment block) {
        blocks.free(rawAddress(block), Owner.CALLER);
    }

    MemorySegment adopt(MemorySegment block, Block.Origin origin) {
        long address = rawAddress(block);
        requireNotNull(block);
        if (block.byteSize() == 0) {
            throw new IllegalArgumentException(
                    "%s has no size: reinterpret it to the size it has in C first"
                            .formatted(block));
        }
        long bytes = block.byteSize();
        blocks.adopt(new Block(address, bytes, bytes, origin));
        return block;
    }

    void disown(MemorySegment block) {
        blocks.disown(rawAddress(block));
    }

    // ---- blocks of a box or an arena ----------------------------------------------------------

    /** A block of at least {@code bytes}; its address. */
    long allocate(long bytes, long alignment, boolean zeroed, Owner owner) {
        check(bytes, alignment);
        try {
            return blocks.allocate(bytes, alignment, zeroed, owner);
        } catch (Refusal e) {
            throw explained(e, bytes, alignment);
        }
    }

    void free(long address, Owner owner) {
        blocks.free(address, owner);
    }

    Arena arena(Arena lifetime) {
        blocks.requireOpen();
        return new BlockArena(this, lifetime);
    }

    // ---- the whole ----------------------------------------------------------------------------

    AllocatorStats stats() {
        Counters now = blocks.counters();
        return new AllocatorStats(
                tag,
                now.liveBlocks(),
                now.liveBytes(),
                now.capacityBytes(),
                now.allocatedBlocks(),
                now.freedBlocks(),
                now.refusedRequests());
    }

    void trim() {
        blocks.trim();
    }

    /** From now on these blocks serve the whole process and cannot be closed. */
    synchronized void serveProcess() {
        blocks.requireOpen();
        processWide = true;
    }

    synchronized void close() {
        if (processWide) {
            throw new UnsupportedOperationException(
                    "allocator '" + tag + "' serves the whole process: it cannot be closed");
        }
        blocks.close();
        Counters left = blocks.counters();
        if (left.liveBlocks() != 0) {
            throw new IllegalStateException(
                    ("allocator '%s' is closed with %d live blocks (%d bytes): they stay valid"
                                    + " until each is freed, or its box or arena closed")
                            .formatted(tag, left.liveBlocks(), left.liveBytes()));
        }
    }

    @Override
    public String toString() {
        Counters now = blocks.counters();
        return "[%s, %d live blocks, %d bytes%s]"
                .formatted(
                        tag,
                        now.liveBlocks(),
                        now.liveBytes(),
                        blocks.isClosed() ? ", closed" : "");
    }

    // ---- arguments and refusals ---------------------------------------------------------------

    private static void check(long bytes, long alignment) {
        if (bytes < 0) {
            throw new IllegalArgumentException("byteSize=" + bytes + " must not be negative");
        }
        if (alignment <= 0 || (alignment & (alignment - 1)) != 0) {
            throw new IllegalArgumentException(
                    "byteAlignment=" + alignment + " must be a power of two");
        }
        if (bytes > Long.MAX_VALUE - alignment) {
            throw new IllegalArgumentException(
                    "byteSize=%d and byteAlignment=%d together exceed Long.MAX_VALUE"
                            .formatted(bytes, alignment));
        }
    }

    /**
     * The address of a segment that could be a raw block: native, and in the scope that never
     * closes.
     */
    private static long rawAddress(MemorySegment block) {
        if (!block.isNative()) {
            throw new IllegalArgumentException(
                    block + " lies in the Java heap: it is not a block of an allocator");
        }
        if (!block.scope().equals(GLOBAL_SCOPE)) {
            throw new IllegalArgumentException(
                    block
                            + " belongs to a box or an arena, whose close frees it: only raw blocks"
                            + " are freed by hand");
        }
        return block.address();
    }

    /** What a C function returns when it has failed is not memory. */
    static void requireNotNull(MemorySegment segment) {
        if (segment.address() == 0) {
            throw new IllegalArgumentException(
                    "segment at address 0: the function it came from has failed, check for NULL"
                            + " first");
        }
    }

    private AllocationException explained(Refusal refusal, long bytes, long alignment) {
        AllocationException.Reason reason =
                switch (refusal) {
                    case Refusal.OutOfMemory _ -> AllocationException.Reason.OUT_OF_MEMORY;
                    case Refusal.LockLimit _ -> AllocationException.Reason.LOCK_LIMIT;
                    case Refusal.NotPermitted _ -> AllocationException.Reason.NOT_PERMITTED;
                    case Refusal.NotSupported _ -> AllocationException.Reason.NOT_SUPPORTED;
                    case Refusal.SystemError _ -> AllocationException.Reason.SYSTEM_ERROR;
                };
        return new AllocationException(
                reason,
                "allocator '%s' could not provide %d bytes aligned to %d: %s"
                        .formatted(tag, bytes, alignment, refusal.getMessage()),
                refusal);
    }
}
