package dev.kernelalloc.frames;

/**
 * Address space of ours.
 *
 * @param address of its first byte
 * @param bytes of it
 * @param part whether it is what is left of a larger one, of which parts were moved or given back
 * @param mappings it is counted as, those of its guards included
 */
record Reservation(long address, long bytes, boolean part, int mappings) {}
