package dev.kernelalloc.physical;

import org.jspecify.annotations.Nullable;

import java.util.Arrays;
import java.util.Collection;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.Set;

/**
 * Requirements on memory: its size, its place, its pages and its guarantees. A request is fulfilled
 * completely or refused; the result is never silently weaker.
 *
 * <p>The alignment applies to the virtual address. If the request is {@linkplain Builder#contiguous
 * contiguous}, it applies to the <b>physical</b> one as well, and so do boundary and window, which
 * other requests do not have.
 */
public final class PhysicalRequest {

    /** The value of {@link #highest} in a request without limit. */
    public static final long NO_LIMIT = Long.MAX_VALUE;

    /** Locked memory of any size without further requirements: the default of allocators. */
    public static final PhysicalRequest DEFAULT = builder().build();

    private final Values values;

    private PhysicalRequest(Values values) {
        this.values = values;
    }

    private record Values(
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

        private Values {
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
                    "size=%d does not fit between multiples of boundary=%d",
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
                    "boundary, lowest and highest need contiguous(): boundary=%d lowest=%d"
                            + " highest=%d",
                    boundary,
                    lowest,
                    highest);
            require(node.orElse(0) >= 0, "node=%d must not be negative", node.orElse(0));
            require(
                    !least.contains(Guarantee.HUGE) || pages != PagePolicy.BASE,
                    "least=%s is not available with base pages",
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
     * Returns the size in bytes.
     *
     * @return the number of bytes; 0 is legal
     */
    public long size() {
        return values.size;
    }

    /**
     * Returns the alignment.
     *
     * @return a power of two, in bytes
     */
    public long alignment() {
        return values.alignment;
    }

    /**
     * Returns whether all bytes must be physically contiguous.
     *
     * @return true if so; always if {@link #least} has {@link Guarantee#CONTIGUOUS}
     */
    public boolean contiguous() {
        return values.contiguous;
    }

    /**
     * Returns the lowest physical address allowed.
     *
     * @return the address
     */
    public long lowest() {
        return values.lowest;
    }

    /**
     * Returns the highest physical address allowed.
     *
     * @return the address; {@link #NO_LIMIT} without a limit
     */
    public long highest() {
        return values.highest;
    }

    /**
     * Returns the boundary, of which no multiple is between two bytes.
     *
     * @return a power of two, in bytes; 0 for none
     */
    public long boundary() {
        return values.boundary;
    }

    /**
     * Returns the preferred NUMA node.
     *
     * @return the number of the node; empty for any
     */
    public OptionalInt node() {
        return values.node;
    }

    /**
     * Returns whether no other node is allowed.
     *
     * @return true if so
     */
    public boolean nodeRequired() {
        return values.nodeRequired;
    }

    /**
     * Returns the pages accepted.
     *
     * @return the policy
     */
    public PagePolicy pages() {
        return values.pages;
    }

    /**
     * Returns the required guarantees.
     *
     * @return always {@link Guarantee#RESIDENT}, and {@link Guarantee#CONTIGUOUS} if {@link
     *     #contiguous}
     */
    public Set<Guarantee> least() {
        return values.least;
    }

    /**
     * Returns whether there is an inaccessible page before the first and behind the last page.
     *
     * @return true if there is
     */
    public boolean guarded() {
        return values.guarded;
    }

    /**
     * Returns what a child process has in place of the memory.
     *
     * @return the behaviour
     */
    public ForkBehaviour fork() {
        return values.fork;
    }

    /**
     * Returns whether core dumps have the contents.
     *
     * @return true if they have
     */
    public boolean dumped() {
        return values.dumped;
    }

    /**
     * Returns whether the window excludes any address.
     *
     * @return true if it does
     */
    public boolean hasWindow() {
        return values.lowest > 0 || values.highest < NO_LIMIT;
    }

    /**
     * Returns the same requirements for another block.
     *
     * @param size the size in bytes
     * @param alignment the alignment in bytes, a power of two; the larger one of it and this
     *     request's applies
     * @return the request
     * @throws IllegalArgumentException if the size is negative or does not fit the window or
     *     boundary, or the alignment is no power of two
     */
    public PhysicalRequest of(long size, long alignment) {
        require(isPowerOfTwo(alignment), "alignment=%d must be a power of two", alignment);
        return toBuilder().size(size).aligned(Math.max(alignment, values.alignment)).build();
    }

    /**
     * Returns a builder with the settings of this request.
     *
     * @return a builder, whose changes do not change this request
     */
    public Builder toBuilder() {
        Builder builder = new Builder();
        builder.size = values.size;
        builder.alignment = values.alignment;
        builder.contiguous = values.contiguous;
        builder.lowest = values.lowest;
        builder.highest = values.highest;
        builder.boundary = values.boundary;
        builder.node = values.node;
        builder.nodeRequired = values.nodeRequired;
        builder.pages = values.pages;
        builder.least = values.least;
        builder.guarded = values.guarded;
        builder.fork = values.fork;
        builder.dumped = values.dumped;
        return builder;
    }

    /** Returns whether another object is a request with the same settings. */
    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof PhysicalRequest request && values.equals(request.values);
    }

    @Override
    public int hashCode() {
        return values.hashCode();
    }

    /** Returns all settings with their names. */
    @Override
    public String toString() {
        return "PhysicalRequest" + values.toString().substring("Values".length());
    }

    /**
     * Returns a builder of a request.
     *
     * @return a builder with 0 bytes, aligned to 1, anywhere, any pages, {@link
     *     Guarantee#NEVER_SWAPPED}, not guarded, {@link ForkBehaviour#ABSENT} in children, dumped
     */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * Returns a builder of a request for a size.
     *
     * @param bytes the size in bytes
     * @return a builder, otherwise as {@link #builder}
     */
    public static Builder ofBytes(long bytes) {
        return new Builder().size(bytes);
    }

    /** A builder of a request, for one thread at a time. */
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
         * Sets the size.
         *
         * @param bytes the size in bytes, not negative
         * @return this builder
         */
        public Builder size(long bytes) {
            size = bytes;
            return this;
        }

        /**
         * Sets the alignment of the virtual address, and of the physical one if the request is
         * contiguous.
         *
         * @param bytes the alignment in bytes, a power of two
         * @return this builder
         */
        public Builder aligned(long bytes) {
            alignment = bytes;
            return this;
        }

        /**
         * Requires all bytes to be physically contiguous: {@link Guarantee#CONTIGUOUS}. Base pages
         * are pinned for that, unasked, where the system allows a pin. Without a pin they may move
         * later, and a request that also requires {@link Guarantee#PINNED} is refused.
         *
         * @return this builder
         */
        public Builder contiguous() {
            contiguous = true;
            return this;
        }

        /**
         * Sets the window of allowed physical addresses, both ends included; needs {@link
         * #contiguous}.
         *
         * @param lowest the lowest address, not negative
         * @param highest the highest address, not below {@code lowest}; {@link #NO_LIMIT} for no
         *     limit
         * @return this builder
         */
        public Builder within(long lowest, long highest) {
            this.lowest = lowest;
            this.highest = highest;
            return this;
        }

        /**
         * Sets a boundary that the block must not cross: no multiple of it is between two bytes;
         * needs {@link #contiguous}.
         *
         * @param bytes the boundary in bytes, a power of two, not less than the size; 0 for none
         * @return this builder
         */
        public Builder boundary(long bytes) {
            boundary = bytes;
            return this;
        }

        /**
         * Prefers memory of a NUMA node, and accepts others if it has none left.
         *
         * @param node the number of the node
         * @return this builder
         */
        public Builder preferNode(int node) {
            this.node = OptionalInt.of(node);
            this.nodeRequired = false;
            return this;
        }

        /**
         * Requires memory of a NUMA node.
         *
         * @param node the number of the node
         * @return this builder
         */
        public Builder requireNode(int node) {
            this.node = OptionalInt.of(node);
            this.nodeRequired = true;
            return this;
        }

        /**
         * Sets the pages accepted.
         *
         * @param policy the policy
         * @return this builder
         */
        public Builder pages(PagePolicy policy) {
            pages = Objects.requireNonNull(policy, "policy");
            return this;
        }

        /**
         * Sets the required guarantees, in addition to {@link Guarantee#RESIDENT}.
         *
         * @param guarantees the guarantees
         * @return this builder
         */
        public Builder atLeast(Guarantee... guarantees) {
            return atLeast(Arrays.asList(guarantees));
        }

        /**
         * Sets the required guarantees, in addition to {@link Guarantee#RESIDENT}.
         *
         * @param guarantees the guarantees, for example {@link Guarantee#NEVER_MOVED}
         * @return this builder
         */
        public Builder atLeast(Collection<Guarantee> guarantees) {
            least = Set.copyOf(guarantees);
            return this;
        }

        /**
         * Adds an inaccessible page before the first page and one behind the last: native code that
         * overruns the block ends the process there.
         *
         * @return this builder
         */
        public Builder guarded() {
            return guarded(true);
        }

        /**
         * Sets whether there is an inaccessible page before the first page and one behind the last.
         *
         * @param guarded true to add them, as {@link #guarded()} does
         * @return this builder
         */
        public Builder guarded(boolean guarded) {
            this.guarded = guarded;
            return this;
        }

        /**
         * Sets what a child process has in place of the memory.
         *
         * @param behaviour the behaviour
         * @return this builder
         */
        public Builder onFork(ForkBehaviour behaviour) {
            fork = Objects.requireNonNull(behaviour, "behaviour");
            return this;
        }

        /**
         * Keeps the contents out of core dumps.
         *
         * @return this builder
         */
        public Builder notDumped() {
            dumped = false;
            return this;
        }

        /**
         * Creates the request.
         *
         * @return the request
         * @throws IllegalArgumentException if the settings contradict each other
         */
        public PhysicalRequest build() {
            return new PhysicalRequest(
                    new Values(
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
                            dumped));
        }
    }
}
