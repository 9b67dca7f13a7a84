package dev.kernelalloc.guide;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.Pressure;

import java.lang.foreign.Arena;
import java.util.ArrayDeque;
import java.util.Deque;

/** A program that gives two plug-ins a limit each under one of its own, for docs/limits.md. */
final class Plugins {

    private static final long MIB = 1 << 20;

    private final Deque<Arena> leastRecentlyUsed = new ArrayDeque<>();

    private Plugins() {}

    static void main() {
        new Plugins().run();
    }

    private void run() {
        // guide: limits
        try (PoolAllocator server =
                        PoolAllocator.builder()
                                .tag("server")
                                .limit(64 * MIB)
                                .onPressure(this::dropOldest)
                                .build();
                PoolAllocator images = server.child("images", 48 * MIB);
                PoolAllocator search = server.child("search", 32 * MIB)) {
            // end
            for (int i = 0; i < 4; i++) {
                Arena cached = images.arena();
                leastRecentlyUsed.add(cached);
                cached.allocate(20 * MIB);
            }
            try {
                search.allocate(33 * MIB);
            } catch (AllocationException e) {
                System.err.println(e.getMessage());
            }
            leastRecentlyUsed.forEach(Arena::close);
            server.trim();
        }
    }

    // guide: pressure
    private void dropOldest(Pressure pressure) {
        System.err.println(pressure);
        if (!leastRecentlyUsed.isEmpty()) {
            leastRecentlyUsed.remove().close();
        }
    }
    // end
}
