package dev.kernelalloc;

import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.struct.StructType;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.util.List;

/**
 * Uses every part of the library once, in memory that is freed at once, so that the JVM has loaded,
 * initialised and linked everything that a first use needs.
 */
final class Preload {

    private static final long LARGE_BYTES = 2 << 20;

    /** An element of each kind. */
    record Copied(long number, int other) {}

    interface Viewed {
        long number();

        void number(long value);
    }

    private Preload() {}

    static void run() {
        try (PoolAllocator pool = PoolAllocator.builder().tag("preload").limit(1L << 30).build();
                PoolAllocator hardened =
                        PoolAllocator.builder().tag("preload").hardened(true).build()) {
            for (PoolAllocator allocator :
                    List.of(pool, hardened, PoolAllocator.systemHeap(), PoolAllocator.shared())) {
                use(allocator);
            }
            try (PoolAllocator child = pool.child("preload", 1 << 20)) {
                child.free(child.allocate(1, 1));
                refuse(child);
            }
        }
        usePhysical();
        useSecret();
        initialiseGlobal();
    }

    /** Without choosing it, which the program may still do. */
    private static void initialiseGlobal() {
        try {
            MethodHandles.lookup().ensureInitialized(GlobalAllocator.class);
        } catch (IllegalAccessException e) {
            throw new AssertionError(e); // of this package
        }
    }

    private static void use(PoolAllocator allocator) {
        MemorySegment block = allocator.allocate(100, 8);
        block = allocator.reallocate(block, 1000, 8);
        allocator.usableSize(block);
        allocator.free(block);
        allocator.free(allocator.allocateZeroed(100, 64));
        allocator.tryAllocate(100, 8).ifPresent(allocator::free);
        allocator.free(
                allocator.reallocate(
                        allocator.allocate(LARGE_BYTES, 8), LARGE_BYTES + LARGE_BYTES / 2, 8));
        allocator.stats().describe();
        useArenas(allocator);
        StructType<Copied> copied = StructType.of(MethodHandles.lookup(), Copied.class);
        StructType<Viewed> viewed = StructType.of(MethodHandles.lookup(), Viewed.class);
        StructType<MemorySegment> bare = StructType.of(ValueLayout.JAVA_LONG);
        useBox(allocator, copied, new Copied(1, 2));
        try (NativeBox<Viewed> box = NativeBox.zeroed(allocator, viewed)) {
            useBox(allocator, viewed, box.get());
            useContainers(allocator, viewed, box.get());
        }
        useContainers(allocator, copied, new Copied(1, 2));
        useContainers(allocator, bare, MemorySegment.ofArray(new long[1]));
        useStrings(allocator);
        allocator.trim();
    }

    private static void useArenas(KernelAllocator allocator) {
        for (Arena each : List.of(allocator.arena(), allocator.sharedArena())) {
            try (Arena arena = each) {
                arena.allocate(8, 8);
                arena.allocate(4096, 64);
                arena.allocate(LARGE_BYTES, 8);
                arena.allocateFrom("preload");
            }
        }
    }

    private static <T> void useBox(KernelAllocator allocator, StructType<T> type, T value) {
        try (NativeBox<T> box = NativeBox.of(allocator, type, value)) {
            box.set(box.get());
            box.update(same -> same);
            box.toString();
            box.copy().close();
            box.map(same -> same).close();
        }
        NativeBox.uninitialized(allocator, type).detach().attach().close();
        try (SharedBox<T> shared = SharedBox.of(allocator, type, value);
                Lease<T> lease = shared.lease()) {
            lease.set(lease.get());
            shared.toString();
        }
    }

    private static <T> void useContainers(KernelAllocator allocator, StructType<T> type, T value) {
        try (NativeArray<T> array = NativeArray.zeroed(allocator, type, 16)) {
            array.fill(value);
            array.set(1, array.get(0));
            array.sort((_, _) -> 0);
            array.reverse();
            array.update(0, same -> same);
            array.binarySearch(value, (_, _) -> 0);
            array.stream().filter(_ -> true).forEach(_ -> {});
            array.forEach(_ -> {});
            array.asList().forEach(_ -> {});
            for (T each : array.slice(0, 2)) {
                array.set(2, each);
            }
            array.toString();
            SharedArray<T> shared = NativeArray.copyOf(allocator, array).share();
            try (ArrayLease<T> lease = shared.lease()) {
                lease.set(0, lease.get(1));
                lease.stream().forEach(_ -> {});
            }
            shared.attach().close();
            try (NativeVec<T> vec = NativeVec.create(allocator, type)) {
                vec.add(value);
                vec.insert(0, vec.get(0));
                vec.addAll(array);
                vec.addAll(List.of(value));
                vec.removeAt(0);
                vec.swapRemove(0);
                vec.removeIf(_ -> false);
                vec.reserve(LARGE_BYTES / type.byteSize());
                vec.shrinkToFit();
                for (T each : vec) {
                    vec.set(0, each);
                }
                vec.stream().filter(_ -> true).forEach(_ -> {});
                vec.toString();
                NativeVec.from(vec.intoArray()).close();
            }
        }
    }

    private static void useStrings(KernelAllocator allocator) {
        try (NativeString text = NativeString.of(allocator, "größe");
                NativeString.Builder builder = NativeString.builder(allocator)) {
            builder.append(text).append(1).append("text").appendCodePoint('!');
            try (NativeString built = builder.build()) {
                built.cString();
                built.indexOf("text");
                built.compareTo(text);
                built.describe();
            }
            NativeString.ofUtf8(allocator, text.segment()).close();
        }
    }

    /** Explains a refusal. */
    private static void refuse(KernelAllocator limited) {
        try {
            limited.free(limited.allocate(LARGE_BYTES, 8));
        } catch (AllocationException _) {
            // by the limit
        }
    }

    /** As far as this process may have it. */
    private static void usePhysical() {
        try (PhysicalAllocator physical = PhysicalAllocator.create()) {
            MemorySegment block = physical.allocate(100, 8);
            physical.guarantee(block);
            physical.stats().describe();
            try {
                physical.extents(block);
            } catch (PhysicalAddressException _) {
                // needs a right
            }
            physical.free(block);
        } catch (AllocationException _) {
            // no locked memory
        }
    }

    private static void useSecret() {
        try (SecretMemory secret = SecretMemory.allocate(32)) {
            secret.readWrite().set(ValueLayout.JAVA_BYTE, 0, (byte) 1);
            secret.toString();
        } catch (AllocationException _) {
            // no hidden memory, and no locked memory either
        }
    }
}
