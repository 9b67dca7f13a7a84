package dev.kernelalloc.frames;

import dev.kernelalloc.os.CallState;
import dev.kernelalloc.os.OpenFile;
import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.Refusal;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.OptionalInt;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * The page map of this process, opened once: the kernel asks for the rights of whoever opened it,
 * so that a process which gives up its rights later goes on seeing frames.
 *
 * <p>All code of the process can close the descriptor, and its number may become another file's,
 * whose bytes would read as addresses. So the file is identified before each reading: one that is
 * no longer the page map is neither read nor closed, and is opened again.
 */
public final class PageMap implements AutoCloseable {

    private sealed interface State {

        record Open(OpenFile file, boolean ours) implements State {}

        record Refused(Refusal why) implements State {}
    }

    private final OperatingSystem os;
    private final ReadWriteLock open = new ReentrantReadWriteLock();
    private volatile State state; // written under the lock

    /**
     * Opens it.
     *
     * @param given a file that was opened for this process before, and stays the giver's
     */
    public PageMap(OperatingSystem os, OptionalInt given) {
        this.os = os;
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment callState = scratch.allocate(CallState.LAYOUT);
            this.state =
                    given.isPresent()
                            ? new State.Open(os.identified(given.getAsInt(), callState), false)
                            : open(os, callState);
        }
    }

    private static State open(OperatingSystem os, MemorySegment callState) {
        try {
            return new State.Open(os.openPageMap(callState), true);
        } catch (Refusal e) {
            return new State.Refused(e);
        }
    }

    void read(long address, MemorySegment entries, MemorySegment callState) throws Refusal {
        openAgain(callState);
        open.readLock().lock(); // a number that was closed may be another file's
        try {
            switch (state) {
                case State.Open(OpenFile file, boolean _) ->
                        os.readPageMap(file, address, entries, callState);
                case State.Refused(Refusal why) -> throw why.withMessage(why.getMessage());
            }
        } finally {
            open.readLock().unlock();
        }
    }

    /** Something temporary, such as file descriptors, was short; or the file does not exist. */
    private void openAgain(MemorySegment callState) {
        if (isUsable(state, callState)) {
            return;
        }
        open.writeLock().lock();
        try {
            State now = state;
            if (!isUsable(now, callState)) {
                state =
                        now instanceof State.Open(OpenFile file, boolean ours) && !ours
                                ? new State.Refused(descriptorLost(file))
                                : open(os, callState);
            }
        } finally {
            open.writeLock().unlock();
        }
    }

    private boolean isUsable(State state, MemorySegment callState) {
        return switch (state) {
            case State.Open(OpenFile file, boolean _) -> os.isUnchanged(file, callState);
            case State.Refused(Refusal why) -> !(why instanceof Refusal.Shortage);
        };
    }

    private static Refusal descriptorLost(OpenFile file) {
        return new Refusal.NotPermitted(
                "reading the page map: the file descriptor "
                        + file.descriptor()
                        + " passed for it was closed or is another file's now; keep it open as long"
                        + " as the allocator");
    }

    @Override
    public void close() {
        open.writeLock().lock();
        try (Arena scratch = Arena.ofConfined()) {
            State last = state;
            state = new State.Refused(new Refusal.NotSupported("the allocator is closed"));
            if (last instanceof State.Open(OpenFile file, boolean ours) && ours) {
                os.closeFile(file, scratch.allocate(CallState.LAYOUT));
            }
        } finally {
            open.writeLock().unlock();
        }
    }
}
