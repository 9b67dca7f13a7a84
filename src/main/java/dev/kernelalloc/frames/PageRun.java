package dev.kernelalloc.frames;

import dev.kernelalloc.os.Refusal;

/**
 * Adjacent pages of one mapping, locked and resolved.
 *
 * @param address of the first page
 * @param bytes of all pages
 * @param place where they lie
 */
record PageRun(long address, long bytes, Place place) {

    /** What the page map told when the run was made. */
    sealed interface Place {

        /** One page map entry a page. */
        record Resolved(long[] entries) implements Place {}

        /** The page map could not be read. */
        record Unreadable(Refusal why) implements Place {}
    }

    boolean covers(long from, long length) {
        return from >= address && length <= bytes && from - address <= bytes - length;
    }
}
