package dev.kernelalloc.benchmarks.soak;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.benchmarks.heap.SizeMix;
import dev.kernelalloc.benchmarks.heap.Xorshift;
import dev.kernelalloc.struct.StructType;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.util.Collection;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReferenceArray;

/** One of the threads: it owns blocks of its own, and gives some to others. */
final class SoakThread implements Runnable {

    /** A copy. */
    private record Point(long x, long y, int z) {}

    /** A live view. */
    private interface Counter {
        long value();

        void value(long value);
    }

    private static final StructType<Point> POINT =
            StructType.of(MethodHandles.lookup(), Point.class);
    private static final StructType<Counter> COUNTER =
            StructType.of(MethodHandles.lookup(), Counter.class);

    private static final int SLOTS = 512;
    private static final int LARGE_ONE_IN = 512;
    private static final int LARGE_BYTES = 256 << 10;
    private static final int TINY_ONE_IN = 32;
    private static final int TINY_BYTES = 16;
    private static final int ALIGNED_ONE_IN = 16;
    private static final int ALIGNMENTS = 13; // from 1 to 4096
    private static final int SHARED_ARENA_ONE_IN = 1024; // the JDK's takes a handshake
    private static final int ARENA_BLOCKS = 10;
    private static final int TRIM_ONE_IN = 1 << 20;
    private static final int DISTURBED_TRIM_ONE_IN = 1 << 13;
    private static final int MAX_LEG = 1 << 14;

    private final KernelAllocator allocator;
    private final AtomicReferenceArray<Held> mailboxes;
    private final Xorshift random;
    private final long share;
    private final int trimOneIn;
    private final Held[] slots = new Held[SLOTS];
    private final AtomicLong operations = new AtomicLong();

    private long allocated;
    private long zeroed;
    private long freed;
    private long reallocated;
    private long boxes;
    private long arenas;
    private long arenaBlocks;
    private long handedOver;
    private long trims;
    private long checks;

    SoakThread(
            KernelAllocator allocator,
            AtomicReferenceArray<Held> mailboxes,
            int seed,
            long share,
            boolean disturbed) {
        this.trimOneIn = disturbed ? DISTURBED_TRIM_ONE_IN : TRIM_ONE_IN;
        this.allocator = allocator;
        this.mailboxes = mailboxes;
        this.random = new Xorshift(seed);
        this.share = share;
    }

    /** Done so far; may be asked by any thread. */
    long operations() {
        return operations.get();
    }

    /** The totals of ended threads. */
    static String sum(Collection<SoakThread> threads) {
        return """
        allocated %,d, zeroed %,d, freed %,d, reallocated %,d,
        boxes %,d, arenas %,d with %,d blocks, handed to another thread %,d, trims %,d;
        contents verified %,d times\
        """
                .formatted(
                        threads.stream().mapToLong(one -> one.allocated).sum(),
                        threads.stream().mapToLong(one -> one.zeroed).sum(),
                        threads.stream().mapToLong(one -> one.freed).sum(),
                        threads.stream().mapToLong(one -> one.reallocated).sum(),
                        threads.stream().mapToLong(one -> one.boxes).sum(),
                        threads.stream().mapToLong(one -> one.arenas).sum(),
                        threads.stream().mapToLong(one -> one.arenaBlocks).sum(),
                        threads.stream().mapToLong(one -> one.handedOver).sum(),
                        threads.stream().mapToLong(one -> one.trims).sum(),
                        threads.stream().mapToLong(one -> one.checks).sum());
    }

    @Override
    public void run() {
        run(share);
        freeAll();
    }

    /**
     * The same in legs, each by a thread of its own that has ended when the next one begins: a
     * platform or a virtual one.
     */
    void runInLegs() throws InterruptedException, ExecutionException {
        while (operations.get() < share) {
            long end = Math.min(share, operations.get() + 1 + random.below(MAX_LEG));
            FutureTask<Void> leg = new FutureTask<>(() -> run(end), null);
            Thread.Builder builder =
                    random.below(2) == 0 ? Thread.ofPlatform().daemon() : Thread.ofVirtual();
            builder.start(leg).join();
            leg.get();
        }
        freeAll();
    }

    private void run(long end) {
        while (operations.getPlain() < end) {
            step(random.below(SLOTS));
            operations.setOpaque(
                    allocated + zeroed + freed + reallocated + boxes + arenas + arenaBlocks);
        }
    }

