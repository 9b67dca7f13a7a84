package dev.kernelalloc.heap;

import dev.kernelalloc.bulk.Alignment;
import dev.kernelalloc.heap.Counters.Tally;
import dev.kernelalloc.os.Refusal;

import org.jspecify.annotations.Nullable;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * Blocks that are too large, or too strictly aligned, for slabs: each has a chunk of its own. The
 * table of live blocks is a skip list, which has no locks; a few free chunks are kept within the
 * budget of the caches.
 */
final class LargeBlocks {

    private static final int IDLE_SLOTS = 16;

    /**
     * A chunk, and the state of its block. A block is ended by one exchange of its state; its
     * removal from the table is best effort, since removal may need Java objects.
     */
    static final class Large {

        private static final VarHandle STATE =
                FieldHandle.of(MethodHandles.lookup(), "state", State.class);

        private final Chunk chunk;

        /** The requested size. */
        private final long bytes;

        private volatile State state;

        Large(Chunk chunk, long bytes, State state) {
            this.chunk = chunk;
            this.bytes = bytes;
            this.state = state;
        }

        long bytes() {
            return bytes;
        }

        /** Changes the state; true for one of the threads that try. */
        boolean change(State from, State to) {
            return STATE.compareAndSet(this, from, to);
        }
    }

    private enum State {
        RAW,
        OWNED,
        /** No longer to be freed by any thread, and not yet released. */
        HELD,
        ENDED;

        static State of(boolean raw) {
            return raw ? RAW : OWNED;
        }
    }

    /** A chunk that no block uses. */
    private static final class Idle {
        private final Chunk chunk;
        private volatile boolean visited;

        Idle(Chunk chunk) {
            this.chunk = chunk;
        }
    }

    private final ChunkSource source;
    private final CacheBudget budget;

    /** Counts these blocks, live and idle, and others. */
    private final HighWater capacityBytes;

    private final HeapListener listener;
    private final ConcurrentSkipListMap<BlockKey, Large> live = new ConcurrentSkipListMap<>();

    private final BlockKey.Keys keys = new BlockKey.Keys();
    private final AtomicReferenceArray<@Nullable Idle> idle =
            new AtomicReferenceArray<>(IDLE_SLOTS);
    private volatile boolean keeping = true;

    LargeBlocks(
            ChunkSource source,
            CacheBudget budget,
            HighWater capacityBytes,
            HeapListener listener) {
        this.source = source;
        this.budget = budget;
        this.capacityBytes = capacityBytes;
        this.listener = listener;
    }

    /**
     * Allocates a block.
     *
     * @return its address, marked if its memory is zeros
     * @throws Refusal if memory is not available
     */
    long allocate(long bytes, long alignment, boolean raw) throws Refusal {
        long capacity = capacity(bytes);
        Chunk chunk = reuseIdle(capacity, alignment);
        boolean zeroed = false;
        if (chunk == null) {
            chunk = source.obtain(capacity, Math.max(alignment, SizeClasses.QUANTUM_BYTES));
            capacityBytes.change(chunk.bytes());
            zeroed = chunk.zeroed();
        }
        register(chunk, bytes, State.of(raw));
        return chunk.address() | (zeroed ? Blocks.ZEROED : 0);
    }

    private void register(Chunk chunk, long bytes, State state) {
        Large large = null;
        try {
            large = new Large(chunk, bytes, state);
            live.put(new BlockKey(chunk.address()), large);
        } catch (Error e) { // the Java heap or stack is exhausted
            if (large != null) {
                large.state = State.ENDED; // it may have come into the table
            }
            release(chunk);
            throw e;
        }
        notifyAllocated(chunk);
    }

    private void notifyAllocated(Chunk chunk) {
        try {
            listener.allocatedLarge(chunk.address(), chunk.bytes());
        } catch (Throwable _) {
            // the block is in the caller's hands
        }
    }

