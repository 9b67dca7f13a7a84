package dev.kernelalloc.nvme.check;

import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.nvme.Completion;
import dev.kernelalloc.nvme.DmaAllocator;
import dev.kernelalloc.nvme.Namespace;
import dev.kernelalloc.nvme.NvmeController;
import dev.kernelalloc.nvme.PhysicalDma;
import dev.kernelalloc.nvme.QueuePair;
import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.physical.PagePolicy;
import dev.kernelalloc.physical.PhysicalRequest;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * Reads the data that the host has written to the disk, writes data that the host will compare, and
 * reads them back: in transfers from one block to the longest that the controller accepts,
 * beginning at and within a page, with as many in flight as the queue has room for.
 */
final class DiskCheck {

    private static final int DEPTH = 16;
    private static final int PAGE_BYTES = 4096;
    private static final Duration TIMEOUT = Duration.ofSeconds(60);
    private static final int LBA_OUT_OF_RANGE = 0x080;

    private final Report report;
    private final NvmeController disk;
    private final DmaAllocator buffers;
    private final Namespace namespace;
    private final QueuePair queue;

    private DiskCheck(Report report, NvmeController disk, DmaAllocator buffers) {
        this.report = report;
        this.disk = disk;
        this.buffers = buffers;
        this.namespace = disk.namespace(1);
        this.queue = disk.createQueuePair(DEPTH);
    }

    static void run(
            Report report, MemorySegment registers, DmaAllocator rings, DmaAllocator buffers) {
        try (NvmeController disk = NvmeController.start(registers, rings, buffers)) {
            new DiskCheck(report, disk, buffers).run();
        }
    }

    private void run() {
        report.check(
                "%s, NVMe %s, namespace 1 of %d blocks of %d bytes, at most %d KiB a transfer"
                        .formatted(
                                disk.model(),
                                disk.version(),
                                namespace.blocks(),
                                namespace.blockBytes(),
                                disk.maxTransferBytes() >> 10),
                namespace.bytes() == DiskMap.DISK_BYTES);
        if (buffers instanceof PhysicalDma physical) {
            scattered(physical.memory());
        }
        int longest = (int) disk.maxTransferBytes();
        int skewed = longest - PAGE_BYTES; // QEMU refuses data in more than 1,024 pages
        int block = namespace.blockBytes();
        read(DiskMap.HOST, 4 * longest, longest, 0);
        read(DiskMap.HOST, longest, skewed - block, 516);
        read(DiskMap.HOST, longest / 4, block, 0);

        write(DiskMap.GUEST, longest, skewed, 516);
        write(DiskMap.GUEST, longest + (1 << 20), 3 * PAGE_BYTES, 8);
        write(DiskMap.GUEST, 4 * longest, longest - 8 * block, 0);
        flush();
        read(DiskMap.GUEST, 4 * longest, skewed, 4092);
        read(DiskMap.GUEST, longest, 5 * PAGE_BYTES + block, 64);
        refusals();
    }

    /**
     * Reads into pages that are not adjacent, by one command. To get such pages, twice as many are
     * allocated one by one, and every other one is freed: the kernel hands out single pages first.
     */
    private void scattered(PhysicalAllocator memory) {
        PhysicalRequest page =
                PhysicalRequest.ofBytes(PAGE_BYTES)
                        .aligned(PAGE_BYTES)
                        .pages(PagePolicy.BASE)
                        .atLeast(Guarantee.IN_MEMORY)
                        .build();
        int pages = (int) (disk.maxTransferBytes() / PAGE_BYTES);
        try (PhysicalAllocator single = PhysicalAllocator.builder().tag("single pages").build()) {
            List<MemorySegment> taken = new ArrayList<>();
            for (int i = 0; i < 2 * pages; i++) {
                taken.add(single.allocate(page));
            }
            for (int i = 0; i < 2 * pages; i += 2) {
                single.free(taken.get(i));
            }
            MemorySegment buffer = memory.allocate(disk.maxTransferBytes(), PAGE_BYTES);
            for (int i = 1; i < 2 * pages; i += 2) {
                single.free(taken.get(i));
            }
            queue.read(
                    namespace,
                    DiskMap.HOST.start() / namespace.blockBytes(),
                    buffer,
                    Completion.MUST_SUCCEED);
            queue.drain(TIMEOUT);
            DiskMap quarter = DiskMap.HOST;
            long wrong = DiskPattern.wrongBytes(buffer, quarter.start(), quarter.round());
            report.check(
                    "read  %d KiB by one command into %d pieces of memory, wrong bytes: %d"
                            .formatted(
                                    buffer.byteSize() >> 10, memory.extents(buffer).size(), wrong),
                    wrong == 0);
            memory.free(buffer);
        }
    }

