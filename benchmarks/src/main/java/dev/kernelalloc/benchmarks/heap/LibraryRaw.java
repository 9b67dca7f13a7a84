package dev.kernelalloc.benchmarks.heap;

import java.lang.foreign.MemorySegment;

/**
 * Raw blocks of this library. A short-lived one is a segment, as it comes; one that lives on is
 * kept as its address, by which it can be freed, as the C functions beside it are.
 */
final class LibraryRaw implements Memory {

    @Override
    public long once(long size, long alignment, long value) {
        MemorySegment segment = Library.POOL.allocate(size, alignment);
        long sum = Touch.of(segment, value);
        Library.POOL.free(segment);
        return sum;
    }

    @Override
    public long onceZeroed(long size, long alignment, long value) {
        MemorySegment segment = Library.POOL.allocateZeroed(size, alignment);
        long sum = Touch.zeros(segment) + Touch.of(segment, value);
        Library.POOL.free(segment);
        return sum;
    }

    @Override
    public Blocks blocks(int count) {
        return new Addresses(new long[count]);
    }

    @Override
    public void trim() {
        Library.POOL.trim();
    }

    private record Addresses(long[] addresses) implements Blocks {

        @Override
        public void allocate(int slot, long size, long alignment, long value) {
            MemorySegment segment = Library.POOL.allocate(size, alignment);
            Touch.write(segment, value);
            addresses[slot] = segment.address();
        }

        @Override
        public long free(int slot) {
            long address = addresses[slot];
            long value = Anywhere.read(address);
            Library.POOL.free(MemorySegment.ofAddress(address));
            return value;
        }

        @Override
        public void write(int slot, int times) {
            Touch.repeatedly(Anywhere.at(addresses[slot]), times);
        }
    }
}