    private void notifyFreeing(Chunk chunk) {
        try {
            listener.freeingLarge(chunk.address(), chunk.bytes());
        } catch (Throwable _) {
            // must be released all the same
        }
    }

    /** Returns the block that starts there, live or ended, or null. */
    private @Nullable Large find(long address) {
        return keys.get(live, address);
    }

    /** Returns the live block that starts there and is raw or not, or null. */
    @Nullable Large at(long address, boolean raw) {
        Large large = find(address);
        return large == null || large.state != State.of(raw) ? null : large;
    }

    /**
     * Returns the bytes of the live block that starts there and is raw or not; -1 if there is none.
     */
    long capacityAt(long address, boolean raw) {
        Large large = at(address, raw);
        return large == null ? -1 : large.chunk.bytes();
    }

    /** Ends the live block that starts there and is raw or not; false if there is none. */
    boolean free(long address, boolean raw) {
        Large large = find(address);
        return large != null && end(large, State.of(raw));
    }

    private boolean end(Large large, State from) {
        boolean ended = large.change(from, State.ENDED);
        if (ended) {
            releaseEnded(large);
        }
        return ended;
    }

    /**
     * Holds the live block that starts there and is raw or not, for one of the threads that try: no
     * other thread can end it then. The caller ends it by {@link #release}, or never. Returns null
     * if there is none.
     */
    @Nullable Large hold(long address, boolean raw) {
        Large large = find(address);
        return large != null && large.change(State.of(raw), State.HELD) ? large : null;
    }

    /** Ends a block of {@link #hold}. */
    void release(Large held) {
        end(held, State.HELD);
    }

    /** Ends a live block that is not raw, unless it has ended already. */
    void end(Large large) {
        end(large, State.OWNED);
    }

    private void releaseEnded(Large ended) {
        notifyFreeing(ended.chunk);
        forget(ended);
        if (!keep(ended.chunk)) {
            release(ended.chunk);
        }
    }

    private void release(Chunk chunk) {
        capacityBytes.change(-chunk.bytes());
        source.release(chunk);
    }

    private void forget(Large ended) {
        try {
            live.remove(new BlockKey(ended.chunk.address()), ended);
        } catch (OutOfMemoryError e) {
            // The next block that starts there replaces it.
        }
    }

    /**
     * Makes the live block that starts there raw if it is not, or the reverse; false if there is
     * none.
     */
    boolean change(long address, boolean raw) {
        Large large = find(address);
        return large != null && large.change(State.of(raw), State.of(!raw));
    }

    /** Returns whether {@link #enlarge} is supported. */
    boolean resizes() {
        return source.resizes();
    }

    /**
     * Enlarges a live block that is not raw, and whose alignment is at most malloc's.
     *
     * @return its address, which may be the same
     * @throws Refusal if memory is not available; the block is unchanged then
     * @throws OutOfMemoryError if the Java heap has no room to record its address: the block is
     *     freed then
     */
    long enlarge(long address, long bytes) throws Refusal {
        long capacity = capacity(bytes);
        Large large = find(address);
        // Ended first: once it has moved, another thread may get the address.
        large.state = State.ENDED;
        Chunk enlarged;
        try {
            enlarged = source.resize(large.chunk, capacity);
        } catch (Throwable e) { // whatever a source throws, it has changed nothing
            large.state = State.OWNED;
            throw e;
        }
        capacityBytes.change(enlarged.bytes() - large.chunk.bytes());
        notifyFreeing(large.chunk);
        forget(large);
        register(enlarged, bytes, State.OWNED);
        return enlarged.address();
    }

    /** Returns the start of the live block that contains a byte, or 0. */
    long startOf(long address) {
        Map.Entry<BlockKey, Large> below = live.floorEntry(new BlockKey(address));
        if (below == null || below.getValue().state == State.ENDED) {
            return 0;
        }
        Chunk chunk = below.getValue().chunk;
        return Long.compareUnsigned(address - chunk.address(), chunk.bytes()) < 0
                ? chunk.address()
                : 0;
    }

