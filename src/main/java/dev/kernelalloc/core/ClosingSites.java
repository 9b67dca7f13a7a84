package dev.kernelalloc.core;

import dev.kernelalloc.leak.AllocationSite;
import dev.kernelalloc.leak.Sentinel;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.MemorySegment;
import java.util.Locale;
import java.util.Map;
import java.util.WeakHashMap;

/**
 * Where owners were closed, for the message of a later use. Recorded while their allocator tracks
 * all owners, as text, which keeps no class of the program.
 *
 * <p>The key is the scope of the memory, which all slices, views and segments of an owner have in
 * common. A site is forgotten with the last of them.
 */
public final class ClosingSites {

    private static final Map<MemorySegment.Scope, String> SITES = new WeakHashMap<>();

    /** Benign race: several threads may prepare. */
    private static boolean prepared;

    private ClosingSites() {}

    /**
     * Initializes what {@link #record} needs, for a tracked owner that is created: where it is
     * closed, the Java heap may be exhausted. Never fails, as the caller holds a block.
     */
    public static void prepare() {
        if (!prepared) {
            try {
                AllocationSite.nearestCaller();
                prepared = true;
            } catch (Throwable _) {
                // the next owner tries again
            }
        }
    }

    /** Records that the caller closes an owner that {@link Sentinel#recordsSites}. Never fails. */
    static void record(Sentinel sentinel, MemorySegment.Scope scope) {
        record(sentinel.closingSite(), scope);
    }

    /**
     * Records where an owner was closed. Never fails.
     *
     * @param site as {@link Sentinel#closedAt} returns it
     */
    public static void record(String site, MemorySegment.Scope scope) {
        if (!site.isEmpty()) {
            try {
                synchronized (SITES) {
                    SITES.put(scope, site);
                }
            } catch (Throwable _) {
                // the message is shorter
            }
        }
    }

    /** Returns the end of a message, with the site; empty if it is unknown. */
    public static String of(MemorySegment.Scope scope) {
        synchronized (SITES) {
            return SITES.getOrDefault(scope, "");
        }
    }

    /**
     * Adds memory and site to an exception that was thrown because the memory has ended, or memory
     * and threads where it is confined to another thread. Never fails.
     *
     * @param owner the thread that the memory is confined to; null if it is unknown, or none is
     * @return the exception to throw
     */
    public static RuntimeException explain(
            RuntimeException thrown, MemorySegment segment, @Nullable Thread owner) {
        return switch (thrown) {
            case IllegalStateException ended -> explain(ended, segment);
            case WrongThreadException confined
                    when !segment.isAccessibleBy(Thread.currentThread()) ->
                    wrongThread(confined, segment, owner);
            default -> thrown; // by code of the user
        };
    }

    private static WrongThreadException wrongThread(
            WrongThreadException thrown, MemorySegment segment, @Nullable Thread owner) {
        try {
            return new WrongThreadException(
                    String.format(
                            Locale.ROOT,
                            "wrong thread: memory at 0x%x, %d bytes is confined to %s, not %s; use"
                                    + " it there, or share its owner",
                            segment.address(),
                            segment.byteSize(),
                            owner == null ? "another thread" : owner,
                            Thread.currentThread()),
                    thrown);
        } catch (Throwable _) {
            return thrown; // the Java heap or stack is exhausted
        }
    }

    /**
     * Adds memory and site to an exception, if it was thrown because the memory has ended.
     *
     * @return the exception to throw
     */
    public static IllegalStateException explain(
            IllegalStateException thrown, MemorySegment segment) {
        return explain(thrown, segment, of(segment.scope()));
    }

    /**
     * Adds memory and site to an exception, if it was thrown because the memory has ended. Never
     * fails.
     *
     * @param site as {@link Sentinel#closedAt} returns it
     * @return the exception to throw
     */
    public static IllegalStateException explain(
            IllegalStateException thrown, MemorySegment segment, String site) {
        if (segment.scope().isAlive() || thrown.getClass() != IllegalStateException.class) {
            return thrown; // by code of the user
        }
        try {
            return new IllegalStateException(message(thrown, segment, site), thrown);
        } catch (Throwable _) {
            return thrown; // the Java heap or stack is exhausted
        }
    }

    private static String message(
            IllegalStateException thrown, MemorySegment segment, String site) {
        String message = thrown.getMessage();
        return new StringBuilder(message == null ? "Already closed" : message)
                .append(": memory at 0x")
                .append(Long.toHexString(segment.address()))
                .append(", ")
                .append(segment.byteSize())
                .append(" bytes")
                .append(site.isEmpty() ? "; its owner was closed, or has moved it" : site)
                .toString();
    }
}
