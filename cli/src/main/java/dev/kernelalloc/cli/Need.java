package dev.kernelalloc.cli;

import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.physical.PhysicalRequest;

import java.util.Locale;
import java.util.Set;

/** The needs that a program may have; each is tried by an allocation from the library. */
enum Need {
    /** Every page has a frame of its own. */
    RESIDENT("memory that is there", 1, Guarantee.IN_MEMORY, false),
    /** No page is swapped out. */
    LOCKED("memory that is never swapped", 1, Guarantee.NEVER_SWAPPED, false),
    /** Huge pages, of a pool or transparent. */
    HUGE("2 MiB of huge pages", 2 << 20, Guarantee.NEVER_SWAPPED_AND_HUGE, false),
    /** No page is moved. */
    PINNED("memory that is never moved", 1, Guarantee.NEVER_MOVED, false),
    /** One physical piece. */
    CONTIGUOUS("2 MiB in one physical piece", 2 << 20, Guarantee.NEVER_SWAPPED, true),
    /** No mapping in the kernel. */
    HIDDEN("memory that the kernel has no map of", 1, Guarantee.SECRET, false),
    /** Frame numbers are shown. */
    ADDRESSES("physical addresses", 1, Guarantee.NEVER_SWAPPED, false);

    private final String text;
    private final long bytes;
    private final Set<Guarantee> least;
    private final boolean contiguous;

    Need(String text, long bytes, Set<Guarantee> least, boolean contiguous) {
        this.text = text;
        this.bytes = bytes;
        this.least = least;
        this.contiguous = contiguous;
    }

    /** The request that tries it; {@link #HIDDEN} is tried another way. */
    PhysicalRequest request() {
        PhysicalRequest.Builder request = PhysicalRequest.ofBytes(bytes).atLeast(least);
        return (contiguous ? request.contiguous() : request).build();
    }

    /** As a person reads it. */
    String text() {
        return text;
    }

    /** As written at the shell. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
