package dev.kernelalloc.nvme;

import dev.kernelalloc.NativeBox;
import dev.kernelalloc.struct.StructType;

import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Locale;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/**
 * An NVMe controller, driven by polling. Sections are those of the NVM Express Base Specification,
 * revision 1.4, here and in all comments of this package.
 *
 * {@snippet lang = java :
 * try (PhysicalDma rings = PhysicalDma.contiguous(Long.MAX_VALUE);
 *         PhysicalDma buffers = PhysicalDma.scattered();
 *         PciDevice device = SysfsDevice.open("0000:00:03.0");
 *         NvmeController disk = NvmeController.start(device.registers(), rings, buffers)) {
 *     Namespace namespace = disk.namespace(1);
 *     QueuePair queue = disk.createQueuePair(32);
 *     MemorySegment buffer = buffers.memory().allocate(1 << 20, 4096);
 *     queue.read(namespace, 0, buffer, Completion.MUST_SUCCEED);
 *     queue.drain(Duration.ofSeconds(5));
 * }
 * }
 *
 * <p>The device is closed after the controller and before the memory: that forbids it to access
 * memory at all, whatever state the controller is in. Behind an IOMMU the memory comes first, since
 * unmapping it stops the device as well.
 *
 * <p>A controller belongs to the thread that started it; {@link QueuePair}s do to theirs.
 */
public final class NvmeController implements AutoCloseable {

    private static final byte DELETE_SUBMISSION_QUEUE = 0x00; // 5.6
    private static final byte CREATE_SUBMISSION_QUEUE = 0x01; // 5.4
    private static final byte DELETE_COMPLETION_QUEUE = 0x04; // 5.5
    private static final byte CREATE_COMPLETION_QUEUE = 0x05; // 5.3
    private static final byte IDENTIFY = 0x06; // 5.15
    private static final byte SET_FEATURES = 0x09; // 5.21

    private static final int CNS_NAMESPACE = 0x00;
    private static final int CNS_CONTROLLER = 0x01;
    private static final int NUMBER_OF_QUEUES = 0x07; // 5.21.1.7

    /** CC.EN. */
    private static final int ENABLE = 1;

    /** CC.SHN: a normal shutdown. */
    private static final int SHUTDOWN = 1 << 14;

    /** CC.IOSQES and CC.IOCQES: the entries are of 2^6 and 2^4 bytes. */
    private static final int ENTRY_SIZES = 6 << 16 | 4 << 20;

    /** The longest transfer of a command if the controller has no limit. */
    private static final long MAX_TRANSFER_BYTES = 4 << 20;

    private static final int ADMIN_DEPTH = 16;
    private static final Duration ADMIN_TIMEOUT = Duration.ofSeconds(30);

    /** The specification sets no limit for a shutdown of this kind. */
    private static final Duration SHUTDOWN_TIMEOUT = Duration.ofSeconds(10);

    private final MemorySegment bar;
    private final ControllerRegisters registers;
    private final DmaAllocator rings;
    private final DmaAllocator buffers;
    private final QueuePair admin;
    private final Deque<QueuePair> pairs = new ArrayDeque<>();

    private long maxTransferBytes;
    private int maxPairs;
    private String model = "";

    private NvmeController(MemorySegment bar, DmaAllocator rings, DmaAllocator buffers) {
        this.bar = bar;
        this.registers = ControllerRegisters.TYPE.get(bar);
        this.rings = rings;
        this.buffers = buffers;
        this.admin =
                new QueuePair(
                        0,
                        ADMIN_DEPTH,
                        bar,
                        registers.doorbellStride(),
                        rings,
                        buffers,
                        PrpLists.PAGE_BYTES);
    }

    /**
     * Resets a controller and makes it ready: 7.6.1.
     *
     * @param bar the device's BAR 0, used by this driver alone; the device may access memory
     * @param rings the memory of queues: each block is contiguous and begins at a page
     * @param buffers the memory of data
     * @return a controller that the caller closes before the device and the memory
     * @throws IllegalStateException when this driver cannot use the device, or the device does not
     *     become ready
     * @throws dev.kernelalloc.AllocationException when memory is refused
     */
    public static NvmeController start(
            MemorySegment bar, DmaAllocator rings, DmaAllocator buffers) {
        NvmeController controller = new NvmeController(bar, rings, buffers);
        try {
            controller.enable();
            controller.identify();
            return controller;
        } catch (RuntimeException | Error e) {
            try {
                controller.close();
            } catch (RuntimeException | Error again) {
                e.addSuppressed(again);
            }
            throw e;
        }
    }

