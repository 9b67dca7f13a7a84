package dev.kernelalloc.frames;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.kernelalloc.physical.Backing;
import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.physical.PhysicalRequest;
import dev.kernelalloc.physical.Provenance;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.util.AbstractCollection;
import java.util.Collection;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** Where the way back from a physical address leads when pages move and the heap is exhausted. */
class ReverseTableTest {

    private static final long PAGE_BYTES = 4096;
    private static final int PAGES_OF_HUGE = 512;
    private static final long HUGE_FRAME = 100L * PAGES_OF_HUGE;
    private static final long OLDER = 0x7f0000000000L;
    private static final long LATER = 0x7f1000000000L;

    private final ReverseTable table = new ReverseTable(PAGE_BYTES);

    private static Translation frames(long first, int count) {
        long[] entries = new long[count];
        for (int i = 0; i < count; i++) {
            entries[i] = PageMapEntry.PRESENT | PageMapEntry.EXCLUSIVE | first + i;
        }
        return Translation.of(entries, false, PAGE_BYTES);
    }

    private static FrameSlab slab(long address, Translation frames) {
        long bytes = frames.pages() * PAGE_BYTES;
        return new FrameSlab(
                new Mapped(
                        new Reservation(address, bytes, false, 1),
                        address,
                        bytes,
                        Backing.BASE_PAGES,
                        false),
                PhysicalRequest.DEFAULT,
                Set.of(Guarantee.RESIDENT),
                new Provenance(Backing.BASE_PAGES, List.of(), Optional.empty()),
                new int[0],
                FrameSlab.Use.ENGINE,
                frames);
    }

    private long find(long frame) {
        return table.find(frame * PAGE_BYTES, List.of());
    }

    /** One slab, and then the Java heap is exhausted. */
    private static Collection<FrameSlab> exhaustedAfter(FrameSlab slab) {
        return new AbstractCollection<>() {
            @Override
            public int size() {
                return 2;
            }

            @Override
            public Iterator<FrameSlab> iterator() {
                Iterator<FrameSlab> first = List.of(slab).iterator();
                return new Iterator<>() {
                    @Override
                    public boolean hasNext() {
                        return true;
                    }

                    @Override
                    public FrameSlab next() {
                        if (first.hasNext()) {
                            return first.next();
                        }
                        throw new OutOfMemoryError("by the test");
                    }
                };
            }
        };
    }

    @Test
    @DisplayName("A table whose building was cut short names no slab that was released meanwhile")
    void find_afterAnExhaustedHeap_namesNoReleasedSlab() {
        FrameSlab released = slab(OLDER, frames(5000, 16));
        assertThatExceptionOfType(OutOfMemoryError.class)
                .isThrownBy(() -> table.find(5000 * PAGE_BYTES, exhaustedAfter(released)));
        table.remove(released.address(), released.translation());
        FrameSlab left = slab(LATER, frames(9000, 16));
        assertThat(table.find(5000 * PAGE_BYTES, List.of(left))).isZero();
        assertThat(find(9001)).isEqualTo(LATER + PAGE_BYTES);
    }

    @Test
    @DisplayName("A later page is found where an older huge page had its frame, and hides no other")
    void put_pageInAnOlderHugePage_isFoundAndHidesNoOther() {
        assertThat(find(1)).isZero();
        Translation huge = frames(HUGE_FRAME, PAGES_OF_HUGE);
        Translation page = frames(HUGE_FRAME + 7, 1);
        table.put(OLDER, huge);
        table.put(LATER, page);
        assertThat(find(HUGE_FRAME + 7)).isEqualTo(LATER);
        assertThat(find(HUGE_FRAME + 6)).isEqualTo(OLDER + 6 * PAGE_BYTES);
        assertThat(find(HUGE_FRAME + 8)).isEqualTo(OLDER + 8 * PAGE_BYTES);
        table.remove(OLDER, huge);
        assertThat(find(HUGE_FRAME + 6)).isZero();
        assertThat(find(HUGE_FRAME + 7)).isEqualTo(LATER);
        table.remove(LATER, page);
        assertThat(find(HUGE_FRAME + 7)).isZero();
    }
}
