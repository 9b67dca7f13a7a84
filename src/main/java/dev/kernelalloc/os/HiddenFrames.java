package dev.kernelalloc.os;

import java.lang.foreign.MemorySegment;

/** A system that does not show programs the frames of their pages. */
interface HiddenFrames extends OperatingSystem {

    @Override
    default void readPageMap(long address, MemorySegment entries, MemorySegment callState)
            throws Refusal {
        throw missing("reading the page map");
    }

    @Override
    default OpenFile openPageMap(MemorySegment callState) throws Refusal {
        throw missing("reading the page map");
    }

    @Override
    default OpenFile identified(int descriptor, MemorySegment callState) {
        return new OpenFile(descriptor, FileIdentity.NONE);
    }

    @Override
    default void readPageMap(
            OpenFile pageMap, long address, MemorySegment entries, MemorySegment callState)
            throws Refusal {
        throw missing("reading the page map");
    }

    @Override
    default void closeFile(OpenFile file, MemorySegment callState) {
        // None is ever opened here.
    }

    @Override
    default void readFrameFlags(long frame, MemorySegment entries, MemorySegment callState)
            throws Refusal {
        throw missing("reading frame flags");
    }

    @Override
    default void readFrameCounts(long frame, MemorySegment entries, MemorySegment callState)
            throws Refusal {
        throw missing("reading frame counts");
    }

    @Override
    default Machine machine() {
        return Machine.UNKNOWN;
    }

    default Refusal missing(String what) {
        return new Refusal.NotSupported(what + ": not supported on " + name());
    }
}
