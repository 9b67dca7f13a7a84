package dev.kernelalloc.benchmarks.heap.work;

import java.util.List;

/**
 * A workload that the literature measures allocators by, written anew from its description. It can
 * be begun several times; blocks that are left of one time are used in the next.
 */
interface Classic {

    /** Its threads. */
    List<Crew.Worker> begin();
}