    private void enable() {
        require(registers.hasNvmCommandSet(), "the controller lacks the NVM command set");
        require(
                registers.minPageBytes() <= PrpLists.PAGE_BYTES,
                "the controller has no pages of 4 KiB");
        reset();
        registers.interruptMaskSet(-1); // polled
        int entries = ADMIN_DEPTH - 1; // counts from 0
        registers.adminQueueAttributes(entries << 16 | entries);
        registers.adminSubmissionQueue(ringAddress(admin.submissionRing()));
        registers.adminCompletionQueue(ringAddress(admin.completionRing()));
        registers.configuration(ENTRY_SIZES | ENABLE);
        await(
                "ready",
                () -> registers.isReady() || registers.hasFailed(),
                Duration.ofMillis(registers.readyTimeoutMillis()));
        require(!registers.hasFailed(), "the controller has failed while it became ready");
    }

    /** Ends the state that an earlier driver has left: a reset deletes all queues, 7.3.2. */
    private void reset() {
        if ((registers.configuration() & ENABLE) != 0) {
            registers.configuration(registers.configuration() & ~ENABLE);
        }
        await(
                "disabled",
                () -> !registers.isReady(),
                Duration.ofMillis(registers.readyTimeoutMillis()));
    }

    private void identify() {
        try (NativeBox<IdentifyController> page = page(IdentifyController.TYPE)) {
            identify(0, CNS_CONTROLLER, page);
            IdentifyController found = page.get();
            model = found.modelNumber().strip();
            require(
                    (found.submissionEntrySize() & 0xf) <= 6
                            && (found.completionEntrySize() & 0xf) <= 4,
                    "the controller has larger entries");
            int limit = found.maxDataTransferSize();
            maxTransferBytes =
                    limit == 0
                            ? MAX_TRANSFER_BYTES
                            : Math.min(MAX_TRANSFER_BYTES, registers.minPageBytes() << limit);
        }
        // As many of either kind as there are; the answer counts from 0, as does the request.
        int granted =
                execute(
                        SET_FEATURES,
                        0,
                        null,
                        command -> {
                            command.dword10(NUMBER_OF_QUEUES);
                            command.dword11(0xfffe << 16 | 0xfffe);
                        });
        maxPairs = Math.min(granted & 0xffff, granted >>> 16) + 1;
    }

    /**
     * Returns the model number of the controller.
     *
     * @return as identified, without padding
     */
    public String model() {
        return model;
    }

    /**
     * Returns the version of the specification that the controller implements.
     *
     * @return for example {@code 1.4}
     */
    public String version() {
        int version = registers.version();
        return (version >>> 16) + "." + (version >>> 8 & 0xff);
    }

    /**
     * Returns the longest transfer of one command.
     *
     * @return in bytes
     */
    public long maxTransferBytes() {
        return maxTransferBytes;
    }

    /**
     * Describes a namespace.
     *
     * @param id its number, from 1
     * @return its size and its blocks
     * @throws IllegalStateException when there is no such namespace, or its blocks have metadata
     */
    public Namespace namespace(int id) {
        try (NativeBox<IdentifyNamespace> page = page(IdentifyNamespace.TYPE)) {
            identify(id, CNS_NAMESPACE, page);
            IdentifyNamespace found = page.get();
            IdentifyNamespace.BlockFormat format = found.format();
            require(found.size() > 0, "there is no namespace " + id);
            require(format.metadataBytes() == 0, "namespace " + id + " has metadata");
            return new Namespace(id, found.size(), 1 << format.dataBytesLog2());
        }
    }

    private <T> NativeBox<T> page(StructType<T> type) {
        return NativeBox.zeroed(buffers.memory(), type);
    }

    private void identify(int namespace, int structure, NativeBox<?> page) {
        execute(IDENTIFY, namespace, page.segment(), command -> command.dword10(structure));
    }

