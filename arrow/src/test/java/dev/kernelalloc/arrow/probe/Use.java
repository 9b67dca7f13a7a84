package dev.kernelalloc.arrow.probe;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.arrow.KernelAllocationManagerFactory;

import org.apache.arrow.memory.ArrowBuf;
import org.apache.arrow.memory.RootAllocator;

/** Uses a buffer of the factory that Arrow finds. */
public final class Use {

    private Use() {}

    /** Prints what is alive meanwhile, and in which modules; twice. */
    public static void main(String[] args) {
        use();
        use();
        System.out.println(
                "modules: "
                        + KernelAllocationManagerFactory.class.getModule().getName()
                        + ", "
                        + RootAllocator.class.getModule().getName());
    }

    private static void use() {
        try (RootAllocator root = new RootAllocator();
                ArrowBuf buffer = root.buffer(64)) {
            buffer.setLong(0, 42);
            long blocks = KernelAllocator.global().stats().liveBlocks();
            System.out.println("read: " + buffer.getLong(0) + ", " + blocks);
        } catch (IllegalCallerException e) {
            System.out.println("denied: " + e.getMessage());
        }
    }
}
