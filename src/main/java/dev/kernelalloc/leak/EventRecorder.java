package dev.kernelalloc.leak;

import dev.kernelalloc.LeakReport;
import dev.kernelalloc.heap.HeapListener;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.Drift;
import dev.kernelalloc.physical.LostGuarantee;
import dev.kernelalloc.physical.PhysicalSlab;

/**
 * Records events of an allocator: in the JDK's flight recorder if the process has that module.
 * Nothing here fails. If the Java heap or the stack is exhausted, the recording misses events; the
 * allocator is unaffected.
 *
 * @param tag the tag of the allocator
 */
public record EventRecorder(String tag) {

    private static final String RECORDER = "jdk.jfr";
    private static final String LARGE_BLOCK = "large block";

    /** Whether there can be a recorder: no class of it is loaded otherwise. */
    private static final boolean HAS_RECORDER = findRecorder();

    public EventRecorder {
        isRecording(); // a recorder that is there already is loaded here, not deep in a heap
    }

    private static boolean findRecorder() {
        Module recorder = ModuleLayer.boot().findModule(RECORDER).orElse(null);
        return recorder != null && EventRecorder.class.getModule().canRead(recorder);
    }

    /** Whether events are written: none of their classes is loaded before. */
    static boolean isRecording() {
        return HAS_RECORDER && FlightRecorderState.isRunning();
    }

    /** Records all events of a heap. */
    public HeapListener ofHeap() {
        return HAS_RECORDER ? new OfHeap(tag, true) : HeapListener.NONE;
    }

    /**
     * Records all events of a heap but chunks: {@link #mapped} records those of physical memory in
     * more detail.
     */
    public HeapListener ofHeapWithoutChunks() {
        return HAS_RECORDER ? new OfHeap(tag, false) : HeapListener.NONE;
    }

    public void mapped(PhysicalSlab slab) {
        try {
            if (isRecording()) {
                FlightEvents.mapped(
                        tag,
                        slab.memory().address(),
                        slab.memory().byteSize(),
                        FlightEvents.text(slab.guarantees()));
            }
        } catch (Throwable _) {
            // missed
        }
    }

    public void unmapped(PhysicalSlab slab) {
        try {
            if (isRecording()) {
                FlightEvents.unmapped(tag, slab.memory().address(), slab.memory().byteSize());
            }
        } catch (Throwable _) {
            // missed
        }
    }

    public void drifted(Drift drift) {
        try {
            if (isRecording()) {
                FlightEvents.drifted(tag, drift);
            }
        } catch (Throwable _) {
            // missed
        }
    }

    public void lost(LostGuarantee lost) {
        try {
            if (isRecording()) {
                FlightEvents.lost(tag, lost);
            }
        } catch (Throwable _) {
            // missed
        }
    }

    public static void refused(String tag, Refusal refusal, long bytes, long alignment) {
        try {
            if (isRecording()) {
                FlightEvents.refused(tag, refusal, bytes, alignment);
            }
        } catch (Throwable _) {
            // missed
        }
    }

    /** An owner is tracked from now on. */
    static void tracked(String tag, LeakReport.Kind kind, long address, long bytes) {
        try {
            if (isRecording()) {
                FlightEvents.allocated(tag, kind.title(), address, bytes, true);
            }
        } catch (Throwable _) {
            // missed
        }
    }

    /** A tracked owner ends. */
    static void ended(String tag, LeakReport.Kind kind, long address, long bytes) {
        try {
            if (isRecording()) {
                FlightEvents.freed(tag, kind.title(), address, bytes, true);
            }
        } catch (Throwable _) {
            // missed
        }
    }

    static void leaked(LeakReport report) {
        try {
            if (isRecording()) {
                FlightEvents.leaked(report);
            }
        } catch (Throwable _) {
            // missed
        }
    }

    /**
     * Records events of a heap.
     *
     * @param ofChunks whether to record those of chunks
     */
    private record OfHeap(String tag, boolean ofChunks) implements HeapListener {

        @Override
        public void obtained(long address, long bytes) {
            if (ofChunks && isRecording()) {
                FlightEvents.mapped(tag, address, bytes, "");
            }
        }

        @Override
        public void releasing(long address, long bytes) {
            if (ofChunks && isRecording()) {
                FlightEvents.unmapped(tag, address, bytes);
            }
        }

        @Override
        public void refilled(long blockBytes, int blocks, boolean reused) {
            if (isRecording()) {
                FlightEvents.refilled(tag, blockBytes, blocks, reused);
            }
        }

        @Override
        public void allocatedLarge(long address, long bytes) {
            if (isRecording()) {
                FlightEvents.allocated(tag, LARGE_BLOCK, address, bytes, false);
            }
        }

        @Override
        public void freeingLarge(long address, long bytes) {
            if (isRecording()) {
                FlightEvents.freed(tag, LARGE_BLOCK, address, bytes, false);
            }
        }

        @Override
        public void trimmed(long bytes, long nanos) {
            if (isRecording()) {
                FlightEvents.trimmed(tag, bytes, nanos);
            }
        }
    }
}
