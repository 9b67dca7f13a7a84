package dev.kernelalloc.image;

import dev.kernelalloc.AllocatorStats;
import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.observe.AllocatorBean;
import dev.kernelalloc.struct.StructType;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.util.List;

/** Uses what a small program uses, in a Java that has java.base and the library alone. */
public final class SmallProgram {

    /** A struct. */
    public record Pair(int first, int second) {}

    private SmallProgram() {}

    /** No arguments. */
    public static void main(String[] arguments) {
        StructType<Pair> type = StructType.of(MethodHandles.lookup(), Pair.class);
        PhysicalAllocator physical = PhysicalAllocator.create();
        PoolAllocator pool = PoolAllocator.create();
        try (NativeBox<Pair> box = NativeBox.of(pool, type, new Pair(1, 42));
                Arena arena = physical.arena()) {
            MemorySegment raw = pool.allocate(100, 8);
            arena.allocate(8);
            List<AllocatorStats> all = AllocatorStats.byTag();
            long blocks = all.stream().mapToLong(AllocatorStats::liveBlocks).sum();
            System.out.println(blocks + " blocks, " + all.size() + " allocators");
            System.out.println("a value: " + box.get().second());
            refusedBean(pool);
            pool.free(raw);
        }
        System.out.println("left: " + left(pool, physical));
        pool.close();
        physical.close();
        System.out.println("done");
    }

    private static long left(KernelAllocator... allocators) {
        long blocks = 0;
        for (KernelAllocator allocator : allocators) {
            blocks += allocator.stats().liveBlocks();
        }
        return blocks;
    }

    @SuppressWarnings("try") // there is none to be closed
    private static void refusedBean(KernelAllocator allocator) {
        try (AllocatorBean.Registration bean = AllocatorBean.register(allocator)) {
            System.out.println("a bean without its module");
        } catch (UnsupportedOperationException e) {
            System.out.println("no bean: " + e.getMessage());
        }
    }
}
