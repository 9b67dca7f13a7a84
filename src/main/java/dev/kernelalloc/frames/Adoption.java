package dev.kernelalloc.frames;

import dev.kernelalloc.os.CallState;
import dev.kernelalloc.physical.ExtentVisitor;
import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.physical.PhysicalAddress;
import dev.kernelalloc.physical.PhysicalExtent;
import dev.kernelalloc.physical.PinMethod;
import dev.kernelalloc.physical.Verification;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Memory of the program that was locked, pinned and resolved in place. It is in no table: whoever
 * has this asks about it, so that memory mapped there later is never taken for it.
 */
public final class Adoption {

    private final Adoptions adoptions;
    private final FrameMap map;
    private final FrameSlab slab;
    private final FrameSlab.Use.Adopted use;

    private final AdoptedLocks.Claim claim;

    Adoption(
            Adoptions adoptions,
            FrameMap map,
            FrameSlab slab,
            FrameSlab.Use.Adopted use,
            AdoptedLocks.Claim claim) {
        this.adoptions = adoptions;
        this.map = map;
        this.slab = slab;
        this.use = use;
        this.claim = claim;
    }

    /** Returns the physical address of the byte at an offset, less than its size. */
    public PhysicalAddress addressOf(long offset) {
        return map.located(slab, slab.address() + offset);
    }

    /** Visits its extents, split as those of a slab. */
    public void extents(long longest, long boundary, ExtentVisitor visitor) {
        map.extents(slab, slab.address(), slab.bytes(), longest, boundary, visitor);
    }

    /** Returns its extents. */
    public List<PhysicalExtent> extents() {
        List<PhysicalExtent> extents = new ArrayList<>();
        PhysicalAddress.Scope scope = map.scope();
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

    /** Audits it as a slab; finds nothing if it has ended meanwhile. */
    public Verification verify() {
        return map.verify(slab);
    }

    /** Returns whether it has ended. */
    public boolean isEnded() {
        return use.hasEnded();
    }

    /**
     * Ends the pins, and the locks that no other adoption has. Those of memory whose arena is
     * closed are left to it.
     *
     * @return false if it had ended before
     */
    public boolean end() {
        try (Arena scratch = Arena.ofConfined()) { // first, because the Java heap may be exhausted
            MemorySegment callState = scratch.allocate(CallState.LAYOUT);
            boolean first = use.end(); // before the pins: an audit in progress drops its findings
            if (first) {
                adoptions.end(slab, claim, callState);
            }
            return first;
        }
    }
}
