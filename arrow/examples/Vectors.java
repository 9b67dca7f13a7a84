import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.arrow.KernelAllocationManagerFactory;

import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.vector.IntVector;

/** The program of the README. */
class Vectors {

    public static void main(String[] args) {
        try (PoolAllocator memory = PoolAllocator.builder().tag("arrow").limit(1L << 30).build()) {
            var factory = new KernelAllocationManagerFactory(memory);
            var config = RootAllocator.configBuilder().allocationManagerFactory(factory).build();
            try (BufferAllocator root = new RootAllocator(config);
                    IntVector vector = new IntVector("numbers", root)) {
                for (int i = 0; i < 1000; i++) {
                    vector.setSafe(i, i);
                }
                vector.setValueCount(1000);
                System.out.println(vector.get(999) + ": " + memory.stats());
            }
        }
    }
}
