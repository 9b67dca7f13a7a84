package dev.kernelalloc.benchmarks.heap;

import dev.kernelalloc.NativeBox;
import dev.kernelalloc.struct.StructType;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Boxes of bare layouts, of any size up to 64 KiB: the type, and with it the size, is found at run
 * time. Boxes of a type that the program names are measured by {@link BoxBenchmark}.
 */
final class LibraryBox implements Memory {

    private static final int MOST_BYTES = 64 << 10;

    /** By the size in longs, made when first asked for. A JVM here uses one alignment. */
    private static final class Types {
        private final StructType<?>[] bySize = new StructType<?>[MOST_BYTES / Long.BYTES + 1];

        /** Only types of segments are put in. */
        @SuppressWarnings("unchecked")
        StructType<MemorySegment> of(long size, long alignment) {
            int index = (int) size / Long.BYTES;
            if (bySize[index] == null) {
                bySize[index] =
                        StructType.of(
                                MemoryLayout.structLayout(
                                                MemoryLayout.sequenceLayout(
                                                                size / Long.BYTES,
                                                                ValueLayout.JAVA_LONG)
                                                        .withName("longs"))
                                        .withByteAlignment(alignment));
            }
            return (StructType<MemorySegment>) bySize[index];
        }
    }

    private final Types types = new Types();

    @Override
    public long once(long size, long alignment, long value) {
        try (NativeBox<MemorySegment> box =
                NativeBox.uninitialized(Library.POOL, types.of(size, alignment))) {
            return Touch.of(box.segment(), value);
        }
    }

    @Override
    public long onceZeroed(long size, long alignment, long value) {
        try (NativeBox<MemorySegment> box =
                NativeBox.zeroed(Library.POOL, types.of(size, alignment))) {
            return Touch.zeros(box.segment()) + Touch.of(box.segment(), value);
        }
    }

    @Override
    public Blocks blocks(int count) {
        return new Boxes(types, new NativeBox<?>[count]);
    }

    private record Boxes(Types types, NativeBox<?>[] boxes) implements Blocks {

        @Override
        public void allocate(int slot, long size, long alignment, long value) {
            NativeBox<MemorySegment> box =
                    NativeBox.uninitialized(Library.POOL, types.of(size, alignment));
            Touch.write(box.segment(), value);
            boxes[slot] = box;
        }

        @Override
        public long free(int slot) {
            NativeBox<?> box = boxes[slot];
            long value = Touch.first(box.segment());
            box.close();
            return value;
        }

        @Override
        public void write(int slot, int times) {
            Touch.repeatedly(boxes[slot].segment(), times);
        }
    }
}
