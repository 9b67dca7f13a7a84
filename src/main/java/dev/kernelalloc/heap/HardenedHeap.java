package dev.kernelalloc.heap;

import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.os.Refusal;

import java.lang.foreign.MemorySegment;
import java.security.SecureRandom;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;

/**
 * The engine with detection of memory errors: for tests, for debugging, and for processes whose
 * native code an attacker may steer. Each measure can be enabled alone; all of them rely on a
 * record of the requested size of each block, and of whether it is raw or owned.
 *
 * <ul>
 *   <li>A block is freed by one atomic exchange of its state: of two threads that free it at the
 *       same instant, one is refused.
 *   <li>A canary follows the last requested byte: a secret mixed with the address. A block whose
 *       canary has changed when it is freed is reported, and never used again.
 *   <li>Freed memory is overwritten: a late read finds the pattern.
 *   <li>A freed block stays in quarantine until {@value Quarantine#SLOTS} others have been freed
 *       after it: a late free or write does not hit another live block.
 *   <li>Blocks are handed out in random order.
 * </ul>
 */
public final class HardenedHeap implements Blocks, Budget.Holder {

    /**
     * The pattern that overwrites freed memory: non-canonical as a pointer, conspicuous as a
     * number.
     */
    public static final byte POISON = (byte) 0xDF;

    private static final int PATTERN_BYTES = 1 << 10;

    /** Larger blocks are released at once: the quarantine would hold too much. */
    private static final int QUARANTINED_BYTES = 16 << 10;

    /**
     * The measures of a hardened heap.
     *
     * @param canary detects writes beyond the requested bytes
     * @param overwriting overwrites freed memory
     * @param pattern the byte that overwrites it
     * @param quarantine delays the reuse of freed blocks
     * @param randomOrder hands out the blocks of a slab in random order
     */
    public record Measures(
            boolean canary,
            boolean overwriting,
            byte pattern,
            boolean quarantine,
            boolean randomOrder) {}

    /**
     * Freed blocks that must not be reused for a while: a ring, from which a block leaves when
     * another replaces it. Wait-free.
     */
    static final class Quarantine {

        /** The usual number of blocks that it holds. */
        static final int SLOTS = 1 << 10;

        private final AtomicLongArray ring;
        private final AtomicLong added = new AtomicLong();

        /**
         * Creates an empty quarantine.
         *
         * @param slots a power of two; 0 if no block is ever added
         */
        Quarantine(int slots) {
            this.ring = new AtomicLongArray(slots);
        }

        /** Adds a block; returns the block that it replaces, or 0. */
        long exchange(long block) {
            return ring.getAndSet((int) added.getAndIncrement() & ring.length() - 1, block);
        }

        /** Removes the block in a slot; 0 if there is none. */
        long remove(int slot) {
            return ring.getAndSet(slot, 0);
        }

        int slots() {
            return ring.length();
        }
    }

    private final SlabHeap engine;
    private final Measures measures;

    /** The size of the canary behind the requested bytes; 0 without canaries. */
    private final int canaryBytes;

    /** The pattern that overwrites freed memory. */
    private final MemorySegment pattern;

    private final long secret = new SecureRandom().nextLong();

    /** Has no slots if quarantine is disabled. */
    private final Quarantine quarantine;

    /** Blocks without a slab; their requested size includes the canary. */
    private final LargeBlocks large;

    /**
     * Creates an empty heap that reports events.
     *
     * @param measures the measures to enable
     */
    public HardenedHeap(
            HeapSettings settings, ChunkSource source, HeapListener listener, Measures measures) {
        Warmup.HARDENING.require();
        this.engine =
                new SlabHeap(
                        settings, source, new HighWater(), listener, true, measures.randomOrder());
        this.large = engine.large();
        this.measures = measures;
        this.canaryBytes = measures.canary() ? Long.BYTES : 0;
        this.quarantine = new Quarantine(measures.quarantine() ? Quarantine.SLOTS : 0);
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
        engine.makeOwned(address);
    }

    @Override
    public void makeRaw(long address) {
        engine.makeRaw(address);
    }

    @Override
    public long usableBytes(long address) {
        Slab slab = engine.find(address);
        if (slab == null) {
            LargeBlocks.Large block = large.at(address, true);
            if (block != null) {
                return bytesOf(block);
            }
        } else {
            int index = (int) slab.indexOf(address);
            if (slab.stateOf(index) == Slab.RAW) {
                return slab.guardedBytes(index);
            }
        }
        throw engine.notALiveBlock(address);
    }

