package dev.kernelalloc.frames;

import dev.kernelalloc.physical.ExtentVisitor;
import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.physical.PhysicalAddress;
import dev.kernelalloc.physical.PhysicalExtent;
import dev.kernelalloc.physical.PinMethod;
import dev.kernelalloc.physical.Verification;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Memory of the program that was locked, pinned and resolved in place. It is in no table: whoever
 * has this asks about it, so that memory mapped there later is never taken for it.
 */
public final class Adoption {

    private final Frames frames;
    private final FrameSlab slab;

    /** Whether the lock is this one's, and ends with it. */
    private final boolean locked;

    private final AtomicBoolean ended = new AtomicBoolean();

    Adoption(Frames frames, FrameSlab slab, boolean locked) {
        this.frames = frames;
        this.slab = slab;
        this.locked = locked;
    }

    /** Returns the physical address of the byte at an offset, less than its size. */
    public PhysicalAddress addressOf(long offset) {
        return frames.map().located(slab, slab.address() + offset);
    }

    /** Visits its extents, split as those of a slab. */
    public void extents(long longest, long boundary, ExtentVisitor visitor) {
        frames.map().extents(slab, slab.address(), slab.bytes(), longest, boundary, visitor);
    }

    /** Returns its extents. */
    public List<PhysicalExtent> extents() {
        List<PhysicalExtent> extents = new ArrayList<>();
        PhysicalAddress.Scope scope = frames.map().scope();
        extents(
                Long.MAX_VALUE,
                0,
                (address, bytes) ->
                        extents.add(
                                new PhysicalExtent(new PhysicalAddress(address, scope), bytes)));
        return extents;
    }

    /** Returns the guarantees that hold. */
    public Set<Guarantee> guarantees() {
        return slab.guarantees();
    }

    /** Returns what holds its pages, if they are pinned. */
    public Optional<PinMethod> pin() {
        return slab.provenance().pin();
    }

    /** Audits it as a slab. */
    public Verification verify() {
        return frames.map().verify(slab);
    }

    /** Returns whether it has ended. */
    public boolean isEnded() {
        return ended.get();
    }

    /**
     * Ends the pins, and the lock if it is this one's.
     *
     * @param alive whether the memory is still mapped; otherwise its lock has ended with it
     * @return false if it had ended before
     */
    public boolean end(boolean alive) {
        boolean first = ended.compareAndSet(false, true);
        if (first) {
            frames.forsake(slab, locked, alive);
        }
        return first;
    }
}
