package org.apache.arrow.memory.unsafe;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.arrow.KernelAllocationManagerFactory;

import org.apache.arrow.memory.AllocationManager;

/**
 * The factory that Arrow uses where none is given.
 *
 * <p>Arrow looks on the class path for a class of this name in its packages {@code memory}, {@code
 * memory.unsafe} and {@code memory.netty}, in this order, and takes the value of the field {@link
 * #FACTORY}. It has no other way to be extended. With {@code arrow-memory-unsafe} on the class path
 * too, the one that comes first wins; {@code arrow-memory-netty} always comes after this one.
 */
public final class DefaultAllocationManagerFactory {

    /** Over {@link KernelAllocator#global}. Arrow reads it by its name. */
    public static final AllocationManager.Factory FACTORY = KernelAllocationManagerFactory.global();

    private DefaultAllocationManagerFactory() {}
}
