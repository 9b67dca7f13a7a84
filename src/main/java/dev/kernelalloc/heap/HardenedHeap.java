package dev.kernelalloc.heap;

import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.os.Refusal;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.MemorySegment;
import java.security.SecureRandom;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The engine with mistakes made loud: for tests, for debugging, and where an attacker may steer
 * native code. Each of its measures can be taken alone; what all of them stand on is that the size
 * asked for of each block is known, and whether it is raw or owned.
 *
 * <ul>
 *   <li>A block ends by one atomic exchange of its state: of two threads that free it in the same
 *       instant, one is refused.
 *   <li>Behind the last byte asked for stands a canary, a secret mixed with the address; a block
 *       whose canary has changed when it is freed is reported, and never used again.
 *   <li>What is freed is overwritten: a late read finds the pattern.
 *   <li>It stays in quarantine until {@value Quarantine#PLACES} others have been freed after it: a
 *       late free or write finds nobody else's block.
 *   <li>Blocks are handed out in random order.
 * </ul>
 */
public final class HardenedHeap implements Blocks {

    /**
     * What freed memory is overwritten with: as a pointer not canonical, as a number conspicuous.
     */
    public static final byte POISON = (byte) 0xDF;

    private static final int PATTERN_BYTES = 1 << 10;

    /** Larger blocks go back at once: the quarantine would hold too much. */
    private static final int QUARANTINED_BYTES = 16 << 10;

    private final SlabHeap engine;
    private final Measures measures;

    /** Behind the bytes asked for; 0 without canaries. */
    private final int canaryBytes;

    /** What freed memory is overwritten with. */
    private final MemorySegment pattern;

    private final long secret = new SecureRandom().nextLong();

    /** Without places where there is none. */
    private final Quarantine quarantine;

    /** Blocks without a slab. */
    private final ConcurrentSkipListMap<Long, Guarded> large = new ConcurrentSkipListMap<>();

    /** Blocks whose canary had changed: kept from use for ever. */
    private final AtomicLong condemnedBlocks = new AtomicLong();

    private final AtomicLong condemnedBytes = new AtomicLong();

    private record Guarded(long bytes, byte state) {}

    /**
     * A heap of no blocks yet.
     *
     * @param measures that it takes
     */
    public HardenedHeap(HeapSettings settings, ChunkSource source, Measures measures) {
        this.engine = new SlabHeap(settings, source, true, measures.randomOrder());
        this.measures = measures;
        this.canaryBytes = measures.canary() ? Long.BYTES : 0;
        this.quarantine = new Quarantine(measures.quarantine() ? Quarantine.PLACES : 0);
        this.pattern = MemorySegment.ofArray(new byte[PATTERN_BYTES]).fill(measures.pattern());
    }

    @Override
    public long allocate(long bytes, long alignment, boolean zeroed) throws Refusal {
        return allocate(bytes, alignment, zeroed, Slab.RAW);
    }

    @Override
    public long allocateOwned(long bytes, long alignment, boolean zeroed) throws Refusal {
        return allocate(bytes, alignment, zeroed, Slab.OWNED);
    }

    @Override
    public void free(long address) {
        free(address, Slab.RAW);
    }

    @Override
    public void freeOwned(long address, long bytes, long alignment) {
        free(address, Slab.OWNED);
    }

    @Override
    public void makeOwned(long address) {
        change(address, Slab.RAW, Slab.OWNED);
    }

    @Override
    public void makeRaw(long address) {
        change(address, Slab.OWNED, Slab.RAW);
    }

    private void change(long address, byte from, byte to) {
        Slab slab = slabOf(address);
        boolean changed;
        if (slab != null) {
            changed = slab.change(slab.indexOf(address), from, to);
        } else {
            Guarded block = large.get(address);
            changed =
                    block != null
                            && block.state == from
                            && large.replace(address, block, new Guarded(block.bytes, to));
        }
        if (!changed) {
            throw engine.notALiveBlock(address);
        }
    }

    @Override
    public long usableBytes(long address) {
        long bytes = bytesOf(address, Slab.RAW);
        if (bytes < 0) {
            throw engine.notALiveBlock(address);
        }
        return bytes;
    }

    /** Always to another block, so that nobody comes to rely on the old one. */
    @Override
    public long resize(long address, long bytes, long alignment) {
        return 0;
    }

    /** The canary stands behind the last byte asked for. */
    @Override
    public long usableOwned(long address, long bytes, long alignment) {
        return bytes;
    }

    @Override
    public void trim() {
        emptyQuarantine();
        engine.trim();
    }

    private void emptyQuarantine() {
        for (int i = 0; i < quarantine.places(); i++) {
            release(quarantine.take(i));
        }
    }

    @Override
    public void close() {
        engine.close();
        trim();
    }

    @Override
    public boolean isClosed() {
        return engine.isClosed();
    }

    @Override
    public Counters counters() {
        Counters all = engine.counters();
        long blocks = condemnedBlocks.get();
        long bytes = condemnedBytes.get();
        for (int i = 0; i < quarantine.places(); i++) {
            long address = quarantine.at(i);
            Slab slab = address == 0 ? null : engine.slabAt(address);
            if (slab != null) {
                blocks++;
                bytes += SizeClasses.bytes(slab.sizeClass);
            }
        }
        return new Counters(
                all.liveBlocks() - blocks,
                all.liveBytes() - bytes,
                all.cachedBytes(),
                all.depotBytes(),
                all.freeBytes(),
                bytes,
                all.capacityBytes(),
                all.refusedRequests());
    }

    private long allocate(long bytes, long alignment, boolean zeroed, byte state) throws Refusal {
        if (bytes > Long.MAX_VALUE - canaryBytes - alignment) {
            throw new Refusal.OutOfMemory(
                    "%d bytes are more than can be addressed".formatted(bytes));
        }
        StackReserve.require();
        long address = engine.allocateOwned(bytes + canaryBytes, alignment, zeroed);
        Slab slab = slabOf(address);
        Long key = null;
        try {
            if (measures.canary()) {
                NativeMemory.word(address + bytes, secret ^ address);
            }
            if (slab == null) {
                key = address;
                large.put(key, new Guarded(bytes, state));
            } else {
                slab.guard(slab.indexOf(address), (int) bytes, state);
            }
            return address;
        } catch (Error e) { // the Java heap or stack is exhausted
            if (key != null) {
                large.remove(key);
            }
            giveBack(slab, address);
            if (e instanceof OutOfMemoryError) {
                throw engine.javaHeapExhausted();
            }
            throw e;
        }
    }

    private void free(long address, byte state) {
        StackReserve.require();
        Slab slab = slabOf(address);
        long bytes = bytesOf(address, state);
        if (bytes < 0 || !end(address, state, slab)) {
            throw engine.notALiveBlock(address);
        }
        if (measures.canary()) {
            requireCanary(address, bytes, slab);
        }
        if (measures.overwriting()) {
            NativeMemory.fill(address, bytes, pattern);
        }
        if (!isQuarantined(slab) || engine.isClosed()) {
            giveBack(slab, address);
        } else {
            release(quarantine.exchange(address));
            if (engine.isClosed()) {
                emptyQuarantine(); // closed meanwhile: nobody else would
            }
        }
    }

    private void giveBack(@Nullable Slab slab, long address) {
        if (slab == null) {
            engine.freeLarge(address);
        } else {
            engine.freeOwned(slab, address);
        }
    }

    /** Ends a live block of that state: with an atomic end true for one of those who try. */
    private boolean end(long address, byte state, @Nullable Slab slab) {
        if (slab == null) {
            return large.remove(address) != null;
        }
        int index = slab.indexOf(address);
        if (measures.atomicEnd()) {
            return slab.end(index, state);
        }
        slab.endPlainly(index);
        return true;
    }

    private boolean isQuarantined(@Nullable Slab slab) {
        return slab != null
                && measures.quarantine()
                && SizeClasses.bytes(slab.sizeClass) <= QUARANTINED_BYTES;
    }

    private void release(long address) {
        if (address != 0) {
            engine.freeOwned(slabOf(address), address);
        }
    }

    /** The bytes asked for of a live block of that state; or -1. */
    private long bytesOf(long address, byte state) {
        Slab slab = slabOf(address);
        if (slab != null) {
            int index = slab.indexOf(address);
            return slab.stateOf(index) == state ? slab.guardedBytes(index) : -1;
        }
        Guarded block = large.get(address);
        return block != null && block.state == state ? block.bytes : -1;
    }

    /** The slab that has a block at that address. */
    private @Nullable Slab slabOf(long address) {
        Slab slab = engine.slabAt(address);
        return slab != null && slab.indexOf(address) >= 0 ? slab : null;
    }

    private void requireCanary(long address, long bytes, @Nullable Slab slab) {
        long found = NativeMemory.word(address + bytes);
        if (found != (secret ^ address)) {
            condemnedBlocks.incrementAndGet();
            condemnedBytes.addAndGet(
                    slab == null
                            ? engine.largeBytesAt(address)
                            : SizeClasses.bytes(slab.sizeClass));
            throw new IllegalStateException(
                    ("the block at 0x%x was overrun: something has written behind its %d bytes,"
                                    + " where 0x%016x stands instead of the canary. It is kept from"
                                    + " use; look for native code that writes too far")
                            .formatted(address, bytes, found));
        }
    }
}
