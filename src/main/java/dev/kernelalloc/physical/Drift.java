package dev.kernelalloc.physical;

import org.jspecify.annotations.Nullable;

/**
 * A page that has changed since it was resolved.
 *
 * @param virtualAddress the virtual address of the page
 * @param before the previous physical address; null if unknown, as of a page that had no frame
 * @param after the present physical address; null if the page no longer has a frame of its own
 * @param pinned whether the page was pinned
 * @param finding the finding, as text for people
 */
public record Drift(
        long virtualAddress,
        @Nullable PhysicalAddress before,
        @Nullable PhysicalAddress after,
        boolean pinned,
        String finding) {}
