package dev.kernelalloc.heap;

import dev.kernelalloc.heap.Counters.Tally;
import dev.kernelalloc.os.Refusal;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The live blocks of one allocator, each with its owner, found by start address.
 *
 * <p>An address is in the table from the moment its block is handed out until just before the
 * source gets it back. Removing it from its owner is the one decision that ends a block: of two
 * threads that free the same block one removes it, and the other is refused. So no block is
 * released twice, and no address outside the table is released at all. Ending a block, and changing
 * its owner, create no Java object, since a box that failed to close cannot be closed again.
 *
 * <p>After {@link #close}, live blocks may still be freed; only new ones are refused.
 */
public final class LiveBlocks implements Blocks {

    /** The party that may end a block. */
    private enum Owner {
        CALLER("the caller"),
        BOX_OR_ARENA("a box or an arena, whose close frees it"),
        NONE("no owner: it is being freed");

        private final String description;

        Owner(String description) {
            this.description = description;
        }
    }

    private static final class Entry {
        private static final VarHandle OWNER =
                FieldHandle.of(MethodHandles.lookup(), "owner", Owner.class);

        static {
            new Entry(new Block(0, 0, 0, Block.Origin.PAGES), Owner.CALLER) // see Warmup
                    .change(Owner.CALLER, Owner.NONE);
        }

        private final Block block;
        private volatile Owner owner;

        Entry(Block block, Owner owner) {
            this.block = block;
            this.owner = owner;
        }

        boolean change(Owner from, Owner to) {
            return OWNER.compareAndSet(this, from, to);
        }
    }

    private final String tag;
    private final BlockSource source;
    private final ConcurrentHashMap<BlockKey, Entry> entries = new ConcurrentHashMap<>();
    private final BlockKey.Keys keys = new BlockKey.Keys();
    private final HighWater capacity;
    private final AtomicLong liveBytes = new AtomicLong();
    private final AtomicLong allocated = new AtomicLong();
    private final AtomicLong freed = new AtomicLong();
    private volatile boolean closed;

    /**
     * Creates an empty table.
     *
     * @param tag the name of the allocator in messages
     */
    public LiveBlocks(String tag, BlockSource source) {
        this(tag, source, new HighWater());
    }

    /** Creates an empty table whose blocks are counted together with others. */
    public LiveBlocks(String tag, BlockSource source, HighWater capacity) {
        this.tag = tag;
        this.source = source;
        this.capacity = capacity;
    }

    @Override
    public long allocate(long bytes, long alignment, boolean zeroed) throws Refusal {
        return allocate(bytes, alignment, zeroed, Owner.CALLER);
    }

    @Override
    public long allocateOwned(long bytes, long alignment, boolean zeroed) throws Refusal {
        return allocate(bytes, alignment, zeroed, Owner.BOX_OR_ARENA);
    }

    @Override
    public void free(long address) {
        end(claim(address, Owner.CALLER));
    }

    @Override
    public void freeOwned(long address, long bytes, long alignment) {
        end(claim(address, Owner.BOX_OR_ARENA));
    }

    @Override
    public void freeOnceRaw(long address) {
        end(claim(address, Owner.BOX_OR_ARENA));
    }

    @Override
    public void makeOwned(long address) {
        change(address, Owner.CALLER, Owner.BOX_OR_ARENA);
    }

    @Override
    public void makeRaw(long address) {
        change(address, Owner.BOX_OR_ARENA, Owner.CALLER);
    }

    private void change(long address, Owner from, Owner to) {
        if (!find(address, from).change(from, to)) {
            throw notALiveBlock(address); // another thread was first
        }
    }

    @Override
    public long usableBytes(long address) {
        return find(address, Owner.CALLER).block.capacityBytes();
    }

    @Override
    public long usableOwned(long address, long bytes, long alignment) {
        return find(address, Owner.BOX_OR_ARENA).block.capacityBytes();
    }

    private long allocate(long bytes, long alignment, boolean zeroed, Owner owner) throws Refusal {
        requireOpen();
        Block block = source.obtain(bytes, alignment, zeroed);
        Entry entry = register(block, owner);
        count(allocated, block.capacityBytes());
        if (closed && tryEnd(entry, owner)) {
            // Closed concurrently. The closer has counted either before or after this block: it is
            // no longer live.
            end(block);
            requireOpen();
        }
        return block.address();
    }

    @Override
    public long resize(long address, long bytes, long alignment) throws Refusal {
        Block block = find(address, Owner.CALLER).block;
        return source.resizes(block, alignment)
                ? resize(address, bytes, alignment, Owner.CALLER)
                : 0;
    }

    @Override
    public long growableAlignment(long alignment) {
        return source.resizes(alignment) ? alignment : 0;
    }

    @Override
    public long growOwned(long address, long bytes, long alignment) throws Refusal {
        return resize(address, bytes, alignment, Owner.BOX_OR_ARENA);
    }

    private long resize(long address, long bytes, long alignment, Owner owner) throws Refusal {
        requireOpen();
        // Removed from the table first: once realloc has moved the block, another thread may get
        // the address. It is added again only if the source has certainly not released it.
        Block old = claim(address, owner);
        Block resized;
        try {
            resized = source.resize(old, bytes, alignment);
        } catch (Throwable e) {
            // After an Error, as the Java heap or stack is exhausted, C's realloc may have moved
            // it.
            if (e instanceof Error && old.origin() != Block.Origin.PAGES) {
                count(freed, -old.capacityBytes());
            } else {
                entries.put(new BlockKey(address), new Entry(old, owner));
            }
            throw e;
        }
        try {
            register(resized, owner);
        } catch (Error e) { // the same: the block has ended
            count(freed, -old.capacityBytes());
            throw e;
        }
        change(resized.capacityBytes() - old.capacityBytes());
        return resized.address();
    }

    /**
     * Makes a block alive that the source frees but has not allocated; the caller vouches for it.
     *
     * @throws IllegalArgumentException if a live block starts there
     * @throws IllegalStateException if closed
     */
    public void adopt(Block block) {
        requireOpen();
        Entry known =
                entries.putIfAbsent(new BlockKey(block.address()), new Entry(block, Owner.CALLER));
        if (known != null) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "0x%x is a live block of this allocator already, it belongs to %s",
                            block.address(),
                            known.owner.description));
        }
        count(allocated, block.capacityBytes());
    }

    /**
     * Forgets a block of the caller's without releasing it to the source.
     *
     * @throws IllegalArgumentException if no live block of the caller's starts there
     */
    public void disown(long address) {
        count(freed, -claim(address, Owner.CALLER).capacityBytes());
    }

    @Override
    public void close() {
        requireOpen();
        closed = true;
    }

    @Override
    public void trim() {
        source.trim();
    }

    @Override
    public boolean isClosed() {
        return closed;
    }

    @Override
    public Counters counters() {
        long blocks = Math.max(0, allocated.get() - freed.get());
        Tally live = new Tally(blocks, Math.max(0, liveBytes.get()));
        return new Counters(List.of(), new Counters.Large(live, Tally.NONE, Tally.NONE), live);
    }

    @Override
    public long peakBytes() {
        return capacity.mostBytes();
    }

    private void requireOpen() {
        if (closed) {
            throw Blocks.closed(tag);
        }
    }

    private Entry register(Block block, Owner owner) {
        Entry entry = null;
        Entry stale;
        try {
            entry = new Entry(block, owner);
            stale = entries.put(new BlockKey(block.address()), entry);
        } catch (Error e) { // the Java heap or stack is exhausted
            if (entry != null) {
                remove(entry); // it may have come into the table
            }
            source.release(block);
            throw e;
        }
        if (stale != null) { // C code has freed a block of ours that was not disowned
            count(freed, -stale.block.capacityBytes());
        }
        return entry;
    }

    private void remove(Entry entry) {
        keys.remove(entries, entry.block.address(), entry);
    }

    private void end(Block block) {
        count(freed, -block.capacityBytes());
        source.release(block);
    }

    private void count(AtomicLong event, long bytes) {
        event.incrementAndGet();
        change(bytes);
    }

    private void change(long bytes) {
        liveBytes.addAndGet(bytes);
        capacity.change(bytes);
    }

    private Block claim(long address, Owner owner) {
        Entry entry = find(address, owner);
        if (!tryEnd(entry, owner)) {
            throw notALiveBlock(address); // another thread was first
        }
        return entry.block;
    }

    /** Removes the block from the table; false if it was not the owner's. */
    private boolean tryEnd(Entry entry, Owner owner) {
        if (!entry.change(owner, Owner.NONE)) {
            return false;
        }
        try {
            remove(entry);
        } catch (Error e) { // the Java stack is exhausted
            entry.change(Owner.NONE, owner);
            throw e;
        }
        return true;
    }

    private Entry find(long address, Owner owner) {
        Entry entry = keys.get(entries, address);
        if (entry == null) {
            throw notALiveBlock(address);
        }
        Owner known = entry.owner;
        if (known != owner) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "block at 0x%x (%d bytes) belongs to %s",
                            address,
                            entry.block.bytes(),
                            known.description));
        }
        return entry;
    }

    /** Cold: searches all blocks to distinguish an interior address from a foreign one. */
    private IllegalArgumentException notALiveBlock(long address) {
        for (Entry entry : entries.values()) {
            Block block = entry.block;
            if (block.covers(address) && address != block.address()) {
                return new IllegalArgumentException(
                        String.format(
                                Locale.ROOT,
                                "0x%x lies %d bytes inside the block at 0x%x (%d bytes): pass its"
                                        + " start",
                                address,
                                address - block.address(),
                                block.address(),
                                block.bytes()));
            }
        }
        return Blocks.notALiveBlock(address);
    }
}
