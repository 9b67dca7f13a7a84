package dev.kernelalloc.arrow.benchmarks;

import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.arrow.KernelAllocationManagerFactory;

import org.apache.arrow.memory.AllocationManager;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.memory.netty.NettyAllocationManager;
import org.apache.arrow.memory.unsafe.UnsafeAllocationManager;

/** The managers of memory that are compared. */
public enum Peer {
    KERNEL {
        @Override
        AllocationManager.Factory factory() {
            return new KernelAllocationManagerFactory(PoolAllocator.create());
        }
    },
    UNSAFE {
        @Override
        AllocationManager.Factory factory() {
            return UnsafeAllocationManager.FACTORY;
        }
    },
    NETTY {
        @Override
        AllocationManager.Factory factory() {
            return NettyAllocationManager.FACTORY;
        }
    };

    abstract AllocationManager.Factory factory();

    RootAllocator root() {
        return new RootAllocator(
                RootAllocator.configBuilder().allocationManagerFactory(factory()).build());
    }
}
