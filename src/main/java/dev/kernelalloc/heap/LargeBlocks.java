package dev.kernelalloc.heap;

import dev.kernelalloc.os.Refusal;

import org.jspecify.annotations.Nullable;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * Blocks that are too large, or too largely aligned, for slabs: each a chunk of its own. The table
 * of the live ones is a skip list, because that has no locks; a few free ones are kept within the
 * budget of the caches.
 */
final class LargeBlocks {

    private static final int PLACES = 16;

    /**
     * A chunk, and what its block is. Ending a block is one exchange of its state; that it leaves
     * the table is best effort, since the table may need Java objects to forget it.
     */
    private static final class Large {

        private static final VarHandle STATE;

        static {
            try {
                STATE = MethodHandles.lookup().findVarHandle(Large.class, "state", State.class);
            } catch (ReflectiveOperationException e) {
                throw new ExceptionInInitializerError(e);
            }
        }

        private final Chunk chunk;
        private volatile State state;

        Large(Chunk chunk, State state) {
            this.chunk = chunk;
            this.state = state;
        }

        /** True for one of those who try. */
        boolean change(State from, State to) {
            return STATE.compareAndSet(this, from, to);
        }
    }

    private enum State {
        RAW,
        OWNED,
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
    private final ConcurrentSkipListMap<Long, Large> live = new ConcurrentSkipListMap<>();
    private final AtomicReferenceArray<@Nullable Idle> idle = new AtomicReferenceArray<>(PLACES);
    private volatile boolean keeping = true;

    LargeBlocks(ChunkSource source, CacheBudget budget) {
        this.source = source;
        this.budget = budget;
    }

    /**
     * A block.
     *
     * @return its address, marked where its memory is zeros
     * @throws Refusal when there is no memory
     */
    long allocate(long bytes, long alignment, boolean raw) throws Refusal {
        long capacity = capacity(bytes);
        Chunk chunk = takeIdle(capacity, alignment);
        boolean zeroed = false;
        if (chunk == null) {
            chunk = source.obtain(capacity, Math.max(alignment, SizeClasses.QUANTUM_BYTES));
            zeroed = chunk.zeroed();
        }
        register(chunk, State.of(raw));
        return chunk.address() | (zeroed ? Magazine.ZEROED : 0);
    }

    private void register(Chunk chunk, State state) {
        Large large = null;
        try {
            large = new Large(chunk, state);
            live.put(chunk.address(), large);
        } catch (Error e) { // the Java heap or stack is exhausted
            if (large != null) {
                large.state = State.ENDED; // it may have come into the table
            }
            source.giveBack(chunk);
            throw e;
        }
    }

    /** The bytes of the live block that starts there and is or is not raw; or -1. */
    long capacityAt(long address, boolean raw) {
        Large large = live.get(address);
        return large == null || large.state != State.of(raw) ? -1 : large.chunk.bytes();
    }

    /** Ends the live block that starts there and is or is not raw, if there is one. */
    boolean free(long address, boolean raw) {
        Large large = live.get(address);
        if (large == null || !large.change(State.of(raw), State.ENDED)) {
            return false;
        }
        forget(address, large);
        if (!keep(large.chunk)) {
            source.giveBack(large.chunk);
        }
        return true;
    }

    private void forget(long address, Large ended) {
        try {
            live.remove(address, ended);
        } catch (OutOfMemoryError e) {
            // The next block that starts there takes its place.
        }
    }

    /** Makes the live block that starts there and is or is not raw the other, if there is one. */
    boolean change(long address, boolean raw) {
        Large large = live.get(address);
        return large != null && large.change(State.of(raw), State.of(!raw));
    }

    /** Whether there is {@link #enlarge}. */
    boolean resizes() {
        return source.resizes();
    }

