package dev.kernelalloc.nvme;

import dev.kernelalloc.NativeArray;

import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.Locale;
import java.util.function.Consumer;

/**
 * A submission queue and the completion queue that belongs to it: section 4.1.
 *
 * <p>Both are rings. The driver writes commands at the tail of the first and rings its doorbell;
 * the controller writes completions into the second. Each time the controller passes the end of
 * that ring it inverts the phase tag it writes, so an entry is new exactly if its tag is the
 * expected one of this round (4.6). Interrupts are not needed: {@link #poll()} checks.
 *
 * <p><b>Full queues.</b> One entry of a ring stays empty (4.1.2), so at most {@code depth - 1}
 * commands are in flight. As each of them occupies at most one entry of either ring, neither can
 * overflow, and the driver need not follow the controller's head.
 *
 * <p><b>Concurrency.</b> A queue pair is confined to the thread that created it, as its arrays are:
 * an access by another thread throws {@link WrongThreadException}. Threads share a disk with one
 * pair each.
 */
public final class QueuePair implements AutoCloseable {

    private static final byte FLUSH = 0x00; // 6.8
    private static final byte WRITE = 0x01; // 6.15
    private static final byte READ = 0x02; // 6.9

    private final int id;
    private final int depth;
    private final NativeArray<SubmissionEntry> submissions;
    private final NativeArray<CompletionEntry> completions;
    private final PrpLists lists;
    private final Doorbell submissionTail;
    private final Doorbell completionHead;

    /** Created once, so that a request allocates no object. */
    private final SubmissionEntry[] commands;

    private final CompletionEntry[] results;

    /** The completion of each command in flight, by identifier; null if the identifier is free. */
    private final Completion[] waiting;

    /** A stack of free identifiers. */
    private final int[] free;

    private int freeCount;

    /** The index of the next command. */
    private int tail;

    /** The index of the next completion. */
    private int head;

    /** The tag of new completions. The rings begin zeroed, so the first round writes 1. */
    private int phase = 1;

    /**
     * Creates the rings. The controller receives their addresses in the commands that create
     * queues.
     *
     * @param id 0 for the admin queues
     * @param depth entries of each ring, at least 2
     * @param bar the controller's BAR 0
     * @param doorbellStride bytes from one doorbell to the next
     * @param rings the memory of the rings: contiguous and at a page, which the commands that
     *     create them require with PC set (5.3, 5.4)
     * @param buffers the memory of data
     * @param maxTransferBytes the longest transfer of one command
     */
    QueuePair(
            int id,
            int depth,
            MemorySegment bar,
            long doorbellStride,
            DmaAllocator rings,
            DmaAllocator buffers,
            long maxTransferBytes) {
        this.id = id;
        this.depth = depth;
        this.submissionTail = Doorbell.ofSubmissions(bar, id, doorbellStride);
        this.completionHead = Doorbell.ofCompletions(bar, id, doorbellStride);
        this.waiting = new Completion[depth - 1];
        this.free = new int[depth - 1];
        this.commands = new SubmissionEntry[depth];
        this.results = new CompletionEntry[depth];
        this.submissions = NativeArray.zeroed(rings.memory(), SubmissionEntry.TYPE, depth);
        this.completions = NativeArray.zeroed(rings.memory(), CompletionEntry.TYPE, depth);
        this.lists = new PrpLists(buffers, depth - 1, maxTransferBytes);
        for (int i = 0; i < depth; i++) {
            commands[i] = submissions.view(i);
            results[i] = completions.view(i);
        }
        while (freeCount < free.length) {
            free[freeCount] = freeCount++;
        }
    }

    int id() {
        return id;
    }

    int depth() {
        return depth;
    }

    MemorySegment submissionRing() {
        return submissions.segment();
    }

    MemorySegment completionRing() {
        return completions.segment();
    }

    /**
     * Returns how many commands are in flight.
     *
     * @return 0 to {@link #capacity()}
     */
    public int inFlight() {
        return free.length - freeCount;
    }

    /**
     * Returns how many commands may be in flight.
     *
     * @return at least 1
     */
    public int capacity() {
        return free.length;
    }

    /**
     * Reads blocks, 6.9.
     *
     * @param namespace the namespace to read from
     * @param block the first block
     * @param buffer whole blocks, memory of the allocator of buffers; it must not be freed before
     *     the completion
     * @param completion called by {@link #poll()}
     * @throws IllegalArgumentException when the buffer does not fit
     * @throws IllegalStateException when {@link #capacity()} commands are in flight: poll first
     */
    public void read(Namespace namespace, long block, MemorySegment buffer, Completion completion) {
        transfer(READ, namespace, block, buffer, completion);
    }

