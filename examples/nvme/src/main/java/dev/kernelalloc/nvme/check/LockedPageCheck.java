package dev.kernelalloc.nvme.check;

import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.nvme.Completion;
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

    private LockedPageCheck(Report report, NvmeController disk, PhysicalAllocator memory) {
        this.report = report;
        this.queue = disk.createQueuePair(2);
        this.namespace = disk.namespace(1);
        this.memory = memory;
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
                PhysicalDma buffers = PhysicalDma.of("buffers", request);
                SysfsDevice device = SysfsDevice.open(disk);
                NvmeController controller =
                        NvmeController.start(device.registers(), rings, buffers)) {
            LockedPageCheck check = new LockedPageCheck(report, controller, buffers.memory());
            if (guarantees.contains(Guarantee.PINNED)) {
                check.pinned();
            } else {
                check.locked();
            }
        }
    }

    /**
     * A merely locked page may move at any time, not only when this check asks for it: a guest with
     * two nodes moves pages to the node that uses them. So each page is judged by whether it had
     * moved before the read, and whether it had after.
     */
    private void locked() {
        MemorySegment buffer = memory.allocate(BUFFER_BYTES, PAGE_BYTES);
        readInPlace(buffer);
        report.note("locked: wrong bytes: 0");
        BitSet before = takeFramesOutOfUse(buffer);
        read(buffer);
        BitSet after = moved(buffer);
        long wrong = wrongBytes(buffer);
        report.check(
                "locked: of 16 pages moved: %d; the disk wrote to their old frames, wrong bytes: %d"
                        .formatted(before.cardinality(), wrong),
                !before.isEmpty() && isExplained(buffer, before, after));
        var found = memory.verify(buffer);
        readInPlace(buffer);
        report.check(
                "locked: verify() answers %s, and knows the new frames; wrong bytes: 0"
                        .formatted(found.verdict()),
                found.drifts().size() >= before.cardinality());
        memory.free(buffer);
    }

    /** Reads until no page has moved during a read, and none then holds a wrong byte. */
    private void readInPlace(MemorySegment buffer) {
        for (int attempt = 1; attempt <= ATTEMPTS; attempt++) {
            memory.verify(buffer);
            read(buffer);
            BitSet moved = moved(buffer);
            if (!isExplained(buffer, new BitSet(), moved)) {
                throw new IllegalStateException(
                        "wrong bytes: %d, of pages moved: %s".formatted(wrongBytes(buffer), moved));
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
    private static boolean isExplained(MemorySegment buffer, BitSet before, BitSet after) {
        for (int page = 0; page < PAGES; page++) {
            long wrong = wrongBytes(buffer, page);
            if (before.get(page) && wrong != PAGE_BYTES || !after.get(page) && wrong != 0) {
                return false;
            }
        }
        return true;
    }

    private void pinned() {
        MemorySegment buffer = memory.allocate(BUFFER_BYTES, PAGE_BYTES);
        read(buffer);
        report.check("pinned: wrong bytes: 0", wrongBytes(buffer) == 0);
        int moved = takeFramesOutOfUse(buffer).cardinality();
        read(buffer);
        long wrong = wrongBytes(buffer);
        report.check(
                "pinned: of 16 pages moved: %d, wrong bytes: %d".formatted(moved, wrong),
                moved == 0 && wrong == 0);
        memory.free(buffer);
    }

    private void read(MemorySegment buffer) {
        buffer.fill((byte) -1);
        long block = DiskMap.HOST.start() / namespace.blockBytes();
        queue.read(namespace, block, buffer, Completion.MUST_SUCCEED);
        queue.drain(TIMEOUT);
    }

    private static long wrongBytes(MemorySegment buffer) {
        return DiskPattern.wrongBytes(buffer, DiskMap.HOST.start(), DiskMap.HOST.round());
    }

    private static long wrongBytes(MemorySegment buffer, int page) {
        long offset = (long) page * PAGE_BYTES;
        return DiskPattern.wrongBytes(
                buffer.asSlice(offset, PAGE_BYTES),
                DiskMap.HOST.start() + offset,
                DiskMap.HOST.round());
    }

    /** Returns the pages that have moved. */
    private BitSet takeFramesOutOfUse(MemorySegment buffer) {
        for (int page = 0; page < PAGES; page++) {
            try {
                Files.writeString(SOFT_OFFLINE, memory.addressOf(page(buffer, page)).toString());
            } catch (IOException e) {
                // The kernel could not move the page; whether it did is checked below.
            }
        }
        return moved(buffer);
    }

    /** Returns the pages that are no longer where the allocator last found them. */
    private BitSet moved(MemorySegment buffer) {
        BitSet moved = new BitSet(PAGES);
        for (int i = 0; i < PAGES; i++) {
            MemorySegment page = page(buffer, i);
            moved.set(i, !memory.inspect(page).address().equals(memory.addressOf(page)));
        }
        return moved;
    }

    private static MemorySegment page(MemorySegment buffer, int page) {
        return buffer.asSlice((long) page * PAGE_BYTES, PAGE_BYTES);
    }
}
