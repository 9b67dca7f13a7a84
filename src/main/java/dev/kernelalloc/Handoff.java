package dev.kernelalloc;

import dev.kernelalloc.core.BoxedBlock;
import dev.kernelalloc.struct.StructType;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Locale;

/**
 * The memory of a box on its way from one thread to another. The original box is dead; nothing can
 * reach the memory until it has an owner again. Nothing is copied.
 *
 * <p>Exactly one call of {@link #attach}, {@link #share} and {@link #discard} succeeds, on any
 * thread; every other one throws {@link IllegalStateException}. Writes to the box before it was
 * detached are visible to that thread.
 *
 * <p>A hand-off that is never ended keeps its block: {@link KernelAllocator#stats} counts it as
 * live, and closing the allocator reports it; if it is {@linkplain Tracking tracked}, dropping it
 * is reported, too. Call {@link #discard} if it cannot be passed on, because a queue is full for
 * example.
 *
 * {@snippet lang = java :
 * queue.put(box.detach());                                 // here, the box is dead now
 *
 * try (NativeBox<Point> box = queue.take().attach()) {     // there
 *     box.get();
 * }
 * }
 *
 * @param <T> the type in the box
 */
public final class Handoff<T> {

    private static final VarHandle ENDED;

    static {
        try {
            ENDED = MethodHandles.lookup().findVarHandle(Handoff.class, "ended", boolean.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final StructType<T> type;
    private final BoxedBlock block;

    @SuppressWarnings("unused") // by ENDED
    private volatile boolean ended;

    Handoff(StructType<T> type, BoxedBlock block) {
        this.type = type;
        this.block = block;
    }

    /**
     * Makes the calling thread the owner of the memory.
     *
     * @return a box owned by the calling thread
     * @throws IllegalStateException if this hand-off has ended
     */
    public NativeBox<T> attach() {
        // Created before the exchange, so that no memory is lost with a full Java heap.
        NativeBox<T> box = ConfinedBox.attach(type, block);
        end();
        try {
            block.origin().passTo(LeakReport.Kind.BOX);
        } catch (StackOverflowError _) {
            // reported under the name of the owner before, as the memory has changed hands
        }
        return box;
    }

    /**
     * Makes all threads owners together.
     *
     * @return a box for all threads
     * @throws IllegalStateException if this hand-off has ended
     */
    public SharedBox<T> share() {
        SharedBox<T> box = new SharedBox<>(type, block);
        end();
        try {
            block.origin().passTo(LeakReport.Kind.SHARED_BOX);
        } catch (StackOverflowError _) {
            // reported under the name of the owner before, as the memory has changed hands
        }
        return box;
    }

    /**
     * Frees the memory. Exceptions of the release function of an adopted box are thrown after this
     * hand-off has ended.
     *
     * @throws IllegalStateException if this hand-off has ended
     */
    public void discard() {
        end();
        block.free();
    }

    /**
     * Returns the struct type of the memory.
     *
     * @return the type the box was made with
     */
    public StructType<T> type() {
        return type;
    }

    private void end() {
        if (!ENDED.compareAndSet(this, false, true)) {
            throw new IllegalStateException(
                    String.format(
                            Locale.ROOT,
                            "%s: of all threads that attach, share or discard it, one succeeds",
                            this));
        }
    }

    /** Returns the address, without the contents, which cannot be read now. */
    @Override
    public String toString() {
        return String.format(
                Locale.ROOT,
                "Handoff[%s, %s%s]",
                type.type().getSimpleName(),
                ended ? "ended, was " : "",
                block.location());
    }
}
