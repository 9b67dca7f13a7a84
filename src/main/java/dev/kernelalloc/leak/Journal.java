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
public record Journal(String tag) {

    private static final String RECORDER = "jdk.jfr";
    private static final String LARGE_BLOCK = "large block";

    /** Whether there can be a recorder: no class of it is loaded otherwise. */
    private static final boolean HAS_RECORDER = findRecorder();

    public Journal {
        isRecording(); // a recorder that is there already is loaded here, not deep in a heap
    }

    private static boolean findRecorder() {
        Module recorder = ModuleLayer.boot().findModule(RECORDER).orElse(null);
        return recorder != null && Journal.class.getModule().canRead(recorder);
    }

    /** Whether events are written: none of their classes is loaded before. */
    static boolean isRecording() {
        return HAS_RECORDER && FlightRecording.isRunning();
    }

    /** Records all events of a heap. */
    public HeapListener ofHeap() {
        return HAS_RECORDER ? new OfHeap(tag) : HeapListener.NONE;
    }

    /**
     * Records all events of a heap but chunks: {@link #mapped} records those of physical memory in
     * more detail.
     */
    public HeapListener ofHeapWithoutChunks() {
        return HAS_RECORDER ? new OfBlocks(tag) : HeapListener.NONE;
    }

    public void mapped(PhysicalSlab slab) {
        try {
            if (isRecording()) {
                FlightJournal.mapped(
                        tag,
                        slab.memory().address(),
                        slab.memory().byteSize(),
                        FlightJournal.text(slab.guarantees()));
            }
        } catch (Throwable _) {
            // missed
        }
    }

    public void unmapped(PhysicalSlab slab) {
        try {
            if (isRecording()) {
                FlightJournal.unmapped(tag, slab.memory().address(), slab.memory().byteSize());
            }
        } catch (Throwable _) {
            // missed
        }
    }

    public void drifted(Drift drift) {
        try {
            if (isRecording()) {
                FlightJournal.drifted(tag, drift);
            }
        } catch (Throwable _) {
            // missed
        }
    }

    public void lost(LostGuarantee lost) {
        try {
            if (isRecording()) {
                FlightJournal.lost(tag, lost);
            }
        } catch (Throwable _) {
            // missed
        }
    }

    public static void refused(String tag, Refusal refusal, long bytes, long alignment) {
        try {
            if (isRecording()) {
                FlightJournal.refused(tag, refusal, bytes, alignment);
            }
        } catch (Throwable _) {
            // missed
        }
    }

    /** An owner is tracked from now on. */
    static void tracked(String tag, LeakReport.Kind kind, long address, long bytes) {
        try {
            if (isRecording()) {
                FlightJournal.allocated(tag, kind.title(), address, bytes, true);
            }
        } catch (Throwable _) {
            // missed
        }
    }

    /** A tracked owner ends. */
    static void ended(String tag, LeakReport.Kind kind, long address, long bytes) {
        try {
            if (isRecording()) {
                FlightJournal.freed(tag, kind.title(), address, bytes, true);
            }
        } catch (Throwable _) {
            // missed
        }
    }

    static void leaked(LeakReport report) {
        try {
            if (isRecording()) {
                FlightJournal.leaked(report);
            }
        } catch (Throwable _) {
            // missed
        }
    }

    /** Records events of blocks. */
    private record OfBlocks(String tag) implements HeapListener {

        @Override
        public void refilled(long blockBytes, int blocks, boolean reused) {
            if (isRecording()) {
                FlightJournal.refilled(tag, blockBytes, blocks, reused);
            }
        }

        @Override
        public void tookLarge(long address, long bytes) {
            if (isRecording()) {
                FlightJournal.allocated(tag, LARGE_BLOCK, address, bytes, false);
            }
        }

        @Override
        public void freeingLarge(long address, long bytes) {
            if (isRecording()) {
                FlightJournal.freed(tag, LARGE_BLOCK, address, bytes, false);
            }
        }

        @Override
        public void trimmed(long bytes, long nanos) {
            if (isRecording()) {
                FlightJournal.trimmed(tag, bytes, nanos);
            }
        }
    }

    /** Records events of blocks and chunks. */
    private record OfHeap(String tag, OfBlocks blocks) implements HeapListener {

        OfHeap(String tag) {
            this(tag, new OfBlocks(tag));
        }

        @Override
        public void obtained(long address, long bytes) {
            if (isRecording()) {
                FlightJournal.mapped(tag, address, bytes, "");
            }
        }

        @Override
        public void givingBack(long address, long bytes) {
            if (isRecording()) {
                FlightJournal.unmapped(tag, address, bytes);
            }
        }

        @Override
        public void refilled(long blockBytes, int blocks, boolean reused) {
            this.blocks.refilled(blockBytes, blocks, reused);
        }

        @Override
        public void tookLarge(long address, long bytes) {
            blocks.tookLarge(address, bytes);
        }

        @Override
        public void freeingLarge(long address, long bytes) {
            blocks.freeingLarge(address, bytes);
        }

        @Override
        public void trimmed(long bytes, long nanos) {
            blocks.trimmed(bytes, nanos);
        }
    }
}
