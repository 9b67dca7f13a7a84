package dev.kernelalloc;

import org.jspecify.annotations.Nullable;

import java.util.Locale;

/**
 * The levels of leak tracking: of how many blocks an allocator records the allocation site, to
 * report lost ones. See {@link PoolAllocator.Builder#tracking}, {@link
 * PhysicalAllocator.Builder#tracking} and {@link KernelAllocator#tracking(Tracking)}.
 *
 * <p>A block that is not tracked costs only the decision. A tracked block costs about 0.5 KB of the
 * Java heap while it is alive, and a microsecond or two.
 *
 * <p>If a builder sets no level, the system property {@code dev.kernelalloc.tracking} does: {@code
 * off}, {@code sampled} or {@code all}. It is read once.
 */
public enum Tracking {
    /** No tracking. */
    OFF,

    /**
     * Tracks one in 1,024 boxes, containers, arenas and leases, chosen at random, with the four
     * callers nearest to the library. Repeated leaks are found, single ones seldom. An allocator
     * that was not closed is always tracked.
     */
    SAMPLED,

    /**
     * Tracks every one, with all callers, and raw blocks, which have no owner that could be lost:
     * those still alive are reported when their allocator is closed.
     */
    ALL;

    static final String PROPERTY = "dev.kernelalloc.tracking";

    /** The value that the process was started with; a wrong one is kept as its message. */
    private record Default(Tracking level, @Nullable String mistake) {
        /** Read at first use; not in a static initializer, which could fail for good. */
        static volatile @Nullable Default read;
    }

    private static Default parse(String value) {
        for (Tracking level : values()) {
            if (level.name().toLowerCase(Locale.ROOT).equals(value.strip())) {
                return new Default(level, null);
            }
        }
        return new Default(
                SAMPLED,
                String.format(
                        Locale.ROOT, "-D%s=%s: must be off, sampled or all", PROPERTY, value));
    }

    /**
     * Returns the level of builders without a setting.
     *
     * @throws IllegalArgumentException if the property has a value that cannot be understood
     */
    static Tracking ofProcess() {
        Default known = Default.read;
        if (known == null) {
            known = parse(System.getProperty(PROPERTY, "sampled"));
            Default.read = known;
        }
        if (known.mistake != null) {
            throw new IllegalArgumentException(known.mistake);
        }
        return known.level;
    }
}
