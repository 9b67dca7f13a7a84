package dev.kernelalloc;

import org.jspecify.annotations.Nullable;

import java.util.Locale;

/**
 * Of how many blocks an allocator remembers where they were made, to report those that are lost:
 * {@link PoolAllocator.Builder#tracking}, {@link PhysicalAllocator.Builder#tracking} and {@link
 * KernelAllocator#tracking(Tracking)}.
 *
 * <p>A block that is not tracked costs nothing but the choice. A block that is costs some 0.5 KB of
 * the Java heap while it is alive, and a microsecond or two.
 *
 * <p>Unless a builder says another level, the system property {@code dev.kernelalloc.tracking}
 * does: {@code off}, {@code sampled} or {@code all}. It is read once.
 */
public enum Tracking {
    /** Of none. */
    OFF,

    /**
     * Of one in 1,024, chosen at random: boxes, containers, arenas and leases, with the four
     * callers nearest to the library. What is lost again and again is found; what is lost once,
     * seldom. Also an allocator of physical memory that was not closed, always.
     */
    SAMPLED,

    /**
     * Of every one, with all callers, and of raw blocks, which have no owner that could be lost:
     * those are reported when their allocator is closed.
     */
    ALL;

    static final String PROPERTY = "dev.kernelalloc.tracking";

    /** What the process was started with; a value that is wrong is kept as its message. */
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
     * What holds where a builder says nothing.
     *
     * @throws IllegalArgumentException when the property has a value that cannot be understood
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
