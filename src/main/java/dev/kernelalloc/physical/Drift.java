package dev.kernelalloc.physical;

import org.jspecify.annotations.Nullable;

/**
 * A page that is no longer what it was when it was resolved.
 *
 * @param virtualAddress of the page
 * @param before where it lay; null when that was not known, as of a page that had no frame
 * @param after where it lies now; null when it has no frame of its own any more
 * @param pinned whether it was promised not to move
 * @param finding what was found, for a person to read
 */
public record Drift(
        long virtualAddress,
        @Nullable PhysicalAddress before,
        @Nullable PhysicalAddress after,
        boolean pinned,
        String finding) {}
