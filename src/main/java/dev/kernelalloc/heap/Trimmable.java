package dev.kernelalloc.heap;

/** A heap that the trim thread visits. */
interface Trimmable {

    /**
     * Returns memory to the system that has not been used since the last visit.
     *
     * @return whether the next visit may have work to do
     */
    boolean trimIdle();
}
