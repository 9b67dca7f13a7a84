package dev.kernelalloc.os;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * Measures how much of the Java heap is committed and has no frames yet. The collector touches it
 * without a check, and the kernel kills the process if its control group is full by then.
 *
 * <p>The heap is the run of adjoining mappings around the address of any object, under Serial,
 * Parallel, G1, ZGC and Shenandoah. Their resident size is in {@code smaps}; no Java interface
 * reports it. A reading takes milliseconds, so it is repeated after {@link #LIFETIME_NANOS} at the
 * earliest, and nothing is read once all of the heap has been touched.
 */
final class JavaHeap {

    static final JavaHeap OF_PROCESS = new JavaHeap();

    private static final long LIFETIME_NANOS = 100_000_000;

    /** Rounding and archived objects, which are mapped from a file, may hide as much. */
    private static final long NEGLIGIBLE_BYTES = 1L << 20;

    private static final String SMAPS = "/proc/self/smaps";

    // Guarded by this:
    private long measuredNanos = System.nanoTime() - LIFETIME_NANOS;
    private long touchedBytes;

    private JavaHeap() {}

    /** One that has not read anything. */
    static JavaHeap measuredNow() {
        return new JavaHeap();
    }

    /** Bytes that are committed and have no frame, as of at most a tenth of a second ago. */
    synchronized long untouchedBytes() {
        long committed = Runtime.getRuntime().totalMemory();
        long now = System.nanoTime();
        if (committed - touchedBytes > NEGLIGIBLE_BYTES && now - measuredNanos >= LIFETIME_NANOS) {
            touchedBytes = measure();
            measuredNanos = now;
        }
        return Math.max(0, committed - touchedBytes);
    }

    /** Used memory has been touched, even if smaps cannot be read. */
    private static long measure() {
        Runtime runtime = Runtime.getRuntime();
        long used = runtime.totalMemory() - runtime.freeMemory();
        return Math.max(used, residentBytes(anyAddress(), runtime.maxMemory()));
    }

    /** The resident bytes of the adjoining mappings around an address. */
    private static long residentBytes(long address, long mostBytes) {
        Adjoining heap = new Adjoining(address, mostBytes);
        KernelFiles.ofSystem().lines(SMAPS, heap::line);
        return heap.residentBytes();
    }

    /** Returns those of a list of mappings, in the order of addresses, that adjoin. */
    private static final class Adjoining {

        private final long address;
        private final long lowest;
        private final long highest;
        private long resident;
        private long end;
        private boolean found;
        private boolean counted;
        private boolean complete;

        Adjoining(long address, long mostBytes) {
            this.address = address;
            this.lowest = address - mostBytes;
            this.highest = address + mostBytes;
        }

        void line(String line) {
            if (complete) {
                return;
            }
            if (line.startsWith("Rss:")) {
                String size = line.substring("Rss:".length());
                resident += counted ? KernelFiles.kibibytes(size).orElse(0) : 0;
            } else {
                MappingLine.of(line).ifPresent(this::begin);
            }
        }

        private void begin(MappingLine mapping) {
            long start = mapping.start();
            if (start != end && found) {
                complete = true;
                return;
            }
            resident = start == end ? resident : 0;
            end = mapping.end();
            found |= start <= address && address < end;
            counted = end > lowest && start < highest;
        }

        long residentBytes() {
            return found ? resident : 0;
        }
    }

    /** Returns the address that an object of the heap has at this moment. */
    private static long anyAddress() {
        try {
            return (long) Handles.MEMCHR.invokeExact(MemorySegment.ofArray(new byte[1]), 0, 1L);
        } catch (Throwable thrown) {
            throw Downcall.unexpected(thrown);
        }
    }

    /**
     * The library's only critical function, because only such a one gets the address of an array.
     * It reads one byte that was just written, so it neither waits nor faults.
     */
    private static final class Handles {

        private static final MethodHandle MEMCHR =
                Downcall.link(
                        "memchr",
                        FunctionDescriptor.of(JAVA_LONG, ADDRESS, JAVA_INT, JAVA_LONG),
                        Linker.Option.critical(true));
    }
}
