package dev.kernelalloc.soak;

import java.util.Random;

/** A container beside its model; used by one thread. */
interface Subject {

    /** Does one random thing to both, and returns its name. */
    String step(Random random) throws Exception;

    /** Compares all of both. */
    void check();

    /** Ends the container, after which it must refuse everything. */
    void close() throws Exception;
}