    private void freeAll() {
        for (int slot = 0; slot < SLOTS; slot++) {
            free(slot);
        }
    }

    private void step(int slot) {
        switch (random.below(16)) {
            case 0, 1, 2, 3, 4 -> allocate(slot);
            case 5, 6 -> allocateZeroed(slot);
            case 7 -> reallocate(slot);
            case 8 -> copy();
            case 9 -> view();
            case 10 -> arena();
            case 11, 12 -> handOver(slot);
            default -> free(slot);
        }
        if (random.below(trimOneIn) == 0) {
            allocator.trim();
            trims++;
        }
    }

    // ---- raw blocks ---------------------------------------------------------------------------

    private void allocate(int slot) {
        free(slot);
        long alignment = alignment();
        hold(slot, allocator.allocate(size(), alignment), alignment);
        allocated++;
    }

    private void allocateZeroed(int slot) {
        free(slot);
        long alignment = alignment();
        MemorySegment block = allocator.allocateZeroed(size(), alignment);
        Stamp.verifyZeros(block);
        checks++;
        hold(slot, block, alignment);
        zeroed++;
    }

    private void reallocate(int slot) {
        Held held = slots[slot];
        if (held == null) {
            return;
        }
        held.verify();
        long before = held.block().byteSize();
        long alignment = alignment();
        MemorySegment block = allocator.reallocate(held.block(), size(), alignment);
        Stamp.verify(block, before, held.stamp());
        checks += 2;
        hold(slot, block, alignment);
        reallocated++;
    }

    private void hold(int slot, MemorySegment block, long alignment) {
        slots[slot] = new Held(block, alignment, random.next());
    }

    private void free(int slot) {
        Held held = slots[slot];
        if (held != null) {
            slots[slot] = null;
            held.verify();
            checks++;
            held.free(allocator);
            freed++;
        }
    }

    /** Leaves the block to whoever comes by, and takes what another has left. */
    private void handOver(int slot) {
        Held mine = slots[slot];
        slots[slot] = mailboxes.getAndSet(random.below(mailboxes.length()), mine);
        if (mine != null) {
            handedOver++;
        }
    }

    // ---- boxes and arenas ---------------------------------------------------------------------

    private void copy() {
        Point value = new Point(random.next(), random.next(), (int) random.next());
        try (NativeBox<Point> box = NativeBox.of(allocator, POINT, value)) {
            require(box.get().equals(value), box);
            box.set(new Point(value.y(), value.x(), value.z()));
            require(box.get().x() == value.y(), box);
        }
        checks++;
        boxes++;
    }

    private void view() {
        long value = random.next();
        try (NativeBox<Counter> box = NativeBox.zeroed(allocator, COUNTER)) {
            Counter counter = box.get();
            require(counter.value() == 0, box);
            counter.value(value);
            require(counter.value() == value, box);
        }
        checks++;
        boxes++;
    }

    private void arena() {
        boolean shared = random.below(SHARED_ARENA_ONE_IN) == 0;
        long stamp = random.next();
        try (Arena arena = shared ? allocator.sharedArena() : allocator.arena()) {
            MemorySegment[] blocks = new MemorySegment[1 + random.below(ARENA_BLOCKS)];
            for (int i = 0; i < blocks.length; i++) {
                blocks[i] = arena.allocate(size(), alignment());
                Stamp.verifyZeros(blocks[i]);
                Stamp.write(blocks[i], stamp + i);
            }
            for (int i = 0; i < blocks.length; i++) {
                Stamp.verify(blocks[i], blocks[i].byteSize(), stamp + i);
            }
            checks += 2L * blocks.length;
            arenaBlocks += blocks.length;
        }
        arenas++;
    }

    private static void require(boolean holds, NativeBox<?> box) {
        if (!holds) {
            throw new IllegalStateException("wrong content: " + box);
        }
    }

    // ---- what is asked for --------------------------------------------------------------------

    private long size() {
        if (random.below(LARGE_ONE_IN) == 0) {
            return random.below(LARGE_BYTES);
        }
        if (random.below(TINY_ONE_IN) == 0) {
            return random.below(TINY_BYTES);
        }
        return SizeMix.size(random.next()) - random.below(Long.BYTES);
    }

    private long alignment() {
        return random.below(ALIGNED_ONE_IN) == 0 ? 1L << random.below(ALIGNMENTS) : Long.BYTES;
    }
}
