package dev.kernelalloc.frames;

import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.physical.PagePolicy;
import dev.kernelalloc.physical.PhysicalRequest;
import dev.kernelalloc.physical.Way;

import java.util.List;

/** Which ways are tried for a request, in their order: the best that it allows comes first. */
final class Ways {

    private static final long GIANT_BYTES = 1L << 30;

    private final PoolPages pool1G;
    private final PoolPages pool2M;
    private final TransparentPages transparent;
    private final KernelRegions regions;
    private final BasePages base;

    Ways(OperatingSystem os, Reservations reservations, Pages pages) {
        this.pool1G = new PoolPages(os, reservations, pages, Way.POOL_1G, GIANT_BYTES);
        this.pool2M = new PoolPages(os, reservations, pages, Way.POOL_2M, Pages.HUGE_BYTES);
        this.transparent = new TransparentPages(os, reservations, pages);
        this.regions = new KernelRegions(os, reservations, pages);
        this.base = new BasePages(os, reservations, pages);
    }

    /**
     * For pages anywhere. The pool is somebody's reservation: it is taken from only where the
     * policy names it, or wants huge pages alone.
     */
    List<PageSource> scattered(PhysicalRequest request, long bytes) {
        if (mustBeHuge(request)) {
            return request.pages() == PagePolicy.HUGE_1G
                    ? List.of(pool1G, pool2M, transparent)
                    : List.of(pool2M, transparent);
        }
        return switch (request.pages()) {
            case AUTO -> bytes < Pages.HUGE_BYTES ? List.of(base) : List.of(transparent, base);
            case BASE -> List.of(base);
            case HUGE_2M, HUGE_ONLY -> List.of(pool2M, transparent, base);
            case HUGE_1G -> List.of(pool1G, pool2M, transparent, base);
        };
    }

    /** For pages side by side. */
    List<PageSource> contiguous(PhysicalRequest request) {
        if (mustBeHuge(request)) {
            return request.pages() == PagePolicy.HUGE_1G
                    ? List.of(pool1G, pool2M, transparent)
                    : List.of(pool2M, pool1G, transparent);
        }
        return switch (request.pages()) {
            case AUTO, HUGE_2M, HUGE_ONLY -> List.of(pool2M, pool1G, transparent, regions, base);
            case BASE -> List.of(base);
            case HUGE_1G -> List.of(pool1G, pool2M, transparent, regions, base);
        };
    }

    /** Whether base pages do not serve. */
    static boolean mustBeHuge(PhysicalRequest request) {
        return request.pages() == PagePolicy.HUGE_ONLY || request.least().contains(Guarantee.HUGE);
    }

    /** The next multiple of a power of two. */
    static long roundUp(long bytes, long unit) {
        return bytes + unit - 1 & -unit;
    }
}
