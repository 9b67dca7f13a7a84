package dev.kernelalloc.nvme;

import dev.kernelalloc.NativeArray;
import dev.kernelalloc.struct.Length;
import dev.kernelalloc.struct.Struct;
import dev.kernelalloc.struct.StructType;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.util.Locale;

/**
 * Describes the data of a command to the controller: section 4.3.
 *
 * <p>A PRP entry is the address of one page. A command has room for two. If there are more pages,
 * the second entry is the address of a list of the others; a list is a page too, and if it is full,
 * its last entry is the address of the next list.
 *
 * <p>The offset in a page is the same for the device and for this process, as both have pages of 4
 * KiB.
 *
 * <p>So data may occupy any pages, contiguous or not. Each command in flight has lists of its own.
 */
final class PrpLists implements AutoCloseable {

    /** The page size if CC.MPS is 0. */
    static final int PAGE_BYTES = 4096;

    static final int ENTRIES = PAGE_BYTES / Long.BYTES;

    /** A list: one page, so that one address locates it. */
    @Struct(align = PAGE_BYTES)
    interface PrpList {

        StructType<PrpList> TYPE = StructType.of(MethodHandles.lookup(), PrpList.class);

        @Length(ENTRIES)
        long entry(int index);

        void entry(int index, long address);
    }

    private final DmaAllocator buffers;
    private final NativeArray<PrpList> lists;

    /** Created once, so that a request allocates no object. */
    private final PrpList[] views;

    private final long[] addresses;
    private final int listsPerCommand;
    private final long maxBytes;

    /**
     * Creates the lists of a queue.
     *
     * @param buffers the memory of data, and of the lists
     * @param commands the number of commands that may be in flight
     * @param maxBytes the longest transfer
     */
    PrpLists(DmaAllocator buffers, int commands, long maxBytes) {
        this.buffers = buffers;
        this.maxBytes = maxBytes;
        this.listsPerCommand = listsFor(maxBytes);
        int count = commands * listsPerCommand;
        this.lists = NativeArray.zeroed(buffers.memory(), PrpList.TYPE, count);
        this.views = new PrpList[count];
        this.addresses = new long[count];
        for (int i = 0; i < count; i++) {
            views[i] = lists.view(i);
            addresses[i] = buffers.addressOf(lists.segment(i), 0);
        }
    }

    /** Returns how many lists the longest transfer needs, if it begins at the end of a page. */
    private static int listsFor(long maxBytes) {
        long listed = Math.ceilDiv(maxBytes, PAGE_BYTES); // one more page than that, less PRP1
        return Math.toIntExact(Math.max(1, Math.ceilDiv(listed - 1, ENTRIES - 1)));
    }

    /**
     * Sets PRP1 and PRP2 of a command.
     *
     * @param buffer 1 to the maximum number of bytes, at a multiple of 4
     * @param commandIndex the index among the commands in flight
     * @param command the entry to write
     * @throws IllegalArgumentException when the buffer is not memory of the allocator, is too long
     *     or not aligned
     */
    void describe(MemorySegment buffer, int commandIndex, SubmissionEntry command) {
        long bytes = buffer.byteSize();
        if (bytes < 1 || bytes > maxBytes || (buffer.address() & 3) != 0) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "buffer does not fit a command: bytes=%d most=%d address=0x%x must be a"
                                    + " multiple of 4; split the transfer or align the buffer",
                            bytes,
                            maxBytes,
                            buffer.address()));
        }
        command.prp1(buffers.addressOf(buffer, 0)); // the only entry with an offset in its page
        long second = PAGE_BYTES - (buffer.address() & PAGE_BYTES - 1);
        if (bytes <= second) {
            command.prp2(0);
        } else if (bytes - second <= PAGE_BYTES) {
            command.prp2(buffers.addressOf(buffer, second));
        } else {
            int list = commandIndex * listsPerCommand;
            command.prp2(addresses[list]);
            int entry = 0;
            for (long offset = second; offset < bytes; offset += PAGE_BYTES) {
                boolean last = bytes - offset <= PAGE_BYTES;
                if (entry == ENTRIES - 1 && !last) {
                    views[list].entry(entry, addresses[list + 1]);
                    list++;
                    entry = 0;
                }
                views[list].entry(entry++, buffers.addressOf(buffer, offset));
            }
        }
    }

    @Override
    public void close() {
        lists.close();
    }
}