    /** Reads the first bytes of a quarter in equal transfers, and compares. */
    private void read(DiskMap quarter, long bytes, int transferBytes, int skew) {
        try (TransferBuffers pool = new TransferBuffers(buffers, queue, transferBytes, skew)) {
            long[] wrong = {0};
            long commands = 0;
            for (long at = 0; at < bytes; at += transferBytes, commands++) {
                long offset = quarter.start() + at;
                MemorySegment buffer = pool.take(Math.min(transferBytes, bytes - at));
                buffer.fill((byte) -1);
                queue.read(
                        namespace,
                        offset / namespace.blockBytes(),
                        buffer,
                        (status, _) -> {
                            Completion.MUST_SUCCEED.completed(status, 0);
                            wrong[0] += DiskPattern.wrongBytes(buffer, offset, quarter.round());
                            pool.give(buffer);
                        });
            }
            queue.drain(TIMEOUT);
            report.check(
                    describe("read", quarter, bytes, commands, transferBytes, skew, wrong[0]),
                    wrong[0] == 0);
        }
    }

    private void write(DiskMap quarter, long bytes, int transferBytes, int skew) {
        try (TransferBuffers pool = new TransferBuffers(buffers, queue, transferBytes, skew)) {
            long commands = 0;
            for (long at = 0; at < bytes; at += transferBytes, commands++) {
                long offset = quarter.start() + at;
                MemorySegment buffer = pool.take(Math.min(transferBytes, bytes - at));
                DiskPattern.fill(buffer, offset, quarter.round());
                queue.write(
                        namespace,
                        offset / namespace.blockBytes(),
                        buffer,
                        (status, _) -> {
                            Completion.MUST_SUCCEED.completed(status, 0);
                            pool.give(buffer);
                        });
            }
            queue.drain(TIMEOUT);
            report.note(describe("wrote", quarter, bytes, commands, transferBytes, skew, 0));
        }
    }

    private static String describe(
            String what,
            DiskMap quarter,
            long bytes,
            long commands,
            int transferBytes,
            int skew,
            long wrong) {
        return "%s %5d KiB at %2d MiB in %4d commands of %7d bytes, %4d into a page, wrong bytes: %d"
                .formatted(
                        what,
                        bytes >> 10,
                        quarter.start() >> 20,
                        commands,
                        transferBytes,
                        skew,
                        wrong);
    }

    private void flush() {
        queue.flush(namespace, Completion.MUST_SUCCEED);
        queue.drain(TIMEOUT);
        report.note("flushed");
    }

    /** Checks that invalid requests fail, and have no effect. */
    private void refusals() {
        int block = namespace.blockBytes();
        MemorySegment buffer = buffers.memory().allocate(block, 4);
        try {
            int[] refused = {0};
            queue.read(namespace, namespace.blocks(), buffer, (status, _) -> refused[0] = status);
            queue.drain(TIMEOUT);
            report.check("beyond the end: refused", (refused[0] & 0x7ff) == LBA_OUT_OF_RANGE);

            for (int i = 0; i < queue.capacity(); i++) {
                queue.read(namespace, i, buffer, Completion.MUST_SUCCEED);
            }
            report.check(
                    "command %d: refused, the queue is full".formatted(queue.capacity() + 1),
                    refuses(
                            IllegalStateException.class,
                            () -> queue.read(namespace, 0, buffer, Completion.MUST_SUCCEED)));
            queue.drain(TIMEOUT);
        } finally {
            buffers.memory().free(buffer);
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment foreign = arena.allocate(block, PAGE_BYTES);
            report.check(
                    "memory that no device can find: refused",
                    refuses(
                            IllegalArgumentException.class,
                            () -> queue.read(namespace, 0, foreign, Completion.MUST_SUCCEED)));
        }
        report.check("nothing is in flight", queue.inFlight() == 0);
    }

    private static boolean refuses(Class<? extends Exception> expected, Runnable call) {
        try {
            call.run();
            return false;
        } catch (RuntimeException e) {
            return expected.isInstance(e);
        }
    }
}
