package dev.kernelalloc.os;

/** The C heap, the same on every system but for aligned blocks. */
interface CHeap extends OperatingSystem {

    HeapCalls calls();

    @Override
    default String name() {
        return System.getProperty("os.name") + " " + System.getProperty("os.arch");
    }

    @Override
    default long malloc(long bytes) throws Refusal {
        return block(calls().malloc(bytes), "malloc", bytes);
    }

    @Override
    default long calloc(long bytes) throws Refusal {
        return block(calls().calloc(1, bytes), "calloc", bytes);
    }

    @Override
    default long realloc(long address, long bytes) throws Refusal {
        return block(calls().realloc(address, bytes), "realloc", bytes);
    }

    @Override
    default void free(long address) {
        calls().free(address);
    }

    default long block(long address, String function, long bytes) throws Refusal {
        if (address == 0) {
            throw noBlock(function, bytes);
        }
        return address;
    }

    default long alignedBlock(long address, String function, long bytes, long alignment)
            throws Refusal {
        if (address == 0) { // the alignment may be what the address space has no room for
            throw noBlock(function + " alignment=" + alignment, bytes);
        }
        return address;
    }

    /** Returns the refusal for a C heap that has returned no block. */
    default Refusal noBlock(String function, long bytes) {
        return new Refusal.OutOfMemory(
                function
                        + ": the C heap has no block of "
                        + bytes
                        + " bytes left. Free memory or ask for less; raise the limit on memory or"
                        + " address space if one is set (ulimit -v, a container's memory limit)");
    }
}
