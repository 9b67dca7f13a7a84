package dev.kernelalloc.frames;

import dev.kernelalloc.os.CallState;
import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.Refusal;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;

/** Address space as it is taken from the system and given back, and how much of it there is. */
final class Reservations {

    /** All slabs of the process: the kernel limits its mappings, and the JVM needs some itself. */
    private static final AtomicLong LIVE = new AtomicLong();

    private final OperatingSystem os;
    private final long most;

    /**
     * What the system refused to take back, for want of mappings: tried again at every occasion.
     */
    private final Queue<Reservation> unreleased = new ConcurrentLinkedQueue<>();

    Reservations(OperatingSystem os) {
        this.os = os;
        this.most = os.maxMappings() / 2;
    }

    /** Counts a slab that is about to be made; {@link #uncount} undoes it. */
    void count() throws Refusal {
        long live = LIVE.incrementAndGet();
        if (live > most) {
            LIVE.decrementAndGet();
            throw new Refusal.OutOfMemory(
                    ("this process has %d slabs or blocks of pages, each a mapping, and the kernel"
                         + " allows it %d mappings, of which the JVM needs some: use fewer and"
                         + " larger blocks, or raise sysctl vm.max_map_count")
                            .formatted(live - 1, os.maxMappings()));
        }
    }

    void uncount() {
        LIVE.decrementAndGet();
    }

    /** Gives address space back with all that is in it, now or later. */
    void release(Reservation reservation, MemorySegment callState) {
        try {
            if (reservation.part()) {
                os.releasePart(reservation.address(), reservation.bytes(), callState);
            } else {
                os.release(reservation.address(), reservation.bytes(), callState);
            }
        } catch (Refusal e) {
            unreleased.add(reservation);
        }
    }

    /** Tries again to give back what the system has refused to take. */
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
