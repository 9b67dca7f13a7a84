package dev.kernelalloc.nvme.check;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.nvme.Completion;
import dev.kernelalloc.nvme.DmaAllocator;
import dev.kernelalloc.nvme.Namespace;
import dev.kernelalloc.nvme.NvmeController;
import dev.kernelalloc.nvme.PhysicalDma;
import dev.kernelalloc.nvme.QueuePair;
import dev.kernelalloc.nvme.SysfsDevice;
import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.physical.PagePolicy;
import dev.kernelalloc.physical.PhysicalRequest;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.BitSet;
import java.util.Set;

/**
 * Checks what happens if a device has the address of a page that is merely locked, and the page
 * moves; and that a pinned page does not move.
 *
 * <p>The check asks the kernel to take the frames of a buffer out of use, as it does with memory
 * that reports correctable errors. The kernel moves the pages elsewhere first. The frames have no
 * owner afterwards, so a write of the device to them is harmless; after a compaction it would
 * corrupt another owner's memory.
 */
final class LockedPageCheck {

    private static final Path SOFT_OFFLINE =
            Path.of("/sys/devices/system/memory/soft_offline_page");
    private static final int PAGE_BYTES = 4096;
    private static final int PAGES = 16;
    private static final int BUFFER_BYTES = PAGES * PAGE_BYTES;
    private static final int ATTEMPTS = 100;
    private static final Duration TIMEOUT = Duration.ofSeconds(60);

    private final Report report;
    private final QueuePair queue;
    private final Namespace namespace;
    private final PhysicalAllocator memory;
    private final MemorySegment buffer;

    private LockedPageCheck(Report report, NvmeController disk, Buffers buffers) {
        this.report = report;
        this.queue = disk.createQueuePair(2);
        this.namespace = disk.namespace(1);
        this.memory = buffers.tested();
        this.buffer = buffers.buffer();
    }

    /**
     * The buffer that the check reads into, in memory that may move, and all other data of the
     * driver, such as the lists of pages, in memory that does not.
     */
    private record Buffers(PhysicalDma others, PhysicalAllocator tested, MemorySegment buffer)
            implements DmaAllocator {

        @Override
        public KernelAllocator memory() {
            return others.memory();
        }

        @Override
        public long addressOf(MemorySegment segment, long offset) {
            return buffer.asOverlappingSlice(segment).isPresent()
                    ? tested.addressOf(segment, offset).value()
                    : others.addressOf(segment, offset);
        }
    }

    static void run(Report report, String disk) {
        if (!Files.exists(SOFT_OFFLINE)) {
            report.note("skipped: the kernel has no " + SOFT_OFFLINE);
            return;
        }
        withBuffersOf(Guarantee.NEVER_SWAPPED, report, disk);
        withBuffersOf(Guarantee.NEVER_MOVED, report, disk);
    }

    private static void withBuffersOf(Set<Guarantee> guarantees, Report report, String disk) {
        PhysicalRequest request =
                PhysicalRequest.builder().pages(PagePolicy.BASE).atLeast(guarantees).build();
        try (PhysicalDma rings = PhysicalDma.contiguous(Long.MAX_VALUE);
                PhysicalDma others = PhysicalDma.scattered();
                PhysicalAllocator tested =
                        PhysicalAllocator.builder().tag("tested").request(request).build();
                SysfsDevice device = SysfsDevice.open(disk)) {
            Buffers buffers =
                    new Buffers(others, tested, tested.allocate(BUFFER_BYTES, PAGE_BYTES));
            try (NvmeController controller =
                    NvmeController.start(device.registers(), rings, buffers)) {
                LockedPageCheck check = new LockedPageCheck(report, controller, buffers);
                if (guarantees.contains(Guarantee.PINNED)) {
                    check.pinned();
                } else {
                    check.locked();
                }
            }
            tested.free(buffers.buffer());
        }
    }

