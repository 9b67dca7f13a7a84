package dev.kernelalloc.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/** Tests PRP entries and lists, read as a controller reads them. */
class PrpListsTest {

    private static final int PAGE = 4096;
    private static final int MAX_BYTES = 4 << 20;
    private static final int COMMANDS = 2;

    @Test
    @DisplayName(
            "the controller finds every page of a buffer, in order, whatever its size and start")
    void describe_anySizeAndOffset_namesEveryPageInOrder() {
        try (FakeDma dma = new FakeDma();
                Arena arena = Arena.ofConfined();
                PrpLists lists = new PrpLists(dma, COMMANDS, MAX_BYTES)) {
            SubmissionEntry command =
                    SubmissionEntry.TYPE.get(arena.allocate(SubmissionEntry.TYPE.layout()));
            MemorySegment memory = arena.allocate(MAX_BYTES + 2 * PAGE, PAGE);
            for (int offset : new int[] {0, 4, 512, PAGE - 4}) {
                for (int bytes : sizes(offset)) {
                    MemorySegment buffer = memory.asSlice(offset, bytes);
                    for (int index = 0; index < COMMANDS; index++) {
                        lists.describe(buffer, index, command);
                        assertThat(asRead(command, bytes))
                                .as("offset %d, %d bytes", offset, bytes)
                                .isEqualTo(pages(dma, buffer));
                    }
                }
            }
        }
    }

    @Test
    @DisplayName("commands in flight have lists of their own")
    void describe_twoCommands_useDifferentLists() {
        try (FakeDma dma = new FakeDma();
                Arena arena = Arena.ofConfined();
                PrpLists lists = new PrpLists(dma, COMMANDS, MAX_BYTES)) {
            SubmissionEntry first =
                    SubmissionEntry.TYPE.get(arena.allocate(SubmissionEntry.TYPE.layout()));
            SubmissionEntry second =
                    SubmissionEntry.TYPE.get(arena.allocate(SubmissionEntry.TYPE.layout()));
            MemorySegment one = arena.allocate(MAX_BYTES, PAGE);
            MemorySegment other = arena.allocate(MAX_BYTES, PAGE);
            lists.describe(one, 0, first);
            lists.describe(other, 1, second);
            assertThat(asRead(first, MAX_BYTES)).isEqualTo(pages(dma, one));
            assertThat(asRead(second, MAX_BYTES)).isEqualTo(pages(dma, other));
        }
    }

    @Test
    @DisplayName("a buffer that no command can describe is refused")
    void describe_unfitBuffer_isRefused() {
        try (FakeDma dma = new FakeDma();
                Arena arena = Arena.ofConfined();
                PrpLists lists = new PrpLists(dma, COMMANDS, MAX_BYTES)) {
            SubmissionEntry command =
                    SubmissionEntry.TYPE.get(arena.allocate(SubmissionEntry.TYPE.layout()));
            MemorySegment memory = arena.allocate(MAX_BYTES + PAGE, PAGE);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> lists.describe(memory, 0, command))
                    .withMessageContaining("most=" + MAX_BYTES);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> lists.describe(memory.asSlice(2, 512), 0, command))
                    .withMessageContaining("multiple of 4");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> lists.describe(memory.asSlice(0, 0), 0, command));
        }
    }

    /**
     * Returns sizes around each change of shape: one entry, two, a list, a second and a third list.
     */
    private static List<Integer> sizes(int offset) {
        List<Integer> sizes = new ArrayList<>();
        for (int pages : new int[] {1, 2, 3, 4, 511, 512, 513, 514, 1022, 1023, 1024, 1025}) {
            for (int change : new int[] {-4, 0, 4}) {
                int bytes = pages * PAGE - offset + change;
                if (bytes >= 1 && bytes <= MAX_BYTES) {
                    sizes.add(bytes);
                }
            }
        }
        sizes.add(MAX_BYTES);
        return sizes;
    }

    private static List<Long> pages(FakeDma dma, MemorySegment buffer) {
        List<Long> pages = new ArrayList<>();
        long offset = 0;
        while (offset < buffer.byteSize()) {
            pages.add(dma.addressOf(buffer, offset));
            offset += PAGE - (buffer.address() + offset) % PAGE;
        }
        return pages;
    }

    /** Follows section 4.3 as a controller does. */
    private static List<Long> asRead(SubmissionEntry command, long bytes) {
        List<Long> pages = new ArrayList<>(List.of(command.prp1()));
        long left = bytes - (PAGE - command.prp1() % PAGE);
        if (left > 0 && left <= PAGE) {
            pages.add(command.prp2());
        } else if (left > 0) {
            MemorySegment list = FakeDma.memory(command.prp2());
            assertThat(list.byteSize()).as("a list begins at a page").isEqualTo(PAGE);
            int entry = 0;
            while (left > 0) {
                long address = list.getAtIndex(ValueLayout.JAVA_LONG, entry++);
                if (entry == PAGE / Long.BYTES && left > PAGE) {
                    list = FakeDma.memory(address);
                    entry = 0;
                } else {
                    pages.add(address);
                    left -= PAGE;
                }
            }
        } else {
            assertThat(command.prp2()).isZero();
        }
        return pages;
    }
}
