package dev.kernelalloc.os;

import dev.kernelalloc.bulk.Alignment;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/** A system of which the library supports the C heap only. */
record HeapOnly(HeapCalls calls) implements CHeap, HiddenFrames {

    private static final long PAGE_BYTES = 4096;

    HeapOnly() {
        this(new HeapCalls() {});
    }

    /**
     * C11 asks for a size that is a multiple of the alignment, and for no alignment below a
     * pointer's.
     */
    @Override
    public long alignedAlloc(long alignment, long bytes) throws Refusal {
        long multiple = Math.max(alignment, Long.BYTES);
        long address =
                bytes > Long.MAX_VALUE - multiple
                        ? 0
                        : calls.alignedAlloc(multiple, Alignment.up(bytes, multiple));
        return alignedBlock(address, "aligned_alloc", bytes, alignment);
    }

    @Override
    public void alignedFree(long address) {
        calls.free(address);
    }

    @Override
    public MethodHandle alignedFreeHandle() {
        return HeapCalls.Free.handle();
    }

    /** The page size of most systems; nothing here depends on it. */
    @Override
    public long pageBytes() {
        return PAGE_BYTES;
    }

    @Override
    public long reserve(long bytes, long alignment, MemorySegment callState) throws Refusal {
        throw missing("reserving address space");
    }

    @Override
    public void commit(long address, long bytes, MemorySegment callState) throws Refusal {
        throw missing("committing pages");
    }

    @Override
    public void protect(long address, long bytes, Access access, MemorySegment callState)
            throws Refusal {
        throw missing("protecting pages");
    }

    @Override
    public void release(long address, long bytes, MemorySegment callState) throws Refusal {
        throw missing("releasing address space");
    }

    @Override
    public void advise(long address, long bytes, Advice advice, MemorySegment callState)
            throws Refusal {
        throw missing("advising " + advice);
    }

    @Override
    public void populate(MemorySegment memory, MemorySegment callState) throws Refusal {
        throw missing("populating pages");
    }

    @Override
    public void lock(MemorySegment memory, MemorySegment callState) throws Refusal {
        throw missing("locking pages");
    }

    @Override
    public void unlock(MemorySegment memory, MemorySegment callState) throws Refusal {
        throw missing("unlocking pages");
    }

    @Override
    public LockBudget lockBudget() throws Refusal {
        throw missing("the limit on locked memory");
    }

    @Override
    public long availableBytes() throws Refusal {
        throw missing("the amount of available memory");
    }
}
