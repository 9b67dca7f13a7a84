package dev.kernelalloc.heap;

/** Verifies the invariants of heaps, for tests of the allocators above them. */
public final class HeapInvariants {

    private HeapInvariants() {}

    /** Verifies the invariants of a heap of slabs that no thread uses during the call. */
    public static void check(Blocks blocks) {
        switch (blocks) {
            case SlabHeap heap -> heap.checkInvariants();
            case HardenedHeap heap -> heap.checkInvariants();
            default -> throw new IllegalArgumentException(blocks + " has no slabs");
        }
    }
}
