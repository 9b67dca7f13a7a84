package dev.kernelalloc;

import java.util.Arrays;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * What a hardened {@link PoolAllocator} does to make mistakes loud. Each measure is taken for
 * itself, and costs for itself; see {@link PoolAllocator.Builder#hardened(Set)}.
 *
 * <p>With one measure or more the allocator also notes the size asked for of each block, so {@link
 * KernelAllocator#usableSize} is that size, and {@link KernelAllocator#reallocate} always gives
 * another block.
 */
public enum Hardening {
    /**
     * Of two threads that free a raw block in the same instant, one is refused. A block freed twice
     * one after the other is refused by every allocator. In the property: {@code double-free}.
     */
    DOUBLE_FREE,

    /**
     * What is freed is overwritten at once, see {@link PoolAllocator.Builder#freedMemory}: a late
     * read finds no old contents. In the property: {@code overwrite}.
     */
    OVERWRITE,

    /**
     * A secret of 8 bytes stands behind the last byte asked for. Where it has changed, freeing the
     * block, or closing its box or arena, throws an {@link IllegalStateException} with the address
     * and the size of the block, and the block is kept from use. In the property: {@code canary}.
     */
    CANARY,

    /**
     * A block of up to 16 KiB is not used again until 1,024 others have been freed after it, or the
     * allocator is trimmed: a late write meets nobody else's block. In the property: {@code
     * quarantine}.
     */
    QUARANTINE,

    /**
     * Blocks of up to 8 KiB leave their slab in random order, up to 64 at a time; not one that
     * resists an attacker who sees many of them. A block just freed is still the next one, unless
     * it is in quarantine. In the property: {@code random-order}.
     */
    RANDOM_ORDER;

    /** As the property names it. */
    private final String title = name().toLowerCase(Locale.ROOT).replace('_', '-');

    /**
     * Reads a value of the property.
     *
     * @throws IllegalArgumentException when it is none; the text has no name of the property
     */
    static Set<Hardening> parse(String value) {
        String text = value.strip().toLowerCase(Locale.ROOT);
        if (text.isEmpty() || text.equals("false")) {
            return Set.of();
        }
        return text.equals("true") ? EnumSet.allOf(Hardening.class) : listed(text);
    }

    private static Set<Hardening> listed(String text) {
        Set<Hardening> measures = EnumSet.noneOf(Hardening.class);
        for (String title : text.split(",", -1)) {
            measures.add(titled(title.strip()));
        }
        return measures;
    }

    private static Hardening titled(String title) {
        for (Hardening measure : values()) {
            if (measure.title.equals(title)) {
                return measure;
            }
        }
        throw new IllegalArgumentException(
                String.format(
                        Locale.ROOT,
                        "'%s' is no measure: write true, false, or a list of %s",
                        title,
                        Arrays.stream(values())
                                .map(measure -> measure.title)
                                .collect(Collectors.joining(","))));
    }
}