    /**
     * Enlarges a live block that is not raw, and whose alignment is no more than malloc's.
     *
     * @return its address, which may be the same
     * @throws Refusal when there is no memory; the block is unchanged then
     * @throws OutOfMemoryError when the Java heap has no room to note where it is: it is gone then
     */
    long enlarge(long address, long bytes) throws Refusal {
        long capacity = capacity(bytes);
        Large large = live.get(address);
        // Ended first: once it has moved, the address may be another's.
        large.state = State.ENDED;
        Chunk enlarged;
        try {
            enlarged = source.resize(large.chunk, capacity);
        } catch (Refusal e) {
            large.state = State.OWNED;
            throw e;
        }
        forget(address, large);
        register(enlarged, State.OWNED);
        return enlarged.address();
    }

    /** The start of the live block that a byte lies in, or 0. */
    long startOf(long address) {
        Map.Entry<Long, Large> below = live.floorEntry(address);
        if (below == null || below.getValue().state == State.ENDED) {
            return 0;
        }
        Chunk chunk = below.getValue().chunk;
        return Long.compareUnsigned(address - chunk.address(), chunk.bytes()) < 0
                ? chunk.address()
                : 0;
    }

    /** From now on no free one is kept. */
    void keepNothing() {
        keeping = false;
    }

    /** Gives those back that no block uses. */
    void trim() {
        for (int i = 0; i < PLACES; i++) {
            giveBack(idle.getAndSet(i, null));
        }
    }

    /** Gives those back that no block has used since the last call. */
    void trimIdle() {
        for (int i = 0; i < PLACES; i++) {
            Idle one = idle.get(i);
            if (one == null) {
                continue;
            }
            if (one.visited && idle.compareAndSet(i, one, null)) {
                giveBack(one);
            }
            one.visited = true;
        }
    }

    long liveBlocks() {
        long blocks = 0;
        for (Large large : live.values()) {
            blocks += large.state == State.ENDED ? 0 : 1;
        }
        return blocks;
    }

    long liveBytes() {
        long bytes = 0;
        for (Large large : live.values()) {
            bytes += large.state == State.ENDED ? 0 : large.chunk.bytes();
        }
        return bytes;
    }

    /** Of chunks that no block uses. */
    long idleBytes() {
        long bytes = 0;
        for (int i = 0; i < PLACES; i++) {
            Idle one = idle.get(i);
            bytes += one == null ? 0 : one.chunk.bytes();
        }
        return bytes;
    }

    /** Whole pages where that is little, so that the memory can be discarded. */
    private long capacity(long bytes) throws Refusal {
        long page = source.pageBytes();
        if (bytes > Long.MAX_VALUE - page) {
            throw new Refusal.OutOfMemory(
                    "%d bytes are more than can be addressed".formatted(bytes));
        }
        long unit = bytes < 8 * page ? SizeClasses.QUANTUM_BYTES : page;
        return Math.max(1, Math.ceilDiv(bytes, unit)) * unit;
    }

    private @Nullable Chunk takeIdle(long capacity, long alignment) {
        for (int i = 0; i < PLACES; i++) {
            Idle one = idle.get(i);
            if (one != null
                    && one.chunk.bytes() >= capacity
                    && one.chunk.bytes() - capacity <= capacity / 8
                    && (one.chunk.address() & alignment - 1) == 0
                    && idle.compareAndSet(i, one, null)) {
                budget.give(one.chunk.bytes());
                return one.chunk;
            }
        }
        return null;
    }

    private boolean keep(Chunk chunk) {
        if (!keeping || !budget.take(chunk.bytes())) {
            return false;
        }
        Idle one;
        try {
            one = new Idle(chunk);
        } catch (OutOfMemoryError e) {
            budget.give(chunk.bytes());
            return false;
        }
        for (int i = 0; i < PLACES; i++) {
            if (idle.get(i) == null && idle.compareAndSet(i, null, one)) {
                if (!keeping) {
                    trim(); // closed meanwhile
                }
                return true;
            }
        }
        budget.give(chunk.bytes());
        return false;
    }

    private void giveBack(@Nullable Idle one) {
        if (one != null) {
            budget.give(one.chunk.bytes());
            source.giveBack(one.chunk);
        }
    }
}
