package dev.kernelalloc.benchmarks.heap.work;

import java.util.List;

/**
 * A workload from the literature on allocators, written from its description. It can be started
 * several times; blocks left from one run are used in the next.
 */
interface Classic {

    /** Its threads. */
    List<Crew.Worker> begin();
}
