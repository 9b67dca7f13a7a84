package dev.kernelalloc.frames;

import dev.kernelalloc.os.CallState;
import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.Refusal;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Locale;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Takes address space from the system and releases it, and counts its mappings: the kernel limits
 * those of a process, and a JVM that cannot map a thread's stack or its heap aborts. Each
 * reservation is counted from before it is made until the system has released it, as the mappings
 * that the kernel makes of it.
 */
final class Reservations {

    /** Mappings of all slabs of the process. */
    private static final AtomicLong MAPPINGS = new AtomicLong();

    /** Makes address space. */
    interface Call {

        /** Returns its first address. */
        long reserve() throws Refusal;
    }

    private final OperatingSystem os;
    private final long most;

    /**
     * Reservations that the system refused to release, for lack of mappings: tried again at every
     * occasion.
     */
    private final Queue<Reservation> unreleased = new ConcurrentLinkedQueue<>();

    Reservations(OperatingSystem os) {
        this.os = os;
        this.most = os.maxMappings() / 2;
    }

    /**
     * Makes a reservation and counts its mappings.
     *
     * @throws Refusal when the system refuses, or the mappings would exceed the limit
     */
    Reservation make(long bytes, int mappings, Call call) throws Refusal {
        count(mappings);
        try {
            return new Reservation(call.reserve(), bytes, false, mappings);
        } catch (Refusal | RuntimeException | Error e) {
            uncount(mappings);
            throw e;
        }
    }

    /** Counts the mappings of a part of a reservation. */
    Reservation make(long bytes, int mappings, long address) throws Refusal {
        count(mappings);
        return new Reservation(address, bytes, true, mappings);
    }

    /** Counts mappings that are about to be made; {@link #uncount} undoes it. */
    void count(int mappings) throws Refusal {
        long now = MAPPINGS.addAndGet(mappings);
        if (now > most && now > os.maxMappings() / 2) { // raised, or unreadable at first

            MAPPINGS.addAndGet(-mappings);
            throw new Refusal.OutOfMemory(
                    String.format(
                            Locale.ROOT,
                            "the slabs and blocks of pages of this process have %d mappings, %d"
                                + " more are needed, and the kernel allows it %d mappings, half of"
                                + " which are left to the JVM and others: use fewer and larger"
                                + " blocks, or raise sysctl vm.max_map_count",
                            now - mappings,
                            mappings,
                            os.maxMappings()));
        }
    }

    void uncount(int mappings) {
        MAPPINGS.addAndGet(-mappings);
    }

    /** Gives address space back with all that is in it, now or later. */
    void release(Reservation reservation, MemorySegment callState) {
        try {
            if (reservation.part()) {
                os.releasePart(reservation.address(), reservation.bytes(), callState);
            } else {
                os.release(reservation.address(), reservation.bytes(), callState);
            }
            uncount(reservation.mappings());
        } catch (Refusal e) {
            unreleased.add(reservation);
        }
    }

    /** Tries again to release what the system has refused to. */
    void retry() {
        if (unreleased.isEmpty()) {
            return;
        }
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment callState = scratch.allocate(CallState.LAYOUT);
            for (int left = unreleased.size(); left > 0; left--) {
                Reservation reservation = unreleased.poll();
                if (reservation != null) {
                    release(reservation, callState);
                }
            }
        }
    }
}
