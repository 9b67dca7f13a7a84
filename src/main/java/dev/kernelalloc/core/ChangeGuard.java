package dev.kernelalloc.core;

import org.jspecify.annotations.Nullable;

import java.lang.reflect.RecordComponent;
import java.util.Arrays;
import java.util.ConcurrentModificationException;
import java.util.Locale;

/**
 * Refuses changes to a container by code that the container itself calls: an accessor or a
 * constructor of a record, a comparator, a condition, a collection that is added.
 *
 * <p>Such code runs in the middle of an operation. An element that an accessor adds would lie where
 * the operation is about to write; a comparator that moves the memory would leave the sort without
 * it. So the change is refused where it is tried, before anything has happened, rather than found
 * afterwards.
 *
 * <p>Confined to the thread of the container: others are refused before they count. Memory that the
 * library does not own has no owner to end and no elements to add: {@link #NONE}, for all threads,
 * whose accesses the segment itself checks.
 */
public final class ChangeGuard {

    /** Guards nothing. */
    public static final ChangeGuard NONE = new ChangeGuard(null);

    private final @Nullable Thread owner;

    /** Operations that are calling the user's code. */
    private int running;

    /** Exchanges of the memory, during which a pressure listener may run. */
    private int moving;

    public ChangeGuard() {
        this(Thread.currentThread());
    }

    private ChangeGuard(@Nullable Thread owner) {
        this.owner = owner;
    }

    /**
     * Returns whether reading a value of that type calls the user's code before all of the value is
     * read: constructors of nested records, character sets.
     *
     * @param type a record, or an interface, whose views are read later
     */
    public static boolean isNeededToRead(Class<?> type) {
        return type.isRecord()
                && Arrays.stream(type.getRecordComponents())
                        .map(RecordComponent::getType)
                        .anyMatch(component -> !component.isPrimitive());
    }

    /** Returns the thread of the container; null if the guard is for all threads. */
    public @Nullable Thread owner() {
        return owner;
    }

    /** The user's code is called from here on. */
    public void enter() {
        if (owner == null) {
            return;
        }
        if (Thread.currentThread() != owner) {
            throw wrongThread();
        }
        running++;
    }

    /** Ends what {@link #enter} has begun. */
    public void exit() {
        if (owner != null) {
            running--;
        }
    }

    /** The memory is exchanged from here on. */
    public void enterMove() {
        moving++;
    }

    /** Ends what {@link #enterMove} has begun. */
    public void exitMove() {
        moving--;
    }

    /**
     * Allows a change to the elements or their number.
     *
     * @throws ConcurrentModificationException if an operation is in the middle
     */
    public void requireFree() {
        if ((running | moving) != 0) {
            throw refused();
        }
    }

    /**
     * Allows the end of the container, also to a pressure listener that makes room by it.
     *
     * @throws ConcurrentModificationException if the user's code runs in the middle of an operation
     */
    public void requireEndable() {
        if (running != 0) {
            throw refused();
        }
    }

    private RuntimeException refused() {
        return Thread.currentThread() != owner
                ? wrongThread()
                : new ConcurrentModificationException(
                        "change refused: an operation of this container is calling the code that"
                                + " tries to change it; make the change when the operation has"
                                + " ended");
    }

    private WrongThreadException wrongThread() {
        return new WrongThreadException(
                String.format(
                        Locale.ROOT,
                        "wrong thread: the elements are confined to %s, not %s; use them there, or"
                                + " share their owner",
                        owner,
                        Thread.currentThread()));
    }
}
