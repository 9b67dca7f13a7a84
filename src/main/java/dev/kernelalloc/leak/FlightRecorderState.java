package dev.kernelalloc.leak;

import jdk.jfr.FlightRecorder;

/**
 * Reports whether the JVM's flight recorder has been started, without loading more of it than the
 * one class that holds the answer. Only for a process that has the module {@code jdk.jfr}.
 *
 * <p>Event classes take 80 ms and more to load and register, a quarter of the first allocation of a
 * process. So they are loaded once there is a recorder, whoever has started it: a program, {@code
 * jcmd JFR.start} or {@code -XX:StartFlightRecording}. The recorder applies the settings of running
 * recordings to events that are registered later.
 *
 * <p>They are loaded by the thread that has something to record. An error in an initializer would
 * leave them unusable for good, so it is tried only where the stack and the Java heap have room to
 * spare. Elsewhere the event is missed, and the next one tries again.
 */
public final class FlightRecorderState {

    private enum Events {
        NOT_LOADED,
        LOADED,
        UNUSABLE
    }

    private static final long SPARE_HEAP_BYTES = 4 << 20;

    /** Interpreted frames of some 100 bytes each: 200 KiB of stack. */
    private static final int SPARE_FRAMES = 2_000;

    private static volatile Events events = Events.NOT_LOADED;

    private FlightRecorderState() {}

    /** Returns whether events can be written. Never throws anything but errors of the JVM. */
    static boolean isRunning() {
        return FlightRecorder.isInitialized()
                && (events == Events.LOADED || events == Events.NOT_LOADED && load());
    }

    private static boolean load() {
        try {
            if (!hasSpareHeap() || descend(SPARE_FRAMES) != SPARE_FRAMES) {
                return false;
            }
            FlightEvents.prepare();
            events = Events.LOADED;
            return true;
        } catch (StackOverflowError | OutOfMemoryError e) {
            return false;
        } catch (LinkageError e) {
            events = Events.UNUSABLE; // an initializer has failed all the same
            return false;
        }
    }

    private static boolean hasSpareHeap() {
        Runtime runtime = Runtime.getRuntime();
        long used = runtime.totalMemory() - runtime.freeMemory();
        return runtime.maxMemory() - used >= SPARE_HEAP_BYTES;
    }

    private static int descend(int frames) {
        return frames == 0 ? 0 : 1 + descend(frames - 1);
    }
}
