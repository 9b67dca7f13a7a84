package dev.kernelalloc.nvme;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * The controller's side of one queue pair, for behavior that a real one does not show on request.
 */
final class SimulatedController {

    private final int depth;
    private final MemorySegment bar;
    private final MemorySegment submissions;
    private final MemorySegment completions;

    /** The identifiers of the commands that were fetched. */
    private final Deque<Integer> fetched = new ArrayDeque<>();

    private int submissionHead;
    private int completionTail;
    private int phase = 1;

    private SimulatedController(MemorySegment bar, QueuePair pair) {
        this.bar = bar;
        this.depth = pair.depth();
        this.submissions = pair.submissionRing();
        this.completions = pair.completionRing();
    }

    static MemorySegment bar(Arena arena) {
        return arena.allocate(0x2000, 4096);
    }

    /** Creates the controller of queue 1, whose doorbells are 4 bytes apart. */
    static SimulatedController of(MemorySegment bar, QueuePair pair) {
        return new SimulatedController(bar, pair);
    }

    /** Fetches the commands up to the tail that the driver has written to its doorbell. */
    Deque<Integer> fetch() {
        int tail = bar.get(ValueLayout.JAVA_INT, 0x1000 + 2 * 4);
        while (submissionHead != tail) {
            fetched.add(
                    (int) SubmissionEntry.TYPE.get(submissions, 64L * submissionHead).commandId());
            submissionHead = (submissionHead + 1) % depth;
        }
        return fetched;
    }

    /** Completes a command. */
    void complete(int commandId, int status, int result) {
        fetched.remove(commandId);
        long at = 16L * completionTail;
        completions.set(ValueLayout.JAVA_INT, at, result);
        completions.set(ValueLayout.JAVA_SHORT, at + 8, (short) submissionHead);
        completions.set(ValueLayout.JAVA_INT, at + 12, status << 17 | phase << 16 | commandId);
        completionTail++;
        if (completionTail == depth) {
            completionTail = 0;
            phase ^= 1;
        }
    }

    /** Returns the head that the driver has written to its doorbell. */
    int completionHead() {
        return bar.get(ValueLayout.JAVA_INT, 0x1000 + 3 * 4);
    }

    int completionTail() {
        return completionTail;
    }
}
