package dev.kernelalloc.cli;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.physical.PhysicalRequest;
import dev.kernelalloc.struct.StructType;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.util.function.Consumer;

/** A way to have native memory. Each has a loop of its own, which the JIT compiles by itself. */
sealed interface MemoryWay {

    /** The size of most blocks: a cache line. */
    record CacheLine(long a, long b, long c, long d, long e, long f, long g, long h) {

        static final StructType<CacheLine> TYPE =
                StructType.of(MethodHandles.lookup(), CacheLine.class);
        static final long BYTES = 64;
    }

    /** As printed. */
    String name();

    /** Allocates memory, and shows it to a function while it is alive. */
    void show(Consumer<MemorySegment> look);

    /** Has memory, writes to it and gives it back, so many times; returns what was read. */
    long repeat(int times);

    /** The JDK's: what the others are compared with. */
    record Confined() implements MemoryWay {

        @Override
        public String name() {
            return "Arena.ofConfined()";
        }

        @Override
        public void show(Consumer<MemorySegment> look) {
            try (Arena arena = Arena.ofConfined()) {
                look.accept(arena.allocate(CacheLine.BYTES, Long.BYTES));
            }
        }

        @Override
        public long repeat(int times) {
            long sum = 0;
            for (int i = 0; i < times; i++) {
                try (Arena arena = Arena.ofConfined()) {
                    MemorySegment memory = arena.allocate(CacheLine.BYTES, Long.BYTES);
                    memory.set(ValueLayout.JAVA_LONG, 0, i);
                    sum += memory.get(ValueLayout.JAVA_LONG, 0);
                }
            }
            return sum;
        }
    }

    /**
     * An arena over blocks of an allocator.
     *
     * @param of the allocator's name
     */
    record ArenaOf(KernelAllocator allocator, String of) implements MemoryWay {

        @Override
        public String name() {
            return "arena of " + of;
        }

        @Override
        public void show(Consumer<MemorySegment> look) {
            try (Arena arena = allocator.arena()) {
                look.accept(arena.allocate(CacheLine.BYTES, Long.BYTES));
            }
        }

        @Override
        public long repeat(int times) {
            long sum = 0;
            for (int i = 0; i < times; i++) {
                try (Arena arena = allocator.arena()) {
                    MemorySegment memory = arena.allocate(CacheLine.BYTES, Long.BYTES);
                    memory.set(ValueLayout.JAVA_LONG, 0, i);
                    sum += memory.get(ValueLayout.JAVA_LONG, 0);
                }
            }
            return sum;
        }
    }

    /**
     * A raw block.
     *
     * @param of the allocator's name
     */
    record BlockOf(KernelAllocator allocator, String of) implements MemoryWay {

        @Override
        public String name() {
            return "block of " + of;
        }

        @Override
        public void show(Consumer<MemorySegment> look) {
            MemorySegment block = allocator.allocate(CacheLine.BYTES, Long.BYTES);
            try {
                look.accept(block);
            } finally {
                allocator.free(block);
            }
        }

        @Override
        public long repeat(int times) {
            long sum = 0;
            for (int i = 0; i < times; i++) {
                MemorySegment block = allocator.allocate(CacheLine.BYTES, Long.BYTES);
                block.set(ValueLayout.JAVA_LONG, 0, i);
                sum += block.get(ValueLayout.JAVA_LONG, 0);
                allocator.free(block);
            }
            return sum;
        }
    }

    /**
     * A box of zeros.
     *
     * @param of the allocator's name
     */
    record BoxIn(KernelAllocator allocator, String of) implements MemoryWay {

        @Override
        public String name() {
            return "box in " + of;
        }

        @Override
        public void show(Consumer<MemorySegment> look) {
            try (NativeBox<CacheLine> box = NativeBox.zeroed(allocator, CacheLine.TYPE)) {
                look.accept(box.segment());
            }
        }

        @Override
        public long repeat(int times) {
            long sum = 0;
            for (int i = 0; i < times; i++) {
                try (NativeBox<CacheLine> box = NativeBox.zeroed(allocator, CacheLine.TYPE)) {
                    MemorySegment memory = box.segment();
                    memory.set(ValueLayout.JAVA_LONG, 0, i);
                    sum += memory.get(ValueLayout.JAVA_LONG, 0);
                }
            }
            return sum;
        }
    }

    /** Whole pages by request: system calls. */
    record Requested(PhysicalAllocator allocator, PhysicalRequest request) implements MemoryWay {

        @Override
        public String name() {
            return "block by request";
        }

        @Override
        public void show(Consumer<MemorySegment> look) {
            MemorySegment block = allocator.allocate(request);
            try {
                look.accept(block);
            } finally {
                allocator.free(block);
            }
        }

        @Override
        public long repeat(int times) {
            long sum = 0;
            for (int i = 0; i < times; i++) {
                MemorySegment block = allocator.allocate(request);
                block.set(ValueLayout.JAVA_LONG, 0, i);
                sum += block.get(ValueLayout.JAVA_LONG, 0);
                allocator.free(block);
            }
            return sum;
        }
    }
}
