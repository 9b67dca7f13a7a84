package dev.kernelalloc.struct;

import java.util.List;

/**
 * The description of a struct by a record or an interface, before its members have places.
 *
 * @param alignment the explicit alignment in bytes, 1 for none
 * @param size the explicit size in bytes, 0 for none
 */
record StructDescription(
        Class<?> type,
        boolean union,
        boolean packed,
        long alignment,
        long size,
        List<MemberDescription> members) {}
