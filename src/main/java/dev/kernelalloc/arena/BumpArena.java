package dev.kernelalloc.arena;

import java.lang.foreign.AddressLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.nio.charset.Charset;

/**
 * An arena that cuts its segments one after the other from a few blocks of an allocator.
 *
 * <p>The state of an arena (alive, confined, closed once, not while a downcall holds a segment) is
 * that of {@link #lifetime()}, an arena of the JDK that every segment is bound to. Memory follows
 * it: blocks are allocated while it is alive, and freed once it has closed, after the cleanup
 * actions that users have registered with it.
 *
 * <ul>
 *   <li>A <i>chunk</i> is a block that segments are cut from in <i>slots</i>: whole words, so that
 *       every slot starts at a word. Its bytes are undefined; a segment is zeroed when it is handed
 *       out, through itself, so that an arena that another thread closes at that moment cannot zero
 *       memory of another owner.
 *   <li>A segment too large or too strictly aligned for a chunk of the present size gets a block of
 *       its own, zeroed by the allocator.
 * </ul>
 *
 * <p>Both kinds implement {@link Arena#allocate(long, long)} and {@link #unzeroed()}; all else of a
 * {@link SegmentAllocator} follows from these two.
 */
public sealed interface BumpArena extends Arena permits ConfinedArena, SharedArena {

    /** Bounds every segment. */
    Arena lifetime();

    /**
     * This arena, for segments that are overwritten as soon as they are made: their contents are
     * undefined.
     */
    SegmentAllocator unzeroed();

    @Override
    default MemorySegment.Scope scope() {
        return lifetime().scope();
    }

    // ---- segments made from values: every one of these overwrites all bytes it has asked for --

    @Override
    default MemorySegment allocateFrom(String str) {
        return unzeroed().allocateFrom(str);
    }

    @Override
    default MemorySegment allocateFrom(String str, Charset charset) {
        return unzeroed().allocateFrom(str, charset);
    }

    @Override
    default MemorySegment allocateFrom(ValueLayout.OfByte layout, byte value) {
        return unzeroed().allocateFrom(layout, value);
    }

    @Override
    default MemorySegment allocateFrom(ValueLayout.OfChar layout, char value) {
        return unzeroed().allocateFrom(layout, value);
    }

    @Override
    default MemorySegment allocateFrom(ValueLayout.OfShort layout, short value) {
        return unzeroed().allocateFrom(layout, value);
    }

    @Override
    default MemorySegment allocateFrom(ValueLayout.OfInt layout, int value) {
        return unzeroed().allocateFrom(layout, value);
    }

    @Override
    default MemorySegment allocateFrom(ValueLayout.OfFloat layout, float value) {
        return unzeroed().allocateFrom(layout, value);
    }

    @Override
    default MemorySegment allocateFrom(ValueLayout.OfLong layout, long value) {
        return unzeroed().allocateFrom(layout, value);
    }

    @Override
    default MemorySegment allocateFrom(ValueLayout.OfDouble layout, double value) {
        return unzeroed().allocateFrom(layout, value);
    }

    @Override
    default MemorySegment allocateFrom(AddressLayout layout, MemorySegment value) {
        return unzeroed().allocateFrom(layout, value);
    }

    @Override
    default MemorySegment allocateFrom(
            ValueLayout elementLayout,
            MemorySegment source,
            ValueLayout sourceElementLayout,
            long sourceOffset,
            long elementCount) {
        return unzeroed()
                .allocateFrom(
                        elementLayout, source, sourceElementLayout, sourceOffset, elementCount);
    }

    @Override
    default MemorySegment allocateFrom(ValueLayout.OfByte elementLayout, byte... elements) {
        return unzeroed().allocateFrom(elementLayout, elements);
    }

    @Override
    default MemorySegment allocateFrom(ValueLayout.OfShort elementLayout, short... elements) {
        return unzeroed().allocateFrom(elementLayout, elements);
    }

    @Override
    default MemorySegment allocateFrom(ValueLayout.OfChar elementLayout, char... elements) {
        return unzeroed().allocateFrom(elementLayout, elements);
    }

    @Override
    default MemorySegment allocateFrom(ValueLayout.OfInt elementLayout, int... elements) {
        return unzeroed().allocateFrom(elementLayout, elements);
    }

    @Override
    default MemorySegment allocateFrom(ValueLayout.OfFloat elementLayout, float... elements) {
        return unzeroed().allocateFrom(elementLayout, elements);
    }

    @Override
    default MemorySegment allocateFrom(ValueLayout.OfLong elementLayout, long... elements) {
        return unzeroed().allocateFrom(elementLayout, elements);
    }

    @Override
    default MemorySegment allocateFrom(ValueLayout.OfDouble elementLayout, double... elements) {
        return unzeroed().allocateFrom(elementLayout, elements);
    }
}
