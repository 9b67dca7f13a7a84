package dev.kernelalloc.physical;

import java.util.Arrays;
import java.util.Collection;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.Set;

/**
 * What is wanted of memory: how much, where, of which pages, and what must hold of it. A request is
 * met in full or refused; nothing is silently weaker.
 *
 * <p>Alignment, boundary and window are those of <b>physical</b> addresses when the request is
 * {@linkplain Builder#contiguous contiguous}; otherwise the alignment is that of the virtual
 * address, and there is neither boundary nor window.
 *
 * @param size in bytes; 0 is legal
 * @param alignment a power of two
 * @param contiguous whether all bytes must lie side by side in physical memory; always when {@code
 *     least} has {@link Guarantee#CONTIGUOUS}
 * @param lowest no byte has a lower physical address
 * @param highest no byte has a higher physical address
 * @param boundary a power of two, of which no multiple lies between two bytes; 0 for none
 * @param node the NUMA node that the memory should be of; empty for any
 * @param nodeRequired whether it must be
 * @param pages that are wanted
 * @param least what must hold at least; always {@link Guarantee#RESIDENT}, and {@link
 *     Guarantee#CONTIGUOUS} when {@code contiguous}
 * @param guarded whether an inaccessible page stands before the first and behind the last page
 * @param fork what a child process finds
 * @param dumped whether core dumps show the contents
 */
