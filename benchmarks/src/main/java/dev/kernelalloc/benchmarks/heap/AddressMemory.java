package dev.kernelalloc.benchmarks.heap;

/**
 * Memory of C functions.
 *
 * @param functions the only ones that this JVM loads
 */
record AddressMemory(CFunctions functions) implements Memory {

    @Override
    public long once(long size, long alignment, long value) {
        long address = functions.allocate(size, alignment);
        return touchAndFree(address, size, value);
    }

    @Override
    public long onceZeroed(long size, long alignment, long value) {
        long address;
        if (alignment <= CFunctions.NATURAL_ALIGNMENT) {
            address = functions.calloc(size);
        } else {
            address = functions.allocate(size, alignment);
            Anywhere.clear(address, size);
        }
        long zeros = Anywhere.read(address) + Anywhere.read(address + size - Long.BYTES);
        return zeros + touchAndFree(address, size, value);
    }

    private long touchAndFree(long address, long size, long value) {
        Anywhere.write(address, value);
        Anywhere.write(address + size - Long.BYTES, value);
        long sum = Anywhere.read(address) + Anywhere.read(address + size - Long.BYTES);
        functions.free(address);
        return sum;
    }

    @Override
    public Blocks blocks(int count) {
        return new Addresses(functions, new long[count]);
    }

    @Override
    public void trim() {
        functions.trim();
    }

    private record Addresses(CFunctions functions, long[] addresses) implements Blocks {

        @Override
        public void allocate(int slot, long size, long alignment, long value) {
            long address = functions.allocate(size, alignment);
            Anywhere.write(address, value);
            Anywhere.write(address + size - Long.BYTES, value);
            addresses[slot] = address;
        }

        @Override
        public long free(int slot) {
            long address = addresses[slot];
            long value = Anywhere.read(address);
            functions.free(address);
            return value;
        }

        @Override
        public void write(int slot, int times) {
            Touch.repeatedly(Anywhere.at(addresses[slot]), times);
        }
    }
}
