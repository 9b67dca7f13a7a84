package dev.kernelalloc.frames;

import dev.kernelalloc.physical.Backing;

/**
 * Pages that are populated, and neither locked nor pinned yet.
 *
 * @param reservation that they lie in, with guards around them where there are any
 * @param address of the first page
 * @param bytes of all pages
 * @param way by which they were obtained
 * @param huge whether all are known to be huge
 */
record Mapped(Reservation reservation, long address, long bytes, Backing backing, boolean huge) {}
