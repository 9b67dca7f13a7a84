package dev.kernelalloc.frames;

import dev.kernelalloc.physical.Drift;
import dev.kernelalloc.physical.LostGuarantee;
import dev.kernelalloc.physical.PhysicalSlab;

import java.util.List;
import java.util.function.Consumer;

/**
 * Who wants to know.
 *
 * @param mapped told of each slab before any block is cut from it; what it throws ends the request,
 *     and the slab, of which {@code unmapped} is told then
 * @param unmapped told of each slab before its memory goes; what it throws is logged
 * @param drifted told of each page found elsewhere; what it throws is logged
 * @param lost told once of each guarantee of a slab that does not hold any more; what it throws is
 *     logged
 */
public record FrameListener(
        List<Consumer<PhysicalSlab>> mapped,
        List<Consumer<PhysicalSlab>> unmapped,
        List<Consumer<Drift>> drifted,
        List<Consumer<LostGuarantee>> lost) {

    /** Keeps copies. */
    public FrameListener {
        mapped = List.copyOf(mapped);
        unmapped = List.copyOf(unmapped);
        drifted = List.copyOf(drifted);
        lost = List.copyOf(lost);
    }

    static <T> void tell(List<Consumer<T>> listeners, T what) {
        for (Consumer<T> listener : listeners) {
            try {
                listener.accept(what);
            } catch (Throwable e) { // also an error: what it was told of must go on
                log(what, e);
            }
        }
    }

    private static void log(Object told, Throwable failure) {
        try {
            System.getLogger("dev.kernelalloc")
                    .log(System.Logger.Level.WARNING, "a listener failed, told " + told, failure);
        } catch (Throwable _) {
            // the Java heap or stack is exhausted, or the logger has failed too
        }
    }
}
