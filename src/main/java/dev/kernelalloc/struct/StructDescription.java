package dev.kernelalloc.struct;

import java.util.List;

/**
 * What a record or an interface says about a struct, before its members have places.
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
