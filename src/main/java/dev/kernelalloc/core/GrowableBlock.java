package dev.kernelalloc.core;

import dev.kernelalloc.bulk.BulkMemory;

import java.lang.foreign.MemorySegment;

/**
 * A block that its owner can exchange for a larger or a smaller one, with the bytes in use. Each
 * exchange ends the life of whatever was made from the memory before.
 */
public final class GrowableBlock {

    private OwnedBlock block;
    private final long alignment;

    /**
     * @param alignment of every block
     */
    public GrowableBlock(OwnedBlock block, long alignment) {
        this.block = block;
        this.alignment = alignment;
    }

    /** The present block. */
    public OwnedBlock block() {
        return block;
    }

    /** All that may be used. */
    public MemorySegment memory() {
        return block.segment();
    }

    /**
     * Grows the memory, by at least a third, so that growing byte by byte copies each byte three
     * times on average.
     *
     * @param used how many bytes are kept
     * @param needed how many there must be, more than there are
     * @throws AllocationException if memory is not available; nothing has changed then
     * @throws IllegalStateException if the source is closed, or a downcall is using the memory:
     *     nothing has changed then. Also when the old block was overrun: the room has been made
     *     then
     */
    public void enlarge(long used, long needed) {
        long present = memory().byteSize();
        long cheap = present + present / 3;
        long wanted = Math.max(needed, cheap);
        long growable = block.source().growableAlignment(wanted, alignment);
        if (growable != 0 && block.alignment() == growable && present > 0) {
            block = block.handOver(present); // ends what was made from the memory
            block = block.enlarged(wanted);
        } else {
            move(allocate(wanted), used);
        }
    }

    private OwnedBlock allocate(long bytes) {
        long growable = block.source().growableAlignment(bytes, alignment);
        return OwnedBlock.allocateAtLeast(
                block.source(), bytes, growable != 0 ? growable : alignment);
    }

    /**
     * Shrinks the memory to what is used, if the source has a smaller block.
     *
     * @param used how many bytes are kept
     */
    public void shrinkToFit(long used) {
        OwnedBlock fitting =
                used == 0 ? OwnedBlock.none(block.source(), alignment) : allocate(used);
        if (fitting.segment().byteSize() < memory().byteSize()) {
            move(fitting, used);
        } else {
            fitting.close();
        }
    }

    private void move(OwnedBlock other, long used) {
        OwnedBlock old = block;
        if (!old.isAlive()) { // a pressure listener has closed it, to make room
            other.close();
            old.requireAccess();
        }
        try {
            BulkMemory.copy(old.segment(), 0, other.segment(), 0, used);
            old.close();
        } finally {
            if (old.isAlive()) {
                other.close(); // a downcall is using the old one
            } else {
                block = other; // even if the source reports that the old one was overrun
            }
        }
    }
}
