package dev.kernelalloc.heap;

import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.os.Refusal;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.security.SecureRandom;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.LongAdder;

/**
 * The engine with mistakes made loud: for tests, for debugging, and where an attacker may steer
 * native code.
 *
 * <ul>
 *   <li>A block ends by one atomic exchange of its state: of two threads that free it in the same
 *       instant, one is refused.
 *   <li>Behind the last byte asked for stands a canary, a secret mixed with the address; a block
 *       whose canary has changed when it is freed is reported, and never used again.
 *   <li>What is freed is overwritten, and stays in quarantine until {@value Quarantine#PLACES}
 *       others have been freed after it, so that a late read finds the pattern, and a late free
 *       nobody else's block.
 *   <li>Blocks are handed out in random order.
 * </ul>
 */
public final class HardenedHeap implements Blocks {

    /**
     * What freed memory is overwritten with: as a pointer not canonical, as a number conspicuous.
     */
    public static final byte POISON = (byte) 0xDF;

    private static final ValueLayout.OfLong CANARY = ValueLayout.JAVA_LONG_UNALIGNED;
    private static final int CANARY_BYTES = Long.BYTES;

    /** Larger blocks go back at once: the quarantine would hold too much. */
    private static final int QUARANTINED_BYTES = 16 << 10;

    private final SlabHeap engine;
    private final byte pattern;
    private final long secret = new SecureRandom().nextLong();
    private final Quarantine quarantine = new Quarantine();

    /** Blocks without a slab. */
    private final ConcurrentSkipListMap<Long, Guarded> large = new ConcurrentSkipListMap<>();

    /** Blocks whose canary had changed: kept from use for ever. */
    private final LongAdder condemnedBlocks = new LongAdder();

    private final LongAdder condemnedBytes = new LongAdder();

    private record Guarded(long bytes, byte state) {}

    /**
     * A heap of no blocks yet.
     *
     * @param pattern that freed memory is overwritten with
     */
    public HardenedHeap(HeapSettings settings, ChunkSource source, byte pattern) {
        this.engine = new SlabHeap(settings, source, true);
        this.pattern = pattern;
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
    public long usableBytes(long address) {
        long bytes = bytesOf(address, Slab.RAW);
        if (bytes < 0) {
            throw engine.notALiveBlock(address);
        }
        return bytes;
    }

    /** Always another block, so that nobody comes to rely on the old one. */
    @Override
    public long reallocate(long address, long bytes, long alignment) throws Refusal {
        long kept = Math.min(usableBytes(address), bytes);
        long moved = allocate(bytes, alignment, false);
        NativeMemory.segment(moved, kept).copyFrom(NativeMemory.segment(address, kept));
        try {
            free(address);
        } catch (IllegalArgumentException | IllegalStateException e) {
            free(moved); // freed by another thread meanwhile, or overrun
            throw e;
        }
        return moved;
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
        long blocks = condemnedBlocks.sum();
        long bytes = condemnedBytes.sum();
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
        if (bytes > Long.MAX_VALUE - CANARY_BYTES - alignment) {
            throw new Refusal.OutOfMemory(
                    "%d bytes are more than can be addressed".formatted(bytes));
        }
        long address = engine.allocateOwned(bytes + CANARY_BYTES, alignment, zeroed);
        canaryOf(address, bytes).set(CANARY, 0, secret ^ address);
        Slab slab = slabOf(address);
        if (slab != null) {
            slab.guard(slab.indexOf(address), (int) bytes, state);
            return address;
        }
        try {
            large.put(address, new Guarded(bytes, state));
            return address;
        } catch (OutOfMemoryError e) {
            large.remove(address);
            engine.freeLarge(address);
            throw engine.javaHeapExhausted();
        }
    }

    private void free(long address, byte state) {
        Slab slab = slabOf(address);
        long bytes = bytesOf(address, state);
        boolean ended =
                bytes >= 0
                        && (slab == null
                                ? large.remove(address) != null
                                : slab.end(slab.indexOf(address), state));
        if (!ended) {
            throw engine.notALiveBlock(address);
        }
        requireCanary(address, bytes, slab);
        NativeMemory.segment(address, bytes).fill(pattern);
        if (slab == null) {
            engine.freeLarge(address);
        } else if (SizeClasses.bytes(slab.sizeClass) > QUARANTINED_BYTES || engine.isClosed()) {
            engine.freeOwned(slab, address);
        } else {
            release(quarantine.exchange(address));
            if (engine.isClosed()) {
                emptyQuarantine(); // closed meanwhile: nobody else would
            }
        }
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
        long found = canaryOf(address, bytes).get(CANARY, 0);
        if (found != (secret ^ address)) {
            condemnedBlocks.increment();
            condemnedBytes.add(
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

    private static MemorySegment canaryOf(long address, long bytes) {
        return NativeMemory.segment(address + bytes, CANARY_BYTES);
    }
}