    /**
     * Creates a pair of queues, which belongs to the calling thread: 5.3 and 5.4. It is deleted
     * when this controller is closed.
     *
     * @param depth entries of each, at least 2; one less may be in flight
     * @return the pair
     * @throws IllegalArgumentException when the controller has no queues that long
     * @throws IllegalStateException when the controller has no more queues
     * @throws NvmeException when the controller refuses
     */
    public QueuePair createQueuePair(int depth) {
        int most = registers.maxQueueEntries();
        if (depth < 2 || depth > most) {
            throw new IllegalArgumentException("depth=" + depth + " must be 2 to " + most);
        }
        require(pairs.size() < maxPairs, "the controller has no more than " + maxPairs + " queues");
        int id = pairs.size() + 1;
        QueuePair pair =
                new QueuePair(
                        id,
                        depth,
                        bar,
                        registers.doorbellStride(),
                        rings,
                        buffers,
                        maxTransferBytes);
        try {
            create(CREATE_COMPLETION_QUEUE, pair, pair.completionRing(), 1); // PC, no interrupts
        } catch (NvmeException e) {
            pair.close(); // refused, so the controller does not know the ring
            throw e;
        }
        try {
            create(CREATE_SUBMISSION_QUEUE, pair, pair.submissionRing(), id << 16 | 1); // CQID, PC
        } catch (NvmeException e) {
            delete(DELETE_COMPLETION_QUEUE, pair);
            pair.close();
            throw e;
        }
        pairs.push(pair);
        return pair;
    }

    private void create(byte opcode, QueuePair pair, MemorySegment ring, int attributes) {
        long address = ringAddress(ring);
        execute(
                opcode,
                0,
                null,
                command -> {
                    command.prp1(address);
                    command.dword10((pair.depth() - 1) << 16 | pair.id());
                    command.dword11(attributes);
                });
    }

    private long ringAddress(MemorySegment ring) {
        long address = rings.addressOf(ring, 0);
        if ((address & PrpLists.PAGE_BYTES - 1) != 0) {
            throw new IllegalStateException(
                    String.format(
                            Locale.ROOT,
                            "a queue must begin at a page: address=0x%x; let the request be"
                                    + " aligned(4096)",
                            address));
        }
        return address;
    }

    /** Executes an admin command and waits for it; returns dword 0 of the completion. */
    private int execute(
            byte opcode, int namespace, MemorySegment buffer, Consumer<SubmissionEntry> writer) {
        int[] outcome = new int[2];
        admin.submit(
                opcode,
                namespace,
                buffer,
                writer,
                (status, result) -> {
                    outcome[0] = status;
                    outcome[1] = result;
                });
        admin.drain(ADMIN_TIMEOUT);
        NvmeException.requireSuccess(outcome[0]);
        return outcome[1];
    }

    private void await(String what, BooleanSupplier condition, Duration timeout) {
        long start = System.nanoTime();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - start > timeout.toNanos()) {
                throw new IllegalStateException(
                        String.format(
                                Locale.ROOT,
                                "the controller is not %s: CC=0x%08x CSTS=0x%08x after %s",
                                what,
                                registers.configuration(),
                                registers.status(),
                                timeout));
            }
            Thread.onSpinWait();
        }
    }

    private static void require(boolean holds, String otherwise) {
        if (!holds) {
            throw new IllegalStateException(otherwise);
        }
    }

    /**
     * Deletes the queues, shuts the controller down (7.6.2), resets it, and frees the rings.
     * Commands in flight are aborted, and their completions are not called.
     *
     * @throws IllegalStateException when the controller does not stop. Its memory is not freed
     *     then, as the controller may write to it; it may be freed with the allocator once the
     *     device is closed and can no longer write
     */
    @Override
    public void close() {
        if (registers.isReady() && !registers.hasFailed()) {
            for (QueuePair pair : pairs) {
                delete(DELETE_SUBMISSION_QUEUE, pair); // aborts what is in flight
                delete(DELETE_COMPLETION_QUEUE, pair);
            }
            registers.configuration(registers.configuration() | SHUTDOWN);
            await(
                    "shut down",
                    () -> registers.isShutDown() || registers.hasFailed(),
                    SHUTDOWN_TIMEOUT);
        }
        reset();
        pairs.forEach(QueuePair::close);
        admin.close();
    }

    private void delete(byte opcode, QueuePair pair) {
        execute(opcode, 0, null, command -> command.dword10(pair.id()));
    }
}
