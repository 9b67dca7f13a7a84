package dev.kernelalloc.core;

import dev.kernelalloc.LeakReport;
import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.struct.StructType;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The memory of a box without the thread: the state that stays the same when a box is handed over,
 * or shared.
 *
 * @param origin the origin that it returns to
 * @param bytes the size, as requested from the origin
 * @param alignment the alignment, as requested from the origin
 * @param elements the number of elements of the flexible array at its end
 * @param readOnly whether its segments are read-only
 */
public record BoxedBlock(
        Origin origin, long address, long bytes, long alignment, long elements, boolean readOnly) {

    /**
     * Allocates a block of undefined contents or of zeros, for a struct without elements at its
     * end.
     */
    public static BoxedBlock allocate(CheckedBlocks blocks, StructType<?> type, boolean zeroed) {
        return allocate(blocks, type.byteSize(), type.byteAlignment(), 0, zeroed);
    }

    /** The same with elements. */
    public static BoxedBlock allocate(
            CheckedBlocks blocks, StructType<?> type, long elements, boolean zeroed) {
        return allocate(blocks, type.byteSize(elements), type.byteAlignment(), elements, zeroed);
    }

    private static BoxedBlock allocate(
            CheckedBlocks blocks, long bytes, long alignment, long elements, boolean zeroed) {
        long address = blocks.allocateOwned(bytes, alignment, zeroed);
        Origin origin = blocks;
        try {
            origin = blocks.origin(address, bytes, LeakReport.Kind.BOX);
            return new BoxedBlock(origin, address, bytes, alignment, elements, false);
        } catch (Throwable e) {
            origin.freeOwned(address, bytes, alignment); // the Java heap or stack is exhausted
            throw e;
        }
    }

    /** Allocates a block of the same size that can be written. */
    public BoxedBlock allocateAnother() {
        return allocate(origin.forCopies(), bytes, alignment, elements, false);
    }

    /** The memory, for as long as {@code lifetime}. */
    public MemorySegment segment(Arena lifetime) {
        MemorySegment segment = NativeMemory.segment(address, bytes, lifetime);
        return readOnly ? segment.asReadOnly() : segment;
    }

    /** Frees the block, once. */
    public void free() {
        origin.freeOwned(address, bytes, alignment);
    }

    /** Describes for people the address, the size and the guarantee of the pages. */
    public String location() {
        return OwnerText.location(address, bytes, origin.guarantee());
    }
}
