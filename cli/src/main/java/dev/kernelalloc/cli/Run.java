package dev.kernelalloc.cli;

import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.physical.PhysicalExtent;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * Physically contiguous bytes of a block; bytes of one node if addresses are hidden.
 *
 * @param block the number of the block, from 0
 * @param offset the offset of the first byte in the memory, all blocks one behind the other
 * @param virtual the virtual address
 * @param physical the physical address; empty if addresses are hidden
 * @param bytes the number of bytes
 * @param node the node of the first page; empty if unknown
 * @param guarantees as printed
 */
record Run(
        int block,
        long offset,
        long virtual,
        Optional<PhysicalExtent> physical,
        long bytes,
        OptionalInt node,
        String guarantees) {

    /** How many places of a block are asked for their node where addresses are hidden. */
    private static final int MOST_SAMPLES = 4096;

    /** The pages that nodes are asked for, at least: those of the smallest base size. */
    private static final long LEAST_SAMPLE_BYTES = 4096;

    /**
     * The runs of blocks.
     *
     * @param blocks of the allocator, none of 0 bytes
     */
    static List<Run> of(PhysicalAllocator physical, List<MemorySegment> blocks) {
        List<Run> runs = new ArrayList<>();
        long offset = 0;
        for (int index = 0; index < blocks.size(); index++) {
            MemorySegment block = blocks.get(index);
            try {
                addExtents(runs, physical, block, index, offset);
            } catch (PhysicalAddressException hidden) {
                addNodes(runs, physical, block, index, offset);
            }
            offset += block.byteSize();
        }
        return runs;
    }

    private static void addExtents(
            List<Run> runs,
            PhysicalAllocator physical,
            MemorySegment block,
            int index,
            long offset) {
        String guarantees = Guarantees.text(physical.guarantee(block));
        long at = 0;
        for (PhysicalExtent extent : physical.extents(block)) {
            OptionalInt node = physical.node(block.asSlice(at, extent.bytes()));
            runs.add(
                    new Run(
                            index,
                            offset + at,
                            block.address() + at,
                            Optional.of(extent),
                            extent.bytes(),
                            node,
                            guarantees));
            at += extent.bytes();
        }
    }

    private static void addNodes(
            List<Run> runs,
            PhysicalAllocator physical,
            MemorySegment block,
            int index,
            long offset) {
        String guarantees = Guarantees.text(physical.guarantee(block));
        long step =
                Math.max(LEAST_SAMPLE_BYTES, Long.highestOneBit(block.byteSize() / MOST_SAMPLES));
        long start = 0;
        OptionalInt node = physical.node(block);
        for (long at = step; at <= block.byteSize() + step - 1; at += step) {
            long end = Math.min(at, block.byteSize());
            OptionalInt next =
                    end < block.byteSize()
                            ? physical.node(block.asSlice(end))
                            : OptionalInt.empty();
            if (end == block.byteSize() || !next.equals(node)) {
                runs.add(
                        new Run(
                                index,
                                offset + start,
                                block.address() + start,
                                Optional.empty(),
                                end - start,
                                node,
                                guarantees));
                start = end;
                node = next;
            }
        }
    }

    String nodeText() {
        return node.isPresent() ? "node " + node.getAsInt() : "node unknown";
    }
}