public record PhysicalRequest(
        long size,
        long alignment,
        boolean contiguous,
        long lowest,
        long highest,
        long boundary,
        OptionalInt node,
        boolean nodeRequired,
        PagePolicy pages,
        Set<Guarantee> least,
        boolean guarded,
        ForkBehaviour fork,
        boolean dumped) {

    /** {@link #highest} of a request that has no limit. */
    public static final long NO_LIMIT = Long.MAX_VALUE;

    /** Any locked memory of any size: what an allocator is asked for unless told otherwise. */
    public static final PhysicalRequest DEFAULT = builder().build();

    /**
     * Checks the values.
     *
     * @throws IllegalArgumentException when they contradict each other or are out of range; the
     *     message names them
     */
    public PhysicalRequest {
        contiguous |= least.contains(Guarantee.CONTIGUOUS);
        require(size >= 0, "size=%d must not be negative", size);
        require(isPowerOfTwo(alignment), "alignment=%d must be a power of two", alignment);
        require(
                size <= Long.MAX_VALUE - alignment,
                "size=%d and alignment=%d together exceed Long.MAX_VALUE",
                size,
                alignment);
        require(
                boundary == 0 || isPowerOfTwo(boundary),
                "boundary=%d must be 0 or a power of two",
                boundary);
        require(
                boundary == 0 || size <= boundary,
                "size=%d cannot lie between multiples of boundary=%d",
                size,
                boundary);
        require(
                lowest >= 0 && lowest <= highest,
                "lowest=%d and highest=%d are no window",
                lowest,
                highest);
        require(
                highest - lowest >= size - 1,
                "size=%d does not fit between lowest=%d and highest=%d",
                size,
                lowest,
                highest);
        require(
                contiguous || boundary == 0 && lowest == 0 && highest == NO_LIMIT,
                "boundary, lowest and highest need contiguous(): boundary=%d lowest=%d highest=%d",
                boundary,
                lowest,
                highest);
        require(node.orElse(0) >= 0, "node=%d must not be negative", node.orElse(0));
        require(
                !least.contains(Guarantee.HUGE) || pages != PagePolicy.BASE,
                "least=%s cannot be had of base pages",
                least);
        EnumSet<Guarantee> all = EnumSet.of(Guarantee.RESIDENT);
        all.addAll(least);
        if (contiguous) {
            all.add(Guarantee.CONTIGUOUS);
        }
        least = Set.copyOf(all);
        Objects.requireNonNull(pages, "pages");
        Objects.requireNonNull(fork, "fork");
    }

    private static boolean isPowerOfTwo(long value) {
        return value > 0 && (value & value - 1) == 0;
    }

    private static void require(boolean holds, String text, Object... values) {
        if (!holds) {
            throw new IllegalArgumentException(String.format(Locale.ROOT, text, values));
        }
    }

    /**
     * Whether the window excludes any address.
     *
     * @return whether it does
     */
    public boolean hasWindow() {
        return lowest > 0 || highest < NO_LIMIT;
    }

    /**
     * The same for another block.
     *
     * @param size in bytes
     * @param alignment a power of two; the larger one of it and this request's holds
     * @return the request
     * @throws IllegalArgumentException when the size does not fit the window or boundary
     */
    public PhysicalRequest of(long size, long alignment) {
        return new PhysicalRequest(
                size,
                Math.max(alignment, this.alignment),
                contiguous,
                lowest,
                highest,
                boundary,
                node,
                nodeRequired,
                pages,
                least,
                guarded,
                fork,
                dumped);
    }

    /**
     * A new request.
     *
     * @return a builder: 0 bytes, aligned to 1, anywhere, of any pages, {@link
     *     Guarantee#NEVER_SWAPPED}, not guarded, {@link ForkBehaviour#ABSENT} in children, dumped
     */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * A new request for an amount of memory.
     *
     * @param bytes its size
     * @return a builder, otherwise as {@link #builder}
     */
    public static Builder ofBytes(long bytes) {
        return new Builder().size(bytes);
    }

    /** Makes a request; not for use by several threads at once. */
    public static final class Builder {

        private long size;
        private long alignment = 1;
        private boolean contiguous;
        private long lowest;
        private long highest = NO_LIMIT;
        private long boundary;
        private OptionalInt node = OptionalInt.empty();
        private boolean nodeRequired;
        private PagePolicy pages = PagePolicy.AUTO;
        private Set<Guarantee> least = Guarantee.NEVER_SWAPPED;
        private boolean guarded;
        private ForkBehaviour fork = ForkBehaviour.ABSENT;
        private boolean dumped = true;

        private Builder() {}

        /**
         * How much.
         *
         * @param bytes not negative
         * @return this builder
         */
        public Builder size(long bytes) {
            size = bytes;
            return this;
        }

        /**
         * The address, physical if contiguous, is a multiple of this.
         *
         * @param bytes a power of two
         * @return this builder
         */
        public Builder aligned(long bytes) {
            alignment = bytes;
            return this;
        }

        /**
         * All bytes lie side by side in physical memory, {@link Guarantee#CONTIGUOUS}. Base pages
         * are pinned for that where the system allows a pin, without being asked for; where it does
         * not they may move later, and {@link Guarantee#PINNED} asked for is refused.
         *
         * @return this builder
         */
        public Builder contiguous() {
            contiguous = true;
            return this;
        }

        /**
         * The physical addresses that are allowed, both ends included; needs {@link #contiguous}.
         *
         * @param lowest not negative
         * @param highest not less; {@link #NO_LIMIT} for no limit
         * @return this builder
         */
        public Builder within(long lowest, long highest) {
            this.lowest = lowest;
            this.highest = highest;
            return this;
        }

        /**
         * No multiple of this lies between two bytes; needs {@link #contiguous}.
         *
         * @param bytes a power of two, not less than the size; 0 for none
         * @return this builder
         */
        public Builder boundary(long bytes) {
            boundary = bytes;
            return this;
        }

        /**
         * Memory of a NUMA node, where there is some left, or else of another.
         *
         * @param node its number
         * @return this builder
         */
        public Builder preferNode(int node) {
            this.node = OptionalInt.of(node);
            this.nodeRequired = false;
            return this;
        }

        /**
         * Memory of a NUMA node, or none.
         *
         * @param node its number
         * @return this builder
         */
        public Builder requireNode(int node) {
            this.node = OptionalInt.of(node);
            this.nodeRequired = true;
            return this;
        }

        /**
         * Which pages.
         *
         * @param policy to follow
         * @return this builder
         */
        public Builder pages(PagePolicy policy) {
            pages = policy;
            return this;
        }

        /**
         * What must hold at least, besides {@link Guarantee#RESIDENT}.
         *
         * @param guarantees all of them
         * @return this builder
         */
        public Builder atLeast(Guarantee... guarantees) {
            return atLeast(Arrays.asList(guarantees));
        }

        /**
         * What must hold at least, besides {@link Guarantee#RESIDENT}.
         *
         * @param guarantees all of them, for example {@link Guarantee#NEVER_MOVED}
         * @return this builder
         */
        public Builder atLeast(Collection<Guarantee> guarantees) {
            least = Set.copyOf(guarantees);
            return this;
        }

        /**
         * An inaccessible page before the first page and one behind the last: native code that runs
         * over it ends the process there.
         *
         * @return this builder
         */
        public Builder guarded() {
            guarded = true;
            return this;
        }

        /**
         * What a child process finds.
         *
         * @param behaviour there
         * @return this builder
         */
        public Builder onFork(ForkBehaviour behaviour) {
            fork = behaviour;
            return this;
        }

        /**
         * Core dumps do not show the contents.
         *
         * @return this builder
         */
        public Builder notDumped() {
            dumped = false;
            return this;
        }

        /**
         * Makes the request.
         *
         * @return the request
         * @throws IllegalArgumentException when the settings contradict each other
         */
        public PhysicalRequest build() {
            return new PhysicalRequest(
                    size,
                    alignment,
                    contiguous,
                    lowest,
                    highest,
                    boundary,
                    node,
                    nodeRequired,
                    pages,
                    least,
                    guarded,
                    fork,
                    dumped);
        }
    }
}
