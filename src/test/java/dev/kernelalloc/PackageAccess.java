package dev.kernelalloc;

import dev.kernelalloc.heap.ChunkSource;
import dev.kernelalloc.heap.HeapInvariants;
import dev.kernelalloc.heap.SlabHeap;
import dev.kernelalloc.os.OperatingSystem;

import java.lang.foreign.MemorySegment;
import java.util.Objects;

/**
 * Reaches what is private to this package, for tests grouped in other packages: allocators over a
 * given system or source of chunks, and the state behind them.
 */
@SuppressWarnings("exports") // the package is exported; this class is not in the library
public final class PackageAccess {

    private PackageAccess() {}

    /** Builds a pool whose memory comes from {@code os}. */
    public static PoolAllocator build(PoolAllocator.Builder builder, OperatingSystem os) {
        return builder.build(os);
    }

    /** Builds a pool whose memory comes from {@code source}. */
    public static PoolAllocator build(PoolAllocator.Builder builder, ChunkSource source) {
        return builder.build(source);
    }

    /** Builds a physical allocator whose pages come from {@code os}. */
    public static PhysicalAllocator build(PhysicalAllocator.Builder builder, OperatingSystem os) {
        return builder.build(os);
    }

    /** Returns an allocator over the C heap of {@code os}. */
    public static PoolAllocator systemHeap(OperatingSystem os) {
        return PoolAllocator.systemHeap(os);
    }

    /** Allocates secret memory from {@code os}. */
    public static SecretMemory allocate(
            SecretMemory.Builder builder, long byteSize, long byteAlignment, OperatingSystem os) {
        return builder.allocate(byteSize, byteAlignment, os);
    }

    /** Returns the memory that holds the elements of a vec at present. */
    public static MemorySegment memory(NativeVec<?> vec) {
        return vec.memory;
    }

    /** Returns the engine of an allocator that has slabs. */
    public static SlabHeap engine(PhysicalAllocator physical) {
        return Objects.requireNonNull(physical.blocks.engine());
    }

    /** Verifies the heaps of an allocator that no thread uses during the call. */
    public static void checkInvariants(PoolAllocator pool) {
        pool.blocks.registration().blocks().forEach(HeapInvariants::check);
    }
}
