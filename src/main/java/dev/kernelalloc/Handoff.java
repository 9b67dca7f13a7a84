package dev.kernelalloc;

import dev.kernelalloc.struct.StructType;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Locale;

/**
 * The memory of a box on its way from one thread to another. The box it came from is dead; nothing
 * can reach the memory until it has an owner again. Nothing is copied on the way.
 *
 * <p>Exactly one call of {@link #attach}, {@link #share} and {@link #discard} succeeds, from
 * whichever thread; every other one throws {@link IllegalStateException}. What was written to the
 * box before it was detached is seen by that thread.
 *
 * <p>A hand-off that nobody ends keeps its block for ever: {@link KernelAllocator#stats} counts it
 * as alive, and closing the allocator reports it; where it is {@linkplain Tracking tracked},
 * dropping it does. Who cannot pass one on, because a queue is full for example, calls {@link
 * #discard}.
 *
 * {@snippet lang = java :
 * queue.put(box.detach());                                 // here, the box is dead now
 * try (NativeBox<Point> box = queue.take().attach()) {     // there
 *     box.get();
 * }
 * }
 *
 * @param <T> the type in the box
 */
public final class Handoff<T> {

    private static final VarHandle TAKEN;

    static {
        try {
            TAKEN = MethodHandles.lookup().findVarHandle(Handoff.class, "taken", boolean.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final StructType<T> type;
    private final BoxedBlock block;

    @SuppressWarnings("unused") // by TAKEN
    private volatile boolean taken;

    Handoff(StructType<T> type, BoxedBlock block) {
        this.type = type;
        this.block = block;
    }

    /**
     * Makes the calling thread the owner.
     *
     * @return a box of the calling thread
     * @throws IllegalStateException when this hand-off has ended before
     */
    public NativeBox<T> attach() {
        // Made before the exchange, so that nothing is lost for want of Java heap.
        NativeBox<T> box = ConfinedBox.attach(type, block);
        take();
        block.origin().passTo(LeakReport.Kind.BOX);
        return box;
    }

    /**
     * Makes all threads the owners together.
     *
     * @return a box of all threads
     * @throws IllegalStateException when this hand-off has ended before
     */
    public SharedBox<T> share() {
        SharedBox<T> box = new SharedBox<>(type, block);
        take();
        block.origin().passTo(LeakReport.Kind.SHARED_BOX);
        return box;
    }

    /**
     * Gives the memory back. What the release function of an adopted box throws is thrown on, after
     * this hand-off has ended.
     *
     * @throws IllegalStateException when this hand-off has ended before
     */
    public void discard() {
        take();
        block.free();
    }

    /**
     * What the memory looks like.
     *
     * @return the type the box was made with
     */
    public StructType<T> type() {
        return type;
    }

    private void take() {
        if (!TAKEN.compareAndSet(this, false, true)) {
            throw new IllegalStateException(
                    String.format(
                            Locale.ROOT,
                            "%s: of all threads that attach, share or discard it, one succeeds",
                            this));
        }
    }

    /** The place; not the contents, which nobody may read now. */
    @Override
    public String toString() {
        return String.format(
                Locale.ROOT,
                "Handoff[%s, %s%s]",
                type.type().getSimpleName(),
                taken ? "ended, was " : "",
                block.place());
    }
}
