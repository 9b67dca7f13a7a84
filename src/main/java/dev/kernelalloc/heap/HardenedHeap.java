package dev.kernelalloc.heap;

import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.os.Refusal;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.MemorySegment;
import java.security.SecureRandom;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicLongArray;

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
public final class HardenedHeap implements Blocks, Budget.Holder {

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

    /** Blocks without a slab; as asked for of them, their canary counts. */
    private final LargeBlocks large;

    /** How many blocks of each class, and of none, had a changed canary: never used again. */
    private final AtomicLongArray condemned = new AtomicLongArray(SizeClasses.NONE + 1);

    /** Of those that have no class. */
    private final AtomicLong condemnedLargeBytes = new AtomicLong();

    /**
     * A heap of no blocks yet, which tells what happens.
     *
     * @param measures that it takes
     */
    public HardenedHeap(
            HeapSettings settings, ChunkSource source, HeapListener listener, Measures measures) {
        Rehearsal.ofHardening();
        this.engine =
                new SlabHeap(
                        settings, source, new HighWater(), listener, true, measures.randomOrder());
        this.large = engine.large();
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
        boolean changed =
                slab != null
                        ? slab.change(slab.indexOf(address), from, to)
                        : large.change(address, from == Slab.RAW);
        if (!changed) {
            throw engine.notALiveBlock(address);
        }
    }

    @Override
    public long usableBytes(long address) {
        Slab slab = slabOf(address);
        if (slab == null) {
            LargeBlocks.Large block = large.at(address, true);
            if (block != null) {
                return bytesOf(block);
            }
        } else if (slab.stateOf(slab.indexOf(address)) == Slab.RAW) {
            return slab.guardedBytes(slab.indexOf(address));
        }
        throw engine.notALiveBlock(address);
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

    /** What is in quarantine is not idle: it stays there for its time. */
    @Override
    public void giveUpIdle() {
        engine.giveUpIdle();
    }

    @Override
    public Counters estimate() {
        return engine.estimate();
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
        Counters all = engine.counters();
        long[] quarantined = quarantinedBlocks();
        List<Counters.OfClass> classes =
                all.classes().stream().map(one -> one.quarantining(in(quarantined, one))).toList();
        Tally large = new Tally(condemned.get(SizeClasses.NONE), condemnedLargeBytes.get());
        return new Counters(classes, all.large().quarantining(large), all.chunks());
    }

    private static long in(long[] blocks, Counters.OfClass one) {
        return blocks[SizeClasses.of(one.blockBytes(), 1)];
    }

    /** Of each class, with those that never leave. */
    private long[] quarantinedBlocks() {
        long[] blocks = new long[SizeClasses.COUNT];
        for (int i = 0; i < blocks.length; i++) {
            blocks[i] = condemned.get(i);
        }
        for (int i = 0; i < quarantine.places(); i++) {
            long address = quarantine.at(i);
            Slab slab = address == 0 ? null : engine.slabAt(address);
            if (slab != null) {
                blocks[slab.sizeClass]++;
            }
        }
        return blocks;
    }

    @Override
    public long peakBytes() {
        return engine.peakBytes();
    }

    private long allocate(long bytes, long alignment, boolean zeroed, byte state) throws Refusal {
        if (bytes > Long.MAX_VALUE - canaryBytes - alignment) {
            throw new Refusal.OutOfMemory(
                    String.format(Locale.ROOT, "%d bytes are more than can be addressed", bytes));
        }
        StackReserve.require();
        long address = engine.allocateOwned(bytes + canaryBytes, alignment, zeroed);
        // From here on nothing needs the Java heap.
        if (measures.canary()) {
            NativeMemory.word(address + bytes, secret ^ address);
        }
        Slab slab = slabOf(address);
        if (slab != null) {
            slab.guard(slab.indexOf(address), (int) bytes, state);
        } else if (state == Slab.RAW) {
            large.change(address, false);
        }
        return address;
    }

    private void free(long address, byte state) {
        StackReserve.require();
        Slab slab = slabOf(address);
        if (slab == null) {
            freeLarge(address, state);
            return;
        }
        int index = slab.indexOf(address);
        if (!end(slab, index, state)) {
            throw engine.notALiveBlock(address);
        }
        // Only now: until it has ended it might end and begin again, with other bytes.
        spoil(address, slab.guardedBytes(index), slab.sizeClass);
        if (!isQuarantined(slab) || engine.isClosed()) {
            engine.freeOwned(slab, address);
        } else {
            release(quarantine.exchange(address));
            if (engine.isClosed()) {
                emptyQuarantine(); // closed meanwhile: nobody else would
            }
        }
    }

    private void freeLarge(long address, byte state) {
        LargeBlocks.Large block = large.hold(address, state == Slab.RAW);
        if (block == null) {
            throw engine.notALiveBlock(address);
        }
        try {
            spoil(address, bytesOf(block), SizeClasses.NONE);
        } catch (IllegalStateException e) {
            condemnedLargeBytes.addAndGet(block.capacityBytes());
            throw e;
        }
        large.release(block);
    }

    private long bytesOf(LargeBlocks.Large block) {
        return block.bytes() - canaryBytes;
    }

    /** Looks at the canary of a block that has ended, and overwrites what stands before it. */
    private void spoil(long address, long bytes, int sizeClass) {
        if (measures.canary()) {
            requireCanary(address, bytes, sizeClass);
        }
        if (measures.overwriting()) {
            NativeMemory.fill(address, bytes, pattern);
        }
    }

    /** Ends a live block of that state: with an atomic end true for one of those who try. */
    private boolean end(Slab slab, int index, byte state) {
        if (measures.atomicEnd()) {
            return slab.end(index, state);
        }
        if (slab.stateOf(index) != state) {
            return false;
        }
        slab.endPlainly(index);
        return true;
    }

    private boolean isQuarantined(Slab slab) {
        return measures.quarantine() && SizeClasses.bytes(slab.sizeClass) <= QUARANTINED_BYTES;
    }

    private void release(long address) {
        if (address != 0) {
            engine.freeOwned(slabOf(address), address);
        }
    }

    /** The slab that has a block at that address. */
    private @Nullable Slab slabOf(long address) {
        Slab slab = engine.slabAt(address);
        return slab != null && slab.indexOf(address) >= 0 ? slab : null;
    }

    private void requireCanary(long address, long bytes, int sizeClass) {
        long found = NativeMemory.word(address + bytes);
        if (found != (secret ^ address)) {
            condemned.incrementAndGet(sizeClass);
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
