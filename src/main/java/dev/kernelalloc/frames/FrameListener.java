package dev.kernelalloc.frames;

import dev.kernelalloc.physical.Drift;
import dev.kernelalloc.physical.LostGuarantee;
import dev.kernelalloc.physical.PhysicalSlab;

import java.util.List;
import java.util.function.Consumer;

/**
 * Receives events of slabs.
 *
 * @param mapped receives each slab before any block is cut from it; its exceptions end the request,
 *     and the slab, which {@code unmapped} receives then
 * @param unmapped receives each slab before its memory is released; its exceptions are logged
 * @param drifted receives each page found at another address; its exceptions are logged
 * @param lost receives once each guarantee of a slab that no longer holds; its exceptions are
 *     logged
 * @param mayMovePages whether {@code mapped} has listeners of the program: registering memory with
 *     a device can move its pages
 */
public record FrameListener(
        List<Consumer<PhysicalSlab>> mapped,
        List<Consumer<PhysicalSlab>> unmapped,
        List<Consumer<Drift>> drifted,
        List<Consumer<LostGuarantee>> lost,
        boolean mayMovePages) {

    /** Keeps copies. */
    public FrameListener {
        mapped = List.copyOf(mapped);
        unmapped = List.copyOf(unmapped);
        drifted = List.copyOf(drifted);
        lost = List.copyOf(lost);
    }

    static <T> void notify(List<Consumer<T>> listeners, T what) {
        for (Consumer<T> listener : listeners) {
            try {
                listener.accept(what);
            } catch (Throwable e) { // even an error: the operation that it was called for must
                // continue
                log(what, e);
            }
        }
    }

    private static void log(Object told, Throwable failure) {
        try {
            System.getLogger("dev.kernelalloc")
                    .log(System.Logger.Level.WARNING, "a listener failed for " + told, failure);
        } catch (Throwable _) {
            // the Java heap or stack is exhausted, or the logger has failed too
        }
    }
}
