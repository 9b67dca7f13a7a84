package dev.kernelalloc;

import dev.kernelalloc.frames.LockedPages;
import dev.kernelalloc.heap.LiveBlocks;
import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.Platform;
import dev.kernelalloc.physical.FrameReport;
import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.physical.PhysicalAddress;
import dev.kernelalloc.physical.PhysicalAddressException;

import java.lang.foreign.MemorySegment;
import java.util.EnumSet;
import java.util.Objects;
import java.util.Set;

/**
 * Blocks of whole pages that are populated, locked into memory, and whose physical addresses are
 * known. Every block is a mapping of its own, so its capacity is a multiple of the page size; it is
 * never executable, and a child made by fork(2) does not get it.
 *
 * <p>Locking counts against {@code RLIMIT_MEMLOCK} unless the process has {@code CAP_IPC_LOCK};
 * over the limit there is an {@link AllocationException} of reason {@link
 * AllocationException.Reason#LOCK_LIMIT}. Physical addresses are shown by Linux alone, to a process
 * with {@code CAP_SYS_ADMIN} in the first user namespace; everything else works without.
 *
 * <p>Linux limits the mappings of a process, 65,530 by default ({@code vm.max_map_count}). Half of
 * them may be blocks of such allocators; beyond there is an {@link AllocationException}.
 */
public final class PhysicalAllocator implements KernelAllocator {

    private static final Set<Guarantee> GUARANTEES =
            Set.copyOf(EnumSet.of(Guarantee.RESIDENT, Guarantee.LOCKED));

    private final LockedPages pages;
    private final CheckedBlocks blocks;

    private PhysicalAllocator(String tag, OperatingSystem os) {
        this.pages = new LockedPages(os);
        this.blocks = new CheckedBlocks(tag, new LiveBlocks(tag, pages), GUARANTEES);
    }

    /**
     * A new allocator, tagged {@code physical}.
     *
     * @return an allocator that the caller closes
     * @throws IllegalCallerException when native access is denied; the message names the flag to
     *     add
     */
    public static PhysicalAllocator create() {
        return builder().build();
    }

    /**
     * Settings for a new allocator.
     *
     * @return a builder with the defaults
     */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * Where the first byte of a segment lies in physical memory, as resolved when its block was
     * allocated. Does not enter the kernel.
     *
     * @param segment memory of a live block of this allocator, or a slice of it; at least one byte
     * @return the address
     * @throws PhysicalAddressException when it is not known, with the reason
     * @throws IllegalArgumentException when the segment is not memory of this allocator
     * @throws IllegalStateException when the segment's box or arena is closed
     */
    public PhysicalAddress addressOf(MemorySegment segment) {
        return pages.addressOf(addressOfLive(segment), bytesOf(segment));
    }

    /**
     * What the kernel says now of the page frame of a segment's first byte: its address from a
     * fresh reading of the page map, its flags and its mappings from {@code /proc/kpageflags} and
     * {@code /proc/kpagecount}. A few microseconds.
     *
     * @param segment memory of a live block of this allocator, or a slice of it; at least one byte
     * @return the report
     * @throws PhysicalAddressException when the page map or the frame's records cannot be read
     * @throws IllegalArgumentException when the segment is not memory of this allocator
     * @throws IllegalStateException when the segment's box or arena is closed
     */
    public FrameReport inspect(MemorySegment segment) {
        return pages.inspect(addressOfLive(segment), bytesOf(segment));
    }

    /**
     * What is promised of the pages of a segment.
     *
     * @param segment memory of a live block of this allocator, or a slice of it; at least one byte
     * @return the guarantees its block has
     * @throws IllegalArgumentException when the segment is not memory of this allocator
     * @throws IllegalStateException when the segment's box or arena is closed
     */
    public Set<Guarantee> guarantee(MemorySegment segment) {
        pages.requireOwn(addressOfLive(segment), bytesOf(segment));
        return GUARANTEES;
    }

    @Override
    public String toString() {
        return "PhysicalAllocator" + blocks;
    }

    CheckedBlocks blocks() {
        return blocks;
    }

    private static long addressOfLive(MemorySegment segment) {
        if (!segment.isNative()) {
            throw new IllegalArgumentException(
                    segment + " lies in the Java heap: it has no place of its own");
        }
        if (!segment.scope().isAlive()) {
            throw new IllegalStateException(segment + " is closed");
        }
        return segment.address();
    }

    /** An empty segment is asked about as the byte that it stands before. */
    private static long bytesOf(MemorySegment segment) {
        return Math.max(1, segment.byteSize());
    }

    /** Settings for a new {@link PhysicalAllocator}; not for use by several threads at once. */
    public static final class Builder {

        private String tag = "physical";

        private Builder() {}

        /**
         * What the memory is for, as shown in statistics and messages.
         *
         * @param tag any text
         * @return this builder
         */
        public Builder tag(String tag) {
            this.tag = Objects.requireNonNull(tag, "tag");
            return this;
        }

        /**
         * Makes an allocator.
         *
         * @return an allocator that the caller closes
         * @throws IllegalCallerException when native access is denied; the message names the flag
         *     to add
         */
        public PhysicalAllocator build() {
            return build(Platform.current());
        }

        PhysicalAllocator build(OperatingSystem os) {
            return new PhysicalAllocator(tag, os);
        }
    }
}
