package dev.kernelalloc;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import dev.kernelalloc.bulk.BulkMemory;
import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.os.Platform;
import dev.kernelalloc.physical.PhysicalExtent;
import dev.kernelalloc.struct.StructType;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;

/**
 * A box of one thread. Its state of life is that of an arena of its own, which the JIT removes when
 * the box does not escape.
 */
non-sealed interface ConfinedBox<T> extends NativeBox<T> {

    /** Bounds the segment. */
    Arena lifetime();

    /** Where the memory goes back to. */
    Origin origin();

    static <T> ConfinedBox<T> uninitialized(KernelAllocator allocator, StructType<T> type) {
        return BoxMaker.of(type).uninitialized(allocator, type);
    }

    static <T> ConfinedBox<T> zeroed(KernelAllocator allocator, StructType<T> type) {
        return BoxMaker.of(type).zeroed(allocator, type);
    }

    static <T> ConfinedBox<T> of(KernelAllocator allocator, StructType<T> type, T value) {
        ConfinedBox<T> box = uninitialized(allocator, type);
        try {
            box.set(value);
        } catch (RuntimeException | Error e) {
            box.close(); // the value does not fit the type, or its accessor failed
            throw e;
        }
        return box;
    }

    static <T> ConfinedBox<T> flexible(
            KernelAllocator allocator, StructType<T> type, long elements, boolean zeroed) {
        return take(type, BoxedBlock.take(CheckedBlocks.of(allocator), type, elements, zeroed));
    }

    /** The box is made before its memory changes hands: nothing is lost for want of Java heap. */
    static <T> ConfinedBox<T> adopt(
            KernelAllocator allocator,
            StructType<T> type,
            long elements,
            long bytes,
            MemorySegment block) {
        CheckedBlocks blocks = CheckedBlocks.of(allocator, block);
        requireFit(type, bytes, block);
        Origin origin = Tracked.sampled(new Origin.Raw(blocks), block.address(), bytes);
        try {
            ConfinedBox<T> box = attach(type, adopted(origin, type, elements, bytes, block));
            blocks.makeOwned(block, bytes);
            return box;
        } catch (Throwable e) {
            origin.forget();
            throw e;
        }
    }

    static <T> ConfinedBox<T> adopt(
            StructType<T> type,
            long elements,
            long bytes,
            MemorySegment segment,
            Consumer<MemorySegment> release) {
        Objects.requireNonNull(release, "release");
        Platform.current(); // explains where native access is denied
        requireFit(type, bytes, segment);
        Origin origin =
                Tracked.sampled(new Origin.Elsewhere(segment, release), segment.address(), bytes);
        try {
            return attach(type, adopted(origin, type, elements, bytes, segment));
        } catch (Throwable e) {
            origin.forget();
            throw e;
        }
    }

    private static BoxedBlock adopted(
            Origin origin, StructType<?> type, long elements, long bytes, MemorySegment segment) {
        return new BoxedBlock(
                origin,
                segment.address(),
                bytes,
                type.byteAlignment(),
                elements,
                segment.isReadOnly());
    }

    /** A box of the calling thread for memory that is no box's; it is the caller's on failure. */
    static <T> ConfinedBox<T> attach(StructType<T> type, BoxedBlock block) {
        Arena lifetime = Arena.ofConfined();
        MemorySegment segment = block.segment(lifetime);
        return block.elements() == 0
                ? BoxMaker.of(type).make(type, lifetime, segment, block.origin())
                : new FlexibleBox<>(type, lifetime, segment, block.origin(), block.elements());
    }

    /** The same; the memory has gone back on failure. */
    private static <T> ConfinedBox<T> take(StructType<T> type, BoxedBlock block) {
        try {
            return attach(type, block);
        } catch (Throwable e) {
            block.free(); // the Java heap or stack is exhausted
            throw e;
        }
    }

    private static void requireFit(StructType<?> type, long bytes, MemorySegment segment) {
        if (!segment.isNative()) {
            throw new IllegalArgumentException(
                    segment + " lies in the Java heap: a box needs native memory");
        }
        CheckedBlocks.requireNotNull(segment);
        if (!segment.scope().isAlive()) {
            throw new IllegalArgumentException(segment + " is closed: its memory is gone");
        }
        if (!segment.scope().equals(Arena.global().scope())) {
            throw new IllegalArgumentException(
                    segment
                            + " can be closed by another owner: a box adopts memory that lives"
                            + " until it is released");
        }
        if (segment.byteSize() != bytes) {
            throw new IllegalArgumentException(
                    "segment of %d bytes, but %s has %d bytes"
                            .formatted(segment.byteSize(), type.type().getName(), bytes));
        }
        if ((segment.address() & (type.byteAlignment() - 1)) != 0) {
            throw new IllegalArgumentException(
                    "segment at 0x%x, but %s is aligned to %d bytes"
                            .formatted(
                                    segment.address(),
                                    type.type().getName(),
                                    type.byteAlignment()));
        }
    }

    @Override
    default long elements() {
        return 0;
    }

    @Override
    default MemorySegment release() {
        MemorySegment raw = origin().raw(segment());
        lifetime().close();
        origin().makeRaw(raw.address());
        return raw;
    }

    @Override
    default Handoff<T> detach() {
        Handoff<T> handoff = new Handoff<>(type(), block());
        lifetime().close();
        origin().passTo(LeakReport.Kind.HANDOFF);
        return handoff;
    }

    @Override
    default NativeBox<T> copy() {
        return copyTo(block().takeAnother());
    }

    @Override
    default NativeBox<T> copy(KernelAllocator allocator) {
        CheckedBlocks blocks = CheckedBlocks.of(allocator);
        return copyTo(
                elements() == 0
                        ? BoxedBlock.take(blocks, type(), false)
                        : BoxedBlock.take(blocks, type(), elements(), false));
    }

    private ConfinedBox<T> copyTo(BoxedBlock block) {
        ConfinedBox<T> copy = take(type(), block);
        try {
            BulkMemory.copy(segment(), 0, copy.segment(), 0, copy.segment().byteSize());
            return copy;
        } catch (RuntimeException | Error e) {
            copy.close(); // this box is closed, or another thread's
            throw e;
        }
    }

    @Override
    default NativeBox<T> map(UnaryOperator<T> function) {
        Objects.requireNonNull(function, "function");
        NativeBox<T> mapped = copy();
        try {
            mapped.update(function);
            return mapped;
        } catch (RuntimeException | Error e) {
            mapped.close();
            throw e;
        }
    }

    @Override
    default void swap(NativeBox<T> other) {
        requireSameStruct(other);
        MemorySegment here = segment();
        MemorySegment there = other.segment();
        if (here.isReadOnly() || there.isReadOnly()) {
            throw new IllegalArgumentException(
                    "%s cannot be swapped with %s: one is read-only".formatted(this, other));
        }
        long words = here.byteSize() & -Long.BYTES;
        for (long i = 0; i < words; i += Long.BYTES) {
            long word = here.get(JAVA_LONG_UNALIGNED, i);
            here.set(JAVA_LONG_UNALIGNED, i, there.get(JAVA_LONG_UNALIGNED, i));
            there.set(JAVA_LONG_UNALIGNED, i, word);
        }
        for (long i = words; i < here.byteSize(); i++) {
            byte last = here.get(JAVA_BYTE, i);
            here.set(JAVA_BYTE, i, there.get(JAVA_BYTE, i));
            there.set(JAVA_BYTE, i, last);
        }
    }

    private void requireSameStruct(NativeBox<T> other) {
        StructType<T> theirs = other.type();
        boolean same = type() == theirs || type().layout().equals(theirs.layout());
        if (!same || elements() != other.elements()) {
            throw new IllegalArgumentException(
                    "%s with %d elements cannot be swapped with %s with %d"
                            .formatted(type(), elements(), theirs, other.elements()));
        }
    }

    /** The memory, to be handed over. */
    default BoxedBlock block() {
        return new BoxedBlock(
                origin(),
                segment().address(),
                segment().byteSize(),
                type().byteAlignment(),
                elements(),
                segment().isReadOnly());
    }

    /** The fields and the place; the place alone once closed, or on another thread. */
    default String describe() {
        String name = type().type().getSimpleName();
        String place = block().place();
        if (!segment().scope().isAlive()) {
            return "NativeBox[%s, closed, was %s]".formatted(name, place);
        }
        if (!segment().isAccessibleBy(Thread.currentThread())) {
            return "NativeBox[%s of another thread, %s]".formatted(name, place);
        }
        return "NativeBox[%s, %s]".formatted(type().toString(segment()), place);
    }

    @Override
    default List<PhysicalExtent> extents() {
        MemorySegment mine =
                NativeMemory.segment(segment().address(), segment().byteSize(), lifetime());
        return origin().extents(mine.address(), mine.byteSize());
    }
}