    /**
     * A merely locked page may move at any time, not only when this check asks for it: a guest with
     * two nodes moves pages to the node that uses them. So each page is judged by whether it had
     * moved before the read, and whether it had after.
     */
    private void locked() {
        readInPlace();
        report.note("locked: wrong bytes: 0");
        BitSet before = takeFramesOutOfUse();
        read();
        BitSet after = moved();
        long wrong = wrongBytes();
        report.check(
                "locked: of 16 pages moved: %d; the disk wrote to their old frames, wrong bytes: %d"
                        .formatted(before.cardinality(), wrong),
                !before.isEmpty() && isExplained(before, after));
        var found = memory.verify(buffer);
        readInPlace();
        report.check(
                "locked: verify() answers %s, and knows the new frames; wrong bytes: 0"
                        .formatted(found.verdict()),
                found.drifts().size() >= before.cardinality());
    }

    /** Reads until no page has moved during a read, and none then holds a wrong byte. */
    private void readInPlace() {
        for (int attempt = 1; attempt <= ATTEMPTS; attempt++) {
            memory.verify(buffer);
            read();
            BitSet moved = moved();
            if (!isExplained(new BitSet(), moved)) {
                throw new IllegalStateException(
                        "wrong bytes: %d, of pages moved: %s".formatted(wrongBytes(), moved));
            }
            if (moved.isEmpty()) {
                return;
            }
            report.note("locked: moved by the kernel during the read: pages " + moved);
        }
        throw new IllegalStateException("pages moved during each of %d reads".formatted(ATTEMPTS));
    }

    /**
     * Whether all bytes of pages that had moved before a read are wrong, and none of pages that are
     * in place after it.
     */
    private boolean isExplained(BitSet before, BitSet after) {
        for (int page = 0; page < PAGES; page++) {
            long wrong = wrongBytes(page);
            if (before.get(page) && wrong != PAGE_BYTES || !after.get(page) && wrong != 0) {
                return false;
            }
        }
        return true;
    }

    private void pinned() {
        read();
        report.check("pinned: wrong bytes: 0", wrongBytes() == 0);
        int moved = takeFramesOutOfUse().cardinality();
        read();
        long wrong = wrongBytes();
        report.check(
                "pinned: of 16 pages moved: %d, wrong bytes: %d".formatted(moved, wrong),
                moved == 0 && wrong == 0);
    }

    private void read() {
        buffer.fill((byte) -1);
        long block = DiskMap.HOST.start() / namespace.blockBytes();
        queue.read(namespace, block, buffer, Completion.MUST_SUCCEED);
        queue.drain(TIMEOUT);
    }

    private long wrongBytes() {
        return DiskPattern.wrongBytes(buffer, DiskMap.HOST.start(), DiskMap.HOST.round());
    }

    private long wrongBytes(int page) {
        long offset = (long) page * PAGE_BYTES;
        return DiskPattern.wrongBytes(
                buffer.asSlice(offset, PAGE_BYTES),
                DiskMap.HOST.start() + offset,
                DiskMap.HOST.round());
    }

    /** Returns the pages that have moved. */
    private BitSet takeFramesOutOfUse() {
        for (int page = 0; page < PAGES; page++) {
            try {
                Files.writeString(SOFT_OFFLINE, memory.addressOf(page(page)).toString());
            } catch (IOException e) {
                // The kernel could not move the page; whether it did is checked below.
            }
        }
        return moved();
    }

    /** Returns the pages that are no longer where the allocator last found them. */
    private BitSet moved() {
        BitSet moved = new BitSet(PAGES);
        for (int i = 0; i < PAGES; i++) {
            MemorySegment page = page(i);
            moved.set(i, !memory.inspect(page).address().equals(memory.addressOf(page)));
        }
        return moved;
    }

    private MemorySegment page(int page) {
        return buffer.asSlice((long) page * PAGE_BYTES, PAGE_BYTES);
    }
}
