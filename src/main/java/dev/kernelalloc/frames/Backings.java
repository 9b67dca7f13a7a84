package dev.kernelalloc.frames;

import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.physical.Backing;
import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.physical.PagePolicy;
import dev.kernelalloc.physical.PhysicalRequest;

import java.util.List;

/** Orders the backings that a request allows, the best first. */
final class Backings {

    private static final long GIANT_BYTES = 1L << 30;

    /** Huge pages, those of 2 MiB first: the pool's before those that are made of free memory. */
    private final List<PageSource> huge2M;

    /** The same with those of 1 GiB first. */
    private final List<PageSource> huge1G;

    /** Huge pages for a contiguous request that names no size. */
    private final List<PageSource> contiguousHuge;

    /** The huge pages that are not reserved for a purpose and need no privilege. */
    private final List<PageSource> common;

    private final List<PageSource> regions;
    private final List<PageSource> base;

    Backings(OperatingSystem os, Reservations reservations, SmallReservations small, Pages pages) {
        this.base = List.of(new BasePages(os, reservations, small, pages));
        long largePageBytes = os.largePageBytes();
        if (largePageBytes > 0) {
            this.huge2M = List.of(new LargePages(os, reservations, pages, largePageBytes));
            this.huge1G = huge2M;
            this.contiguousHuge = huge2M;
            this.common = List.of();
            this.regions = List.of();
        } else {
            var pool1G = new PoolPages(os, reservations, pages, Backing.POOL_1G, GIANT_BYTES);
            var pool2M = new PoolPages(os, reservations, pages, Backing.POOL_2M, Pages.HUGE_BYTES);
            var transparent = new TransparentPages(os, reservations, pages);
            this.huge2M = List.of(pool2M, transparent);
            this.huge1G = List.of(pool1G, pool2M, transparent);
            this.contiguousHuge = List.of(pool2M, pool1G, transparent);
            this.common = List.of(transparent);
            this.regions = List.of(new KernelRegions(os, reservations, pages));
        }
    }

    /**
     * Returns the backings for pages anywhere. The pool is reserved for a purpose, and large pages
     * need a privilege and use up contiguous memory: they are used only if the policy names them,
     * or accepts huge pages only.
     */
    List<PageSource> scattered(PhysicalRequest request, long bytes) {
        boolean giant = request.pages() == PagePolicy.HUGE_1G;
        if (mustBeHuge(request)) {
            return giant ? huge1G : huge2M;
        }
        return switch (request.pages()) {
            case AUTO -> bytes < Pages.HUGE_BYTES ? base : inOrder(List.of(common, base));
            case BASE -> base;
            case HUGE_2M, HUGE_ONLY -> inOrder(List.of(huge2M, base));
            case HUGE_1G -> inOrder(List.of(huge1G, base));
        };
    }

    /** Returns the backings for contiguous pages. */
    List<PageSource> contiguous(PhysicalRequest request) {
        boolean giant = request.pages() == PagePolicy.HUGE_1G;
        if (mustBeHuge(request)) {
            return giant ? huge1G : contiguousHuge;
        }
        return switch (request.pages()) {
            case AUTO, HUGE_2M, HUGE_ONLY -> inOrder(List.of(contiguousHuge, regions, base));
            case BASE -> base;
            case HUGE_1G -> inOrder(List.of(huge1G, regions, base));
        };
    }

    private static List<PageSource> inOrder(List<List<PageSource>> sources) {
        return sources.stream().flatMap(List::stream).toList();
    }

    /** Returns whether base pages do not meet the request. */
    static boolean mustBeHuge(PhysicalRequest request) {
        return request.pages() == PagePolicy.HUGE_ONLY || request.least().contains(Guarantee.HUGE);
    }
}
