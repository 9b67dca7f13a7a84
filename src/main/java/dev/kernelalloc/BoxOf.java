package dev.kernelalloc;

import dev.kernelalloc.heap.Blocks;
import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.struct.StructType;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;

/**
 * A box of one thread. Copied by {@link CopyPerType}; a record, because the JIT trusts the final
 * fields of records, also of the original.
 *
 * <p>What is called often stands here and not in the interface, which all copies share. {@link
 * #get} makes a view each time: its class is known here, so the view seldom comes into being.
 */
record BoxOf<T>(StructType<T> type, Arena lifetime, MemorySegment segment, Origin origin)
        implements ConfinedBox<T>, BoxMaker {

    private static final @Nullable StructType<?> TYPE = CopyPerType.typeOf(MethodHandles.lookup());

    /** In a copy always the one that it is for, as a constant. */
    @SuppressWarnings("unchecked") // a copy for U
    private static <U> StructType<U> known(StructType<U> type) {
        return TYPE == null ? type : (StructType<U>) TYPE;
    }

    @Override
    public StructType<T> type() {
        return known(type);
    }

    @Override
    public T get() {
        return type().get(segment);
    }

    @Override
    public void set(T value) {
        type().set(segment, value);
    }

    @Override
    public void close() {
        lifetime.close();
        origin.freeOwned(segment.address(), type().byteSize(), type().byteAlignment());
    }

    // ---- as a maker of boxes ------------------------------------------------------------------

    @Override
    public <U> ConfinedBox<U> uninitialized(KernelAllocator allocator, StructType<U> type) {
        StructType<U> known = known(type);
        CheckedBlocks blocks = CheckedBlocks.of(allocator);
        long block = blocks.take(known.byteSize(), known.byteAlignment(), false);
        return owning(known, blocks, block, false);
    }

    @Override
    public <U> ConfinedBox<U> zeroed(KernelAllocator allocator, StructType<U> type) {
        StructType<U> known = known(type);
        CheckedBlocks blocks = CheckedBlocks.of(allocator);
        long block = blocks.take(known.byteSize(), known.byteAlignment(), true);
        return owning(known, blocks, block, (block & Blocks.ZEROED) == 0);
    }

    private static <U> ConfinedBox<U> owning(
            StructType<U> type, CheckedBlocks blocks, long block, boolean clear) {
        Origin origin = blocks;
        long address = block & Blocks.ADDRESS;
        try {
            if ((block & Blocks.PICKED) != 0) {
                origin = Tracked.of(blocks, address, type.byteSize(), LeakReport.Kind.BOX);
            }
            Arena lifetime = Arena.ofConfined();
            MemorySegment segment = NativeMemory.segment(address, type.byteSize(), lifetime);
            if (clear) {
                clear(type, segment, address);
            }
            return new BoxOf<>(type, lifetime, segment, origin);
        } catch (Throwable e) { // all, not only Error: that is less code
            origin.freeOwned( // the Java heap or stack is exhausted
                    address, type.byteSize(), type.byteAlignment());
            throw e;
        }
    }

    /** By a call where there is no code of the type's own: so the segment does not escape. */
    private static void clear(StructType<?> type, MemorySegment segment, long address) {
        if (type.type() == MemorySegment.class) {
            NativeMemory.zeroByCall(address, type.byteSize());
        } else {
            type.clear(segment);
        }
    }

    @Override
    public <U> ConfinedBox<U> make(
            StructType<U> type, Arena lifetime, MemorySegment segment, Origin origin) {
        return new BoxOf<>(type, lifetime, segment, origin); // in a copy: the copy
    }

    @Override
    public boolean equals(Object other) {
        return this == other;
    }

    @Override
    public int hashCode() {
        return System.identityHashCode(this);
    }

    @Override
    public String toString() {
        return describe();
    }
}