    /**
     * Writes blocks, 6.15. They may stay in a cache of the device until a {@link #flush}.
     *
     * @param namespace the namespace to write to
     * @param block the first block
     * @param buffer as for {@link #read}
     * @param completion called by {@link #poll()}
     * @throws IllegalArgumentException when the buffer does not fit
     * @throws IllegalStateException when {@link #capacity()} commands are in flight: poll first
     */
    public void write(
            Namespace namespace, long block, MemorySegment buffer, Completion completion) {
        transfer(WRITE, namespace, block, buffer, completion);
    }

    /**
     * Makes the writes durable that have completed, 6.8.
     *
     * @param namespace the namespace of the writes
     * @param completion called by {@link #poll()}
     * @throws IllegalStateException when {@link #capacity()} commands are in flight: poll first
     */
    public void flush(Namespace namespace, Completion completion) {
        next(FLUSH, namespace.id());
        submit(completion);
    }

    private void transfer(
            byte opcode, Namespace namespace, long block, MemorySegment buffer, Completion done) {
        long blocks = buffer.byteSize() / namespace.blockBytes();
        if (blocks < 1 || blocks > 1 << 16 || buffer.byteSize() % namespace.blockBytes() != 0) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "buffer is not of whole blocks, 1 to 65536: bytes=%d blockBytes=%d",
                            buffer.byteSize(),
                            namespace.blockBytes()));
        }
        SubmissionEntry command = next(opcode, namespace.id());
        lists.describe(buffer, nextIdentifier(), command);
        command.dword10((int) block);
        command.dword11((int) (block >>> 32));
        command.dword12((int) blocks - 1); // counts from 0
        submit(done);
    }

    /**
     * Submits a command that the caller writes.
     *
     * @param opcode the opcode of the command
     * @param namespaceId 0 for none
     * @param buffer the data of the command; null for none
     * @param writer sets the remaining fields
     * @param completion called by {@link #poll()}
     */
    void submit(
            byte opcode,
            int namespaceId,
            MemorySegment buffer,
            Consumer<SubmissionEntry> writer,
            Completion completion) {
        SubmissionEntry command = next(opcode, namespaceId);
        if (buffer != null) {
            lists.describe(buffer, nextIdentifier(), command);
        }
        writer.accept(command);
        submit(completion);
    }

    private int nextIdentifier() {
        return free[freeCount - 1];
    }

    /**
     * Begins a command. The controller does not read it until {@link #submit}, so an exception in
     * between leaves no trace.
     */
    private SubmissionEntry next(byte opcode, int namespaceId) {
        if (freeCount == 0) {
            throw new IllegalStateException(
                    "queue is full: id=" + id + " inFlight=" + capacity() + "; poll first");
        }
        submissions.segment(tail).fill((byte) 0); // clears a command one round ago
        SubmissionEntry command = commands[tail];
        command.opcode(opcode);
        command.commandId((short) nextIdentifier());
        command.namespaceId(namespaceId);
        return command;
    }

    private void submit(Completion completion) {
        waiting[free[--freeCount]] = completion;
        tail = tail + 1 == depth ? 0 : tail + 1;
        submissionTail.value(tail);
    }

    /**
     * Processes the available completions in the order in which the controller wrote them, which
     * need not be that of the commands.
     *
     * @return the number of completions
     * @throws IllegalStateException when the controller completes a command that is not in flight
     */
    public int poll() {
        int taken = 0;
        try {
            while (true) {
                CompletionEntry entry = results[head];
                int dword3 = entry.dword3();
                if (CompletionEntry.phase(dword3) != phase) {
                    return taken;
                }
                int result = entry.dword0();
                head++;
                if (head == depth) {
                    head = 0;
                    phase ^= 1;
                }
                taken++;
                release(CompletionEntry.commandId(dword3))
                        .completed(CompletionEntry.status(dword3), result);
            }
        } finally {
            if (taken > 0) {
                completionHead.value(
                        head); // once for all entries, which the controller may reuse then
            }
        }
    }

    private Completion release(int identifier) {
        if (identifier >= waiting.length || waiting[identifier] == null) {
            throw new IllegalStateException(
                    "the controller completes a command that is not in flight: queue="
                            + id
                            + " command="
                            + identifier);
        }
        Completion completion = waiting[identifier];
        waiting[identifier] = null;
        free[freeCount++] = identifier;
        return completion;
    }

    /**
     * Polls until no command is in flight.
     *
     * @param timeout the timeout for all commands together
     * @throws IllegalStateException when that takes longer; the commands are still in flight
     */
    public void drain(Duration timeout) {
        long start = System.nanoTime();
        while (inFlight() > 0) {
            if (poll() == 0) {
                if (System.nanoTime() - start > timeout.toNanos()) {
                    throw new IllegalStateException(
                            "commands are still in flight: queue="
                                    + id
                                    + " inFlight="
                                    + inFlight()
                                    + " after "
                                    + timeout);
                }
                Thread.onSpinWait();
            }
        }
    }

    /** Frees the rings. The caller has deleted the queues, or stopped the controller. */
    @Override
    public void close() {
        lists.close();
        completions.close();
        submissions.close();
    }
}
