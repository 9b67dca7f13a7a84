package dev.kernelalloc.core;

import dev.kernelalloc.leak.AllocationSite;
import dev.kernelalloc.leak.Sentinel;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.MemorySegment;
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
     * closed, the Java heap may be exhausted.
     */
    public static void prepare() {
        if (!prepared) {
            AllocationSite.nearestCaller();
            prepared = true;
        }
    }

    /** Records that the caller closes an owner. Never fails. */
    static void record(@Nullable Sentinel sentinel, MemorySegment.Scope scope) {
        if (sentinel == null) {
            return;
        }
        String site = sentinel.closingSite();
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

    /** Records that the caller closes a lease, whose tracked record is about to end. */
    public static void recordLease(@Nullable Sentinel sentinel, MemorySegment segment) {
        record(sentinel, segment.scope());
    }

    /** Returns the end of a message, with the site; empty if it is unknown. */
    public static String of(MemorySegment.Scope scope) {
        synchronized (SITES) {
            return SITES.getOrDefault(scope, "");
        }
    }

    /**
     * Adds the site to an exception, if it was thrown because the memory has ended.
     *
     * @return the exception to throw
     */
    public static IllegalStateException explain(
            IllegalStateException thrown, MemorySegment segment) {
        if (segment.scope().isAlive()) {
            return thrown; // by code of the user
        }
        String site = of(segment.scope());
        return site.isEmpty() ? thrown : new IllegalStateException(message(thrown) + site, thrown);
    }

    private static String message(IllegalStateException thrown) {
        String message = thrown.getMessage();
        return message == null ? "Already closed" : message;
    }
}
