package dev.kernelalloc.frames;

/**
 * Address space of ours.
 *
 * @param address of its first byte
 * @param bytes of it
 * @param part whether it is what is left of a larger one, of which parts were moved or given back
 */
record Reservation(long address, long bytes, boolean part) {}
