package dev.kernelalloc.nvme;

import dev.kernelalloc.struct.Access;
import dev.kernelalloc.struct.MemoryOrder;
import dev.kernelalloc.struct.StructType;

import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;

/**
 * A doorbell: publishes the driver's position in a queue, 3.1.25 and 3.1.26.
 *
 * <p>The volatile write follows all writes of the thread to the queue, and the processor makes them
 * visible in that order.
 */
interface Doorbell {

    StructType<Doorbell> TYPE = StructType.of(MethodHandles.lookup(), Doorbell.class);

    /** The offset of the first doorbell in BAR 0. */
    long FIRST_OFFSET = 0x1000;

    /** Never called: reading a doorbell returns an undefined value. */
    @Access(MemoryOrder.VOLATILE)
    int value();

    void value(int index);

    /** Returns the doorbell of the tail of a submission queue, 3.1.25. */
    static Doorbell ofSubmissions(MemorySegment bar, int queue, long stride) {
        return TYPE.get(bar, FIRST_OFFSET + 2L * queue * stride);
    }

    /** Returns the doorbell of the head of a completion queue, 3.1.26. */
    static Doorbell ofCompletions(MemorySegment bar, int queue, long stride) {
        return TYPE.get(bar, FIRST_OFFSET + (2L * queue + 1) * stride);
    }
}
