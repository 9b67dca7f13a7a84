package dev.kernelalloc.heap;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.Arena;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A small range for the allocator of the process, obtained without a native function.
 *
 * <p>Linking the first native function takes the JVM 60 ms and more, as long as its own startup; a
 * process that needs little memory links none. The JVM obtains these pages from the C heap as the
 * library would, and clears them. There is one such range per process, as clearing costs more than
 * a fresh mapping does.
 */
final class FirstRange {

    /**
     * One slab for each of eight size classes. A large block that is aligned as a range is larger,
     * so this range is never resized.
     */
    static final long BYTES = 8 * Range.GRANULE_BYTES;

    private static final AtomicBoolean CLAIMED = new AtomicBoolean(OutstandingChunks.UNLOADABLE);

    private final Arena arena;
    private final long address;

    private FirstRange(Arena arena) {
        this.arena = arena;
        this.address = arena.allocate(BYTES, Range.GRANULE_BYTES).address();
    }

    /** Returns whether it has neither been acquired nor skipped. */
    static boolean isAvailable() {
        return !CLAIMED.get();
    }

    /** Makes it unavailable: a larger range was needed first. */
    static void skip() {
        CLAIMED.set(true);
    }

    /** Returns the range to its single owner; null to others, and if memory is not available. */
    static @Nullable FirstRange tryAcquire() {
        if (!CLAIMED.compareAndSet(false, true)) {
            return null;
        }
        Arena arena = Arena.ofShared();
        try {
            return new FirstRange(arena);
        } catch (OutOfMemoryError e) {
            arena.close();
            return null; // of the Java heap or of the C heap: the usual range is refused properly
        } catch (StackOverflowError e) {
            arena.close();
            throw e;
        }
    }

    /** Returns its memory, which is zeros. */
    Chunk chunk() {
        return new Chunk(address, BYTES, true);
    }

    boolean holds(Chunk chunk) {
        return chunk.address() == address;
    }

    void release() {
        arena.close();
    }
}
