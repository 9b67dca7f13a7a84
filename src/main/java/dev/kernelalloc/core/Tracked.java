package dev.kernelalloc.core;

import dev.kernelalloc.LeakReport;
import dev.kernelalloc.leak.Sentinel;
import dev.kernelalloc.leak.Tracker;
import dev.kernelalloc.physical.PhysicalExtent;

import java.lang.foreign.MemorySegment;
import java.util.List;

/** An origin whose memory is tracked: it moves with the memory from owner to owner. */
public record Tracked(Origin origin, Sentinel sentinel) implements Origin {

    /**
     * An origin for a block that was just allocated, called where a block is to be tracked. It
     * never fails: where the Java heap has no room for a record, the block is not tracked.
     *
     * @return a tracked origin; {@code blocks} where there can be none
     */
    public static Origin of(CheckedBlocks blocks, long address, long bytes, LeakReport.Kind kind) {
        return ofAny(blocks, address, bytes, kind);
    }

    /** The same for a block just adopted, if its tracker samples it. */
    public static Origin sampled(Origin origin, long address, long bytes) {
        return origin.tracker().samples()
                ? ofAny(origin, address, bytes, LeakReport.Kind.BOX)
                : origin;
    }

    private static Origin ofAny(Origin origin, long address, long bytes, LeakReport.Kind kind) {
        Sentinel sentinel = null;
        try {
            sentinel = new Sentinel(origin.tracker(), kind, address, bytes);
            Tracked tracked = new Tracked(origin, sentinel);
            sentinel.post(); // last, as it needs nothing of the Java heap
            return tracked;
        } catch (Throwable _) {
            if (sentinel != null) {
                sentinel.end();
            }
            return origin;
        }
    }

    @Override
    public void freeOwned(long address, long bytes, long alignment) {
        sentinel.end();
        origin.freeOwned(address, bytes, alignment);
    }

    @Override
    public void makeRaw(long address) {
        sentinel.end();
        origin.makeRaw(address);
    }

    @Override
    public void passTo(LeakReport.Kind kind) {
        sentinel.passTo(kind);
    }

    @Override
    public String closedAt() {
        return sentinel.closedAt();
    }

    @Override
    public void forget() {
        sentinel.end();
    }

    @Override
    public CheckedBlocks forCopies() {
        return origin.forCopies();
    }

    @Override
    public Tracker tracker() {
        return origin.tracker();
    }

    @Override
    public MemorySegment raw(MemorySegment owned) {
        return origin.raw(owned);
    }

    @Override
    public List<PhysicalExtent> extents(long address, long bytes) {
        return origin.extents(address, bytes);
    }

    @Override
    public String guarantee() {
        return origin.guarantee();
    }
}
