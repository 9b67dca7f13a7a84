package dev.kernelalloc;

import dev.kernelalloc.heap.HeapListener;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.Drift;
import dev.kernelalloc.physical.PhysicalSlab;

/**
 * Writes down what happens in an allocator: in the JDK's flight recorder where the process has that
 * module, else nowhere. Nothing here fails. Where the Java heap or the stack is exhausted the
 * recording misses something, and the allocator nothing.
 *
 * @param tag of the allocator
 */
record Journal(String tag) {

    private static final String RECORDER = "jdk.jfr";

    /** Whether there is a recorder: no class of it is loaded otherwise. */
    static final boolean HAS_RECORDER =
            ModuleLayer.boot()
                    .findModule(RECORDER)
                    .filter(Journal.class.getModule()::canRead)
                    .isPresent();

    Journal {
        if (HAS_RECORDER) {
            FlightJournal.prepare();
        }
    }

    /** Writes down what a heap tells, all of it. */
    HeapListener ofHeap() {
        return HAS_RECORDER ? new FlightJournal.OfHeap(tag) : HeapListener.NONE;
    }

    /** The same but for chunks: those of physical memory {@link #mapped} knows better. */
    HeapListener ofHeapWithoutChunks() {
        return HAS_RECORDER ? new FlightJournal.OfBlocks(tag) : HeapListener.NONE;
    }

    void mapped(PhysicalSlab slab) {
        if (HAS_RECORDER) {
            try {
                FlightJournal.mapped(
                        tag,
                        slab.memory().address(),
                        slab.memory().byteSize(),
                        FlightJournal.text(slab.guarantees()));
            } catch (Throwable _) {
                // missed
            }
        }
    }

    void unmapped(PhysicalSlab slab) {
        if (HAS_RECORDER) {
            try {
                FlightJournal.unmapped(tag, slab.memory().address(), slab.memory().byteSize());
            } catch (Throwable _) {
                // missed
            }
        }
    }

    void drifted(Drift drift) {
        if (HAS_RECORDER) {
            try {
                FlightJournal.drifted(tag, drift);
            } catch (Throwable _) {
                // missed
            }
        }
    }

    static void refused(String tag, Refusal refusal, long bytes, long alignment) {
        if (HAS_RECORDER) {
            try {
                FlightJournal.refused(tag, refusal, bytes, alignment);
            } catch (Throwable _) {
                // missed
            }
        }
    }

    /** An owner is tracked from now on. */
    static void tracked(String tag, LeakReport.Kind kind, long address, long bytes) {
        if (HAS_RECORDER) {
            try {
                FlightJournal.allocated(tag, kind.title(), address, bytes, true);
            } catch (Throwable _) {
                // missed
            }
        }
    }

    /** A tracked owner ends. */
    static void ended(String tag, LeakReport.Kind kind, long address, long bytes) {
        if (HAS_RECORDER) {
            try {
                FlightJournal.freed(tag, kind.title(), address, bytes, true);
            } catch (Throwable _) {
                // missed
            }
        }
    }

    static void leaked(LeakReport report) {
        if (HAS_RECORDER) {
            try {
                FlightJournal.leaked(report);
            } catch (Throwable _) {
                // missed
            }
        }
    }
}