    /** Always moves the block, so that no program comes to rely on the old address. */
    @Override
    public long resize(long address, long bytes, long alignment) {
        return 0;
    }

    /** Returns the exact requested size: the canary follows the last requested byte. */
    @Override
    public long usableOwned(long address, long bytes, long alignment) {
        return bytes;
    }

    @Override
    public void trim() {
        emptyQuarantine();
        engine.trim();
    }

    /** Verifies the invariants of the engine; no thread may use the heap during the call. */
    void checkInvariants() {
        engine.checkInvariants();
    }

    /** Leaves the quarantine alone: a block in it is not idle. */
    @Override
    public void releaseIdle() {
        engine.releaseIdle();
    }

    @Override
    public Counters estimate() {
        return engine.estimate();
    }

    private void emptyQuarantine() {
        for (int i = 0; i < quarantine.slots(); i++) {
            release(quarantine.remove(i));
        }
    }

    @Override
    public void close() {
        engine.close();
        trim();
    }

    @Override
    public void reclaimUnreachable() {
        if (!engine.isClosed()) {
            engine.close();
        }
        emptyQuarantine();
        engine.reclaimUnreachable();
    }

    @Override
    public boolean isClosed() {
        return engine.isClosed();
    }

    @Override
    public Counters counters() {
        return engine.counters();
    }

    @Override
    public long peakBytes() {
        return engine.peakBytes();
    }

    private long allocate(long bytes, long alignment, boolean zeroed, char state) throws Refusal {
        if (bytes > Long.MAX_VALUE - canaryBytes - alignment) {
            throw Blocks.unaddressable(bytes);
        }
        StackReserve.require();
        long address = engine.allocateOwned(bytes + canaryBytes, alignment, zeroed);
        // No statement below needs the Java heap.
        if (measures.canary()) {
            NativeMemory.word(address + bytes, secret ^ address);
        }
        Slab slab = engine.find(address);
        if (slab != null) {
            slab.guard((int) slab.indexOf(address), (int) bytes, state);
        } else if (state == Slab.RAW) {
            large.change(address, false);
        }
        return address;
    }

    private void free(long address, char state) {
        StackReserve.require();
        Slab slab = engine.find(address);
        if (slab == null) {
            freeLarge(address, state);
            return;
        }
        int index = (int) slab.indexOf(address);
        // One exchange: a late store could end the block of the next owner.
        if (!slab.change(index, state, Slab.HELD)) {
            throw engine.notALiveBlock(address);
        }
        // Not earlier: before the block ends, it might be freed and allocated again with another
        // size.
        poison(address, slab.guardedBytes(index));
        if (!isQuarantined(slab) || engine.isClosed()) {
            engine.freeBlock(slab, index, Slab.HELD);
        } else {
            release(quarantine.exchange(address));
            if (engine.isClosed()) {
                emptyQuarantine(); // closed concurrently: no other thread would
            }
        }
    }

    private void freeLarge(long address, char state) {
        LargeBlocks.Large block = large.hold(address, state == Slab.RAW);
        if (block == null) {
            throw engine.notALiveBlock(address);
        }
        poison(address, bytesOf(block));
        large.release(block);
    }

    private long bytesOf(LargeBlocks.Large block) {
        return block.bytes() - canaryBytes;
    }

    /** Checks the canary of a block that has ended, and overwrites the bytes before it. */
    private void poison(long address, long bytes) {
        if (measures.canary()) {
            requireCanary(address, bytes);
        }
        if (measures.overwriting()) {
            NativeMemory.fill(address, bytes, pattern);
        }
    }

    private boolean isQuarantined(Slab slab) {
        return measures.quarantine() && SizeClasses.bytes(slab.sizeClass) <= QUARANTINED_BYTES;
    }

    private void release(long address) {
        if (address != 0) {
            Slab slab = engine.find(address);
            engine.freeBlock(slab, (int) slab.indexOf(address), Slab.HELD);
        }
    }

    /** Keeps a damaged block from use: it stays held, and counts as quarantined. */
    private void requireCanary(long address, long bytes) {
        long found = NativeMemory.word(address + bytes);
        if (found != (secret ^ address)) {
            throw new IllegalStateException(
                    String.format(
                            Locale.ROOT,
                            "the block at 0x%x was overrun: something has written behind its %d"
                                + " bytes, where 0x%016x stands instead of the canary. It is kept"
                                + " from use; look for native code that writes too far",
                            address,
                            bytes,
                            found));
        }
    }
}
