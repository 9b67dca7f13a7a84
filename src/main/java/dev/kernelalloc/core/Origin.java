package dev.kernelalloc.core;

import dev.kernelalloc.LeakReport;
import dev.kernelalloc.leak.Tracker;
import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.physical.PhysicalExtent;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import java.util.function.Supplier;

/** The origin of owned memory, to which it returns. */
public sealed interface Origin permits CheckedBlocks, Origin.OfBlocks, Origin.External, Tracked {

    /** Frees the memory, once. */
    void freeOwned(long address, long bytes, long alignment);

    /** Leaves memory to the caller of its owner, once, instead. */
    void makeRaw(long address);

    /** Returns the blocks for a copy of the memory. */
    CheckedBlocks forCopies();

    /** Describes the guarantee of the pages, for people; empty if there is none. */
    String guarantee();

    /** Returns the physical location of a part of the memory. */
    List<PhysicalExtent> extents(long address, long bytes);

    /** Returns the tracker of owners of such memory. */
    Tracker tracker();

    /**
     * Returns the segment that {@link #makeRaw} leaves to the caller, for memory that is still its
     * owner's.
     */
    default MemorySegment raw(MemorySegment owned) {
        MemorySegment raw = NativeMemory.segment(owned.address(), owned.byteSize());
        return owned.isReadOnly() ? raw.asReadOnly() : raw;
    }

    /** Records that the memory belongs to another kind of owner from now on, or another thread. */
    default void passTo(LeakReport.Kind kind) {
        // Only tracked memory needs this.
    }

    /** Returns the end of a message about a closed owner: where it was closed, if that is known. */
    default String closedAt() {
        return "";
    }

    /** Records that there has been no owner after all. */
    default void forget() {
        // As above.
    }

    /** The memory is a block of an allocator, which frees it in a way of its own. */
    sealed interface OfBlocks extends Origin permits Raw, Oversized {

        /** Returns the blocks of the allocator. */
        CheckedBlocks blocks();

        @Override
        default void makeRaw(long address) {
            blocks().makeRaw(address);
        }

        @Override
        default CheckedBlocks forCopies() {
            return blocks();
        }

        @Override
        default String guarantee() {
            return blocks().guarantee();
        }

        @Override
        default Tracker tracker() {
            return blocks().tracker();
        }

        @Override
        default List<PhysicalExtent> extents(long address, long bytes) {
            return blocks().extents(address, bytes);
        }
    }

    /** The memory was a raw block, whose size may differ from that of its owner. */
    record Raw(CheckedBlocks blocks) implements OfBlocks {
        @Override
        public void freeOwned(long address, long bytes, long alignment) {
            blocks.freeOnceRaw(address);
        }
    }

    /**
     * The memory was asked for with another size than is used, or there is none.
     *
     * @param asked how many bytes
     */
    record Oversized(CheckedBlocks blocks, long requested) implements OfBlocks {
        @Override
        public void freeOwned(long address, long bytes, long alignment) {
            if (address != OwnedBlock.NO_ADDRESS) {
                blocks.freeOwned(address, requested, alignment);
            }
        }
    }

    /**
     * The memory came from outside the library.
     *
     * @param copies supplies the blocks for a copy
     */
    record External(
            MemorySegment original, Consumer<MemorySegment> release, Supplier<CheckedBlocks> copies)
            implements Origin {
        @Override
        public void freeOwned(long address, long bytes, long alignment) {
            release.accept(original);
        }

        @Override
        public void makeRaw(long address) {
            // The library has no record of it.
        }

        @Override
        public CheckedBlocks forCopies() {
            return copies.get();
        }

        @Override
        public String guarantee() {
            return "";
        }

        @Override
        public List<PhysicalExtent> extents(long address, long bytes) {
            throw new UnsupportedOperationException(
                    String.format(
                            Locale.ROOT,
                            "the memory at 0x%x came from outside the library: its physical address"
                                    + " is unknown",
                            address));
        }

        @Override
        public Tracker tracker() {
            return Tracker.ofExternal();
        }

        @Override
        public MemorySegment raw(MemorySegment owned) {
            return original;
        }
    }
}
