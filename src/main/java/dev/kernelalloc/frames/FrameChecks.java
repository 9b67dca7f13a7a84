package dev.kernelalloc.frames;

import dev.kernelalloc.bulk.Alignment;
import dev.kernelalloc.physical.Drift;
import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.physical.Verification;

import java.util.List;
import java.util.Locale;

/** The checks that an allocator of physical memory and adopted memory have in common. */
public final class FrameChecks {

    private FrameChecks() {}

    /** Checks how extents are to be split. */
    public static void requirePieces(long longest, long boundary) {
        if (longest < 1 || boundary != 0 && !Alignment.isPowerOfTwo(boundary)) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "longest=%d must be at least 1, boundary=%d a power of two or 0",
                            longest,
                            boundary));
        }
    }

    /**
     * Returns what an audit has found.
     *
     * @throws PhysicalAddressException if a pinned page has moved
     */
    public static Verification requirePinned(Verification found) {
        List<Drift> broken = found.drifts().stream().filter(Drift::pinned).toList();
        if (!broken.isEmpty()) {
            throw new PhysicalAddressException(
                    PhysicalAddressException.Reason.MOVED,
                    String.format(
                            Locale.ROOT,
                            "%d pinned pages have moved, the first: %s",
                            broken.size(),
                            broken.getFirst()));
        }
        return found;
    }
}
