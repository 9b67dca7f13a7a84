package dev.kernelalloc.heap;

/** What the trim thread visits. */
interface Trimmed {

    /**
     * Gives memory back that nothing has used since the last visit.
     *
     * @return whether there may be something to do at the next
     */
    boolean trimIdle();
}