    /** Keeps no free chunk from now on. */
    void stopKeeping() {
        keeping = false;
    }

    /** Releases the chunks that no block uses. */
    void trim() {
        for (int i = 0; i < IDLE_SLOTS; i++) {
            releaseIdle(idle.getAndSet(i, null));
        }
    }

    /** Releases the chunks that no block has used since the last call. */
    void trimIdle() {
        for (int i = 0; i < IDLE_SLOTS; i++) {
            Idle one = idle.get(i);
            if (one == null) {
                continue;
            }
            if (one.visited && idle.compareAndSet(i, one, null)) {
                releaseIdle(one);
            }
            one.visited = true;
        }
    }

    /** Returns the live blocks, of boxes, arenas and callers. */
    Tally live() {
        return sum(true);
    }

    /** Returns the blocks that are no longer usable and have not been released. */
    Tally held() {
        return sum(false);
    }

    private Tally sum(boolean used) {
        Tally sum = Tally.NONE;
        for (Large large : live.values()) {
            State state = large.state;
            if (state != State.ENDED && (state != State.HELD) == used) {
                sum = sum.plus(new Tally(1, large.chunk.bytes()));
            }
        }
        return sum;
    }

    /** Returns whether there are chunks that no block uses. */
    boolean hasIdle() {
        for (int i = 0; i < IDLE_SLOTS; i++) {
            if (idle.get(i) != null) {
                return true;
            }
        }
        return false;
    }

    /** Returns the chunks that no block uses. */
    Tally idle() {
        Tally sum = Tally.NONE;
        for (int i = 0; i < IDLE_SLOTS; i++) {
            Idle one = idle.get(i);
            if (one != null) {
                sum = sum.plus(new Tally(1, one.chunk.bytes()));
            }
        }
        return sum;
    }

    /** Rounds up to whole pages if that adds little, so that the memory can be discarded. */
    private long capacity(long bytes) throws Refusal {
        long page = source.pageBytes();
        if (bytes > Long.MAX_VALUE - page) {
            throw Blocks.unaddressable(bytes);
        }
        long unit = bytes < 8 * page ? SizeClasses.QUANTUM_BYTES : page;
        return Alignment.up(Math.max(1, bytes), unit);
    }

    private @Nullable Chunk reuseIdle(long capacity, long alignment) {
        for (int i = 0; i < IDLE_SLOTS; i++) {
            Idle one = idle.get(i);
            if (one != null && !source.serves(one.chunk)) {
                if (idle.compareAndSet(i, one, null)) {
                    releaseIdle(one);
                }
            } else if (one != null
                    && one.chunk.bytes() >= capacity
                    && one.chunk.bytes() - capacity <= capacity / 8
                    && Alignment.isAligned(one.chunk.address(), alignment)
                    && idle.compareAndSet(i, one, null)) {
                budget.uncharge(one.chunk.bytes());
                return one.chunk;
            }
        }
        return null;
    }

    private boolean keep(Chunk chunk) {
        if (!keeping || !source.serves(chunk) || !budget.tryCharge(chunk.bytes())) {
            return false;
        }
        Idle one;
        try {
            one = new Idle(chunk);
        } catch (OutOfMemoryError e) {
            budget.uncharge(chunk.bytes());
            return false;
        }
        for (int i = 0; i < IDLE_SLOTS; i++) {
            if (idle.get(i) == null && idle.compareAndSet(i, null, one)) {
                if (!keeping) {
                    trim(); // closed concurrently
                }
                return true;
            }
        }
        budget.uncharge(chunk.bytes());
        return false;
    }

    private void releaseIdle(@Nullable Idle one) {
        if (one != null) {
            budget.uncharge(one.chunk.bytes());
            release(one.chunk);
        }
    }
}
