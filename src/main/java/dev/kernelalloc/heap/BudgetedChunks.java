package dev.kernelalloc.heap;

import dev.kernelalloc.os.Refusal;

import java.util.function.LongConsumer;

/**
 * Chunks of another source, each charged to a budget from before it is obtained until it is
 * released.
 */
public final class BudgetedChunks extends ForwardingChunks {

    private static final long FIRST_RANGE_BYTES = 1L << 20;

    /** A range takes at most this fraction of what is left. */
    private static final int LEFT_SHARE = 4;

    private final Budget budget;
    private final LongConsumer charged;

    /**
     * Creates a source under a budget.
     *
     * @param source a source whose chunks have exactly the requested size
     * @param charged receives each change of the number of bytes; must not fail
     */
    public BudgetedChunks(ChunkSource source, Budget budget, LongConsumer charged) {
        super(source);
        this.budget = budget;
        this.charged = charged;
    }

    @Override
    public Chunk obtain(long bytes, long alignment) throws Refusal {
        budget.charge(bytes);
        Chunk chunk;
        try {
            chunk = source.obtain(bytes, alignment);
        } catch (Throwable e) {
            budget.uncharge(bytes);
            throw e;
        }
        charged.accept(bytes);
        return chunk;
    }

    @Override
    public void release(Chunk chunk) {
        source.release(chunk);
        budget.uncharge(chunk.bytes());
        charged.accept(-chunk.bytes());
    }

    @Override
    public Chunk resize(Chunk chunk, long bytes) throws Refusal {
        long more = Math.max(0, bytes - chunk.bytes());
        budget.charge(more);
        Chunk resized;
        try {
            resized = source.resize(chunk, bytes);
        } catch (Throwable e) {
            budget.uncharge(more);
            throw e;
        }
        budget.uncharge(Math.max(0, chunk.bytes() - bytes));
        charged.accept(bytes - chunk.bytes());
        return resized;
    }

    /**
     * Returns a size that grows with use under a limit. A whole range is charged, used or not. So
     * under a limit ranges begin small and grow with what is in use, and most of what is left
     * remains for others under the same limit. The ranges of a child begin small even without a
     * limit: a child may live for one query, and a range large enough to be a separate mapping
     * costs more than the query's blocks.
     */
    @Override
    public long rangeBytes() {
        long wanted = source.rangeBytes();
        long left = budget.left();
        if (left == Budget.UNLIMITED && !budget.isChild()) {
            return wanted;
        }
        long grown = Math.max(FIRST_RANGE_BYTES, Long.highestOneBit(budget.used()));
        long share = Long.highestOneBit(left / LEFT_SHARE);
        return Math.max(Range.GRANULE_BYTES, Math.min(wanted, Math.min(grown, share)));
    }

    @Override
    public Budget budget() {
        return budget;
    }
}
