package dev.kernelalloc.heap;

import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.Platform;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandleProxies;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;

/**
 * The chunks of the C heap that the library holds, which are freed when the library itself is
 * unloaded.
 *
 * <p>A library that is part of a web application is unloaded with it. The allocator of the process
 * is never closed, and blocks in the caches of threads that outlive the application, such as those
 * of the server, are never freed: each redeployment would leak 64 MiB of address space.
 *
 * <p>So the addresses are registered with a cleaner of the JDK, which runs once the classes of the
 * library are unreachable. It must not refer to them, or they would stay reachable: the set, the
 * action and the function that frees are objects of the JDK alone. Blocks that code outside of the
 * application still uses end with their chunk, as no code is left to free them.
 *
 * <p>A library that the JVM's own loaders have loaded is never unloaded, and registers nothing.
 */
final class OutstandingChunks {

    /** Whether the library may be unloaded before the process ends. */
    static final boolean UNLOADABLE = isUnloadable();

    /** Initialized when the first chunk is registered. */
    private static final class Registry {

        private static final Set<Long> ADDRESSES = ConcurrentHashMap.newKeySet();

        /** The object that the cleaner tracks: reachable for as long as this class. */
        @SuppressWarnings("unused")
        private static final MemorySegment GUARD =
                NativeMemory.segment(
                        0, 0, Arena.ofAuto(), freeingEach(ADDRESSES, Platform.current()));
    }

    private OutstandingChunks() {}

    private static boolean isUnloadable() {
        ClassLoader own = OutstandingChunks.class.getClassLoader();
        ClassLoader permanent = ClassLoader.getSystemClassLoader();
        while (permanent != null && permanent != own) {
            permanent = permanent.getParent();
        }
        return permanent != own;
    }

    /**
     * Registers a chunk. Never fails: a chunk that could not be registered is not freed on
     * unloading.
     */
    static void add(long address) {
        if (UNLOADABLE) {
            try {
                Registry.ADDRESSES.add(address);
            } catch (Throwable _) {
                // the Java heap or stack is exhausted
            }
        }
    }

    /** Removes a chunk that is about to be freed. */
    static void remove(long address) {
        if (UNLOADABLE) {
            Registry.ADDRESSES.remove(address);
        }
    }

    /** Returns {@code _ -> addresses.forEach(free)}, without a class of the library. */
    private static Consumer<MemorySegment> freeingEach(Set<Long> addresses, OperatingSystem os) {
        try {
            MethodHandle free =
                    os.alignedFreeHandle().asType(MethodType.methodType(void.class, Object.class));
            MethodHandle forEach =
                    MethodHandles.publicLookup()
                            .findVirtual(
                                    Iterable.class,
                                    "forEach",
                                    MethodType.methodType(void.class, Consumer.class));
            MethodHandle freeEach =
                    MethodHandles.insertArguments(forEach, 0, addresses, consumer(free));
            return consumer(MethodHandles.dropArguments(freeEach, 0, Object.class));
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    @SuppressWarnings("unchecked")
    private static <T> Consumer<T> consumer(MethodHandle action) {
        return MethodHandleProxies.asInterfaceInstance(Consumer.class, action);
    }
}
