package dev.kernelalloc.pool;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import dev.kernelalloc.PoolAllocator;

import net.jqwik.api.ForAll;
import net.jqwik.api.Label;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.LongRange;
import net.jqwik.api.constraints.Size;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** An address leads to a block exactly if a live raw block starts there. */
class BlockAtTest {

    private static final long LARGEST = 5L << 20; // larger than a range

    @Property
    @Label("Of any address near live and freed blocks, the starts of live ones alone lead back")
    void blockAt_anyAddress_isALiveStartOrRefused(
            @ForAll @Size(min = 1, max = 40) List<@LongRange(max = LARGEST) Long> sizes,
            @ForAll @IntRange(max = 12) int alignmentBits,
            @ForAll @Size(max = 20) List<@LongRange(min = -5000, max = 5000) Long> distances) {
        try (PoolAllocator pool = PoolAllocator.builder().build()) {
            List<MemorySegment> live = new ArrayList<>();
            Set<Long> candidates = new HashSet<>();
            for (int i = 0; i < sizes.size(); i++) {
                MemorySegment block = pool.allocate(sizes.get(i), 1L << alignmentBits);
                candidates.add(block.address());
                if (i % 3 == 0) {
                    pool.free(block);
                } else {
                    live.add(block);
                }
                for (long distance : distances) {
                    candidates.add(block.address() + distance);
                }
            }
            Set<Long> starts = new HashSet<>();
            for (MemorySegment block : live) {
                starts.add(block.address());
                MemorySegment found = pool.blockAt(block.address());
                assertThat(found.address()).isEqualTo(block.address());
                assertThat(found.byteSize()).isEqualTo(pool.usableSize(block));
            }
            candidates.removeAll(starts);
            for (long address : candidates) {
                assertThatIllegalArgumentException()
                        .as("0x%x, live %s", address, starts)
                        .isThrownBy(() -> pool.blockAt(address));
            }
            live.forEach(pool::free);
        }
    }
}
