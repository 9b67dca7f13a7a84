package dev.kernelalloc.nvme.check;

import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.nvme.Completion;
import dev.kernelalloc.nvme.DmaAllocator;
import dev.kernelalloc.nvme.Namespace;
import dev.kernelalloc.nvme.NvmeController;
import dev.kernelalloc.nvme.QueuePair;
import dev.kernelalloc.physical.PagePolicy;
import dev.kernelalloc.physical.PhysicalRequest;
import dev.kernelalloc.physical.Verification;

import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.Random;

/**
 * Writes and reads without pause while the kernel moves pages. Merely locked memory next to the
 * buffers proves that pages did move.
 */
final class DisturbanceCheck {

    private static final int DEPTH = 16;
    private static final int CHUNK_BYTES = 64 << 10;
    private static final int CHUNKS = (int) (DiskMap.BYTES / CHUNK_BYTES);
    private static final int LOCKED_BYTES = 1 << 20;
    private static final int PAGE_BYTES = 4096;

    private static final Duration TIMEOUT = Duration.ofSeconds(60);

    private final DmaAllocator buffers;
    private final Namespace namespace;
    private final QueuePair queue;
    private final Random random = new Random(1);

    /** The round that wrote each chunk; 0 for none. */
    private final long[] rounds = new long[CHUNKS];

    private long requests;
    private long wrongBytes;

    private DisturbanceCheck(NvmeController disk, DmaAllocator buffers) {
        this.buffers = buffers;
        this.namespace = disk.namespace(1);
        this.queue = disk.createQueuePair(DEPTH);
    }

    static void run(
            Report report, MemorySegment registers, DmaAllocator rings, DmaAllocator buffers) {
        PhysicalRequest locked = PhysicalRequest.builder().pages(PagePolicy.BASE).build();
        try (PhysicalAllocator merelyLocked =
                        PhysicalAllocator.builder().tag("merely locked").request(locked).build();
                NvmeController disk = NvmeController.start(registers, rings, buffers)) {
            MemorySegment control = merelyLocked.allocateZeroed(LOCKED_BYTES, PAGE_BYTES);
            MemorySegment lasting = buffers.memory().allocate(LOCKED_BYTES, PAGE_BYTES);
            DisturbanceCheck check = new DisturbanceCheck(disk, buffers);
            // Behind an IOMMU a page may move until it is mapped for the device, which pins it.
            physical(buffers).verify();
            String done = check.disturbed();
            report.check(
                    "%d requests during %s, wrong bytes: %d"
                            .formatted(check.requests, done, check.wrongBytes),
                    check.wrongBytes == 0);
            int moved = moved(report, "merely locked memory", merelyLocked.verify(control));
            int movedRings = moved(report, "the rings", physical(rings).verify());
            int movedBuffers =
                    moved(report, "the lasting buffer's slab", physical(buffers).verify(lasting));
            report.check(
                    "only merely locked memory has moved",
                    moved > 0 && movedRings == 0 && movedBuffers == 0);
            merelyLocked.free(control);
            buffers.memory().free(lasting);
            check.finish();
        }
    }

    private static PhysicalAllocator physical(DmaAllocator dma) {
        return (PhysicalAllocator) dma.memory();
    }

    private static int moved(Report report, String what, Verification found) {
        int moved = found.drifts().size();
        report.note("of %d pages of %s moved: %d".formatted(found.checkedPages(), what, moved));
        return moved;
    }

    /** Returns a summary of the disturbances. */
    private String disturbed() {
        try (Disturbance disturbance = new Disturbance()) {
            for (long round = 1; !disturbance.hasDone(); round++) {
                // Buffers are allocated and freed, so that pages are prepared while others move.
                try (TransferBuffers pool = new TransferBuffers(buffers, queue, CHUNK_BYTES, 0)) {
                    for (int i = 0; i < DEPTH; i++) {
                        write(pool, random.nextInt(CHUNKS), round);
                    }
                    queue.drain(TIMEOUT);
                    for (int i = 0; i < 2 * DEPTH; i++) {
                        read(pool, random.nextInt(CHUNKS));
                    }
                    queue.drain(TIMEOUT);
                }
            }
            return disturbance.toString();
        }
    }

    /** Writes the contents that the host expects. */
    private void finish() {
        try (TransferBuffers pool = new TransferBuffers(buffers, queue, CHUNK_BYTES, 0)) {
            for (int chunk = 0; chunk < CHUNKS; chunk++) {
                write(pool, chunk, DiskMap.DISTURBED.round());
            }
            queue.drain(TIMEOUT);
            queue.flush(namespace, Completion.MUST_SUCCEED);
            queue.drain(TIMEOUT);
        }
    }

    private void write(TransferBuffers pool, int chunk, long round) {
        MemorySegment buffer = pool.take(CHUNK_BYTES);
        DiskPattern.fill(buffer, offset(chunk), round);
        rounds[chunk] = round;
        requests++;
        queue.write(
                namespace,
                offset(chunk) / namespace.blockBytes(),
                buffer,
                (status, _) -> {
                    pool.give(buffer);
                    Completion.MUST_SUCCEED.completed(status, 0);
                });
    }

    private void read(TransferBuffers pool, int chunk) {
        if (rounds[chunk] == 0) {
            return;
        }
        MemorySegment buffer = pool.take(CHUNK_BYTES);
        buffer.fill((byte) -1);
        requests++;
        queue.read(
                namespace,
                offset(chunk) / namespace.blockBytes(),
                buffer,
                (status, _) -> {
                    wrongBytes += DiskPattern.wrongBytes(buffer, offset(chunk), rounds[chunk]);
                    pool.give(buffer);
                    Completion.MUST_SUCCEED.completed(status, 0);
                });
    }

    private static long offset(int chunk) {
        return DiskMap.DISTURBED.start() + (long) chunk * CHUNK_BYTES;
    }
}
