package dev.kernelalloc.frames;

import dev.kernelalloc.physical.Drift;
import dev.kernelalloc.physical.PhysicalSlab;

import java.util.List;
import java.util.function.Consumer;

/**
 * Who wants to know.
 *
 * @param mapped told of each slab before any block is cut from it; what it throws ends the request
 * @param unmapped told of each slab before its memory goes; what it throws is logged
 * @param drifted told of each page found elsewhere; what it throws is logged
 */
public record FrameListener(
        List<Consumer<PhysicalSlab>> mapped,
        List<Consumer<PhysicalSlab>> unmapped,
        List<Consumer<Drift>> drifted) {

    /** Keeps copies. */
    public FrameListener {
        mapped = List.copyOf(mapped);
        unmapped = List.copyOf(unmapped);
        drifted = List.copyOf(drifted);
    }

    static <T> void tell(List<Consumer<T>> listeners, T what) {
        for (Consumer<T> listener : listeners) {
            try {
                listener.accept(what);
            } catch (RuntimeException e) {
                System.getLogger("dev.kernelalloc")
                        .log(System.Logger.Level.WARNING, "a listener failed, told " + what, e);
            }
        }
    }
}
