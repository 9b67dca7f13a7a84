package dev.kernelalloc.frames;

/**
 * Reserved address space.
 *
 * @param address the address of the first byte
 * @param bytes the size in bytes
 * @param part whether it is the rest of a larger one, of which parts were moved or released
 * @param mappings the number of mappings that it is counted as, including those of its guards
 */
record Reservation(long address, long bytes, boolean part, int mappings) {}
