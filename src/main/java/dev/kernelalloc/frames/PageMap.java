package dev.kernelalloc.frames;

import dev.kernelalloc.os.CallState;
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
 */
final class PageMap implements AutoCloseable {

    private sealed interface State {

        record Open(int file, boolean ours) implements State {}

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
    PageMap(OperatingSystem os, OptionalInt given) {
        this.os = os;
        this.state = given.isPresent() ? new State.Open(given.getAsInt(), false) : open(os);
    }

    private static State open(OperatingSystem os) {
        try (Arena scratch = Arena.ofConfined()) {
            return new State.Open(os.openPageMap(scratch.allocate(CallState.LAYOUT)), true);
        } catch (Refusal e) {
            return new State.Refused(e);
        }
    }

    void read(long address, MemorySegment entries, MemorySegment callState) throws Refusal {
        openAgain();
        open.readLock().lock(); // a number that was closed may be another file's
        try {
            switch (state) {
                case State.Open(int file, boolean _) ->
                        os.readPageMap(file, address, entries, callState);
                case State.Refused(Refusal why) -> throw why.saying(why.getMessage());
            }
        } finally {
            open.readLock().unlock();
        }
    }

    /** Where only something that passes, such as file descriptors, was short. */
    private void openAgain() {
        if (!(state instanceof State.Refused(Refusal why) && why instanceof Refusal.Shortage)) {
            return;
        }
        open.writeLock().lock();
        try {
            if (state instanceof State.Refused(Refusal still)
                    && still instanceof Refusal.Shortage) {
                state = open(os);
            }
        } finally {
            open.writeLock().unlock();
        }
    }

    @Override
    public void close() {
        open.writeLock().lock();
        try {
            State last = state;
            state = new State.Refused(new Refusal.NotSupported("the allocator is closed"));
            if (last instanceof State.Open(int file, boolean ours) && ours) {
                os.closePageMap(file);
            }
        } finally {
            open.writeLock().unlock();
        }
    }
}
