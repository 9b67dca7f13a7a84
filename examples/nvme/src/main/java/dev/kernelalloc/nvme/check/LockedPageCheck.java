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
    private static final int BUFFER_BYTES = 16 * PAGE_BYTES;
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

    private void locked() {
        MemorySegment buffer = memory.allocate(BUFFER_BYTES, PAGE_BYTES);
        report.check("locked: wrong bytes: 0", read(buffer) == 0);
        int moved = takeFramesOutOfUse(buffer);
        long wrong = read(buffer);
        report.check(
                "locked: of 16 pages moved: %d; the disk wrote to their old frames, wrong bytes: %d"
                        .formatted(moved, wrong),
                moved > 0 && wrong == (long) moved * PAGE_BYTES);
        var found = memory.verify(buffer);
        report.check(
                "locked: verify() answers %s, and knows the new frames; wrong bytes: 0"
                        .formatted(found.verdict()),
                found.drifts().size() >= moved && read(buffer) == 0);
        memory.free(buffer);
    }

    private void pinned() {
        MemorySegment buffer = memory.allocate(BUFFER_BYTES, PAGE_BYTES);
        report.check("pinned: wrong bytes: 0", read(buffer) == 0);
        int moved = takeFramesOutOfUse(buffer);
        long wrong = read(buffer);
        report.check(
                "pinned: of 16 pages moved: %d, wrong bytes: %d".formatted(moved, wrong),
                moved == 0 && wrong == 0);
        memory.free(buffer);
    }

    private long read(MemorySegment buffer) {
        buffer.fill((byte) -1);
        long block = DiskMap.HOST.start() / namespace.blockBytes();
        queue.read(namespace, block, buffer, Completion.MUST_SUCCEED);
        queue.drain(TIMEOUT);
        return DiskPattern.wrongBytes(buffer, DiskMap.HOST.start(), DiskMap.HOST.round());
    }

    /** Returns how many pages have moved. */
    private int takeFramesOutOfUse(MemorySegment buffer) {
        int moved = 0;
        for (long offset = 0; offset < buffer.byteSize(); offset += PAGE_BYTES) {
            MemorySegment page = buffer.asSlice(offset, PAGE_BYTES);
            try {
                Files.writeString(SOFT_OFFLINE, memory.addressOf(page).toString());
            } catch (IOException e) {
                // The kernel could not move the page; whether it did is checked below.
            }
            if (!memory.inspect(page).address().equals(memory.addressOf(page))) {
                moved++;
            }
        }
        return moved;
    }
}
