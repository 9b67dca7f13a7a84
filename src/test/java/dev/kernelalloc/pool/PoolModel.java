package dev.kernelalloc.pool;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatNoException;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.AllocatorStats;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.PackageAccess;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.os.FakeOperatingSystem;
import dev.kernelalloc.os.FakeOperatingSystem.Operation;
import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.struct.StructType;
import dev.kernelalloc.testing.Await;
import dev.kernelalloc.testing.Stamp;
import dev.kernelalloc.testing.Workers;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;

/**
 * A pool, used by several threads, and beside it what must be true of it: which blocks are alive,
 * where, and what stands in them.
 */
final class PoolModel {

    /** What can be done with a pool. */
    enum Kind {
        ALLOCATE,
        ALLOCATE_ZEROED,
        FREE,
        REALLOCATE,
        OPEN_BOX,
        CLOSE_BOX,
        OPEN_ARENA,
        ALLOCATE_IN_ARENA,
        CLOSE_ARENA,
        TRIM,
        FREE_TWICE,
        FREE_INTERIOR,
        FREE_WHAT_A_BOX_OWNS
    }

    /**
     * One thing that is done.
     *
     * @param worker the number of the thread that does it
     * @param pick chooses among what is there
     * @param size of a block
     * @param alignment of a block
     */
    record Step(Kind kind, int worker, int pick, long size, long alignment) {}

    /**
     * What is done at the same time, by several threads.
     *
     * @param refusing whether the system has no memory meanwhile
     */
    record Burst(boolean refusing, List<Step> steps) {}

    /** A piece of memory in use; its contents are stamped with its number. */
    private record Live(MemorySegment memory, long number) {

        void check() {
            Stamp.check(memory, memory.byteSize(), number);
        }
    }

    private record LiveBox(NativeBox<MemorySegment> box, int worker, Live contents) {}

    private record LiveArena(Arena arena, boolean shared, int worker, Queue<Live> segments) {}

    private static final List<StructType<MemorySegment>> BOX_TYPES =
            Stream.of(new long[][] {{8, 4}, {24, 8}, {100, 1}, {64, 64}, {4096, 4096}, {40_000, 8}})
                    .map(
                            shape ->
                                    StructType.of(
                                            MemoryLayout.sequenceLayout(
                                                            shape[0], ValueLayout.JAVA_BYTE)
                                                    .withByteAlignment(shape[1])))
                    .toList();

    private final Workers workers;
    private final boolean hardened;
    private final FakeOperatingSystem os = new FakeOperatingSystem();
    private final PoolAllocator pool;
    private final AtomicLong numbers = new AtomicLong();

    private final List<Live> raw = new ArrayList<>();
    private final List<LiveBox> boxes = new ArrayList<>();
    private final List<LiveArena> arenas = new ArrayList<>();

    // What a burst has made; the threads of a burst write here.
    private final Queue<Live> newRaw = new ConcurrentLinkedQueue<>();
    private final Queue<LiveBox> newBoxes = new ConcurrentLinkedQueue<>();
    private final Queue<LiveArena> newArenas = new ConcurrentLinkedQueue<>();

    PoolModel(Workers workers, boolean hardened) {
        this.workers = workers;
        this.hardened = hardened;
        this.pool =
                PackageAccess.build(PoolAllocator.builder().hardened(hardened).tag("modelled"), os);
    }

    /** Does what a burst says, then checks everything. */
    void perform(Burst burst) {
        if (burst.refusing()) {
            os.refuse(Operation.ALIGNED_ALLOC);
            os.refuse(Operation.DISCARD);
        }
        List<LiveArena> busyArenas = new ArrayList<>();
        List<List<Runnable>> each = Workers.nothing();
        for (Step step : burst.steps()) {
            plan(step, burst, each, busyArenas);
        }
        workers.runTogether(each);
        os.allow(Operation.ALIGNED_ALLOC);
        os.allow(Operation.DISCARD);
        arenas.addAll(busyArenas);
        move(newRaw, raw);
        move(newBoxes, boxes);
        move(newArenas, arenas);
        check();
    }

    private void plan(
            Step step, Burst burst, List<List<Runnable>> each, List<LiveArena> busyArenas) {
        List<Runnable> work = each.get(step.worker());
        boolean alone = burst.steps().size() == 1;
        switch (step.kind()) {
            case ALLOCATE, ALLOCATE_ZEROED -> work.add(() -> allocate(step, burst));
            case FREE -> {
                Live block = takeAny(raw, step);
                work.add(block == null ? () -> allocate(step, burst) : () -> free(block));
            }
            case REALLOCATE -> {
                Live block = takeAny(raw, step);
                work.add(
                        block == null
                                ? () -> allocate(step, burst)
                                : () -> reallocate(block, step, burst));
            }
            case OPEN_BOX -> work.add(() -> openBox(step, burst));
            case CLOSE_BOX -> {
                LiveBox box = takeAny(boxes, step);
                if (box != null) {
                    each.get(box.worker()).add(() -> close(box));
                }
            }
            case OPEN_ARENA -> work.add(() -> openArena(step));
            case ALLOCATE_IN_ARENA -> {
                LiveArena arena = takeAny(arenas, step);
                if (arena != null) {
                    busyArenas.add(arena);
                    each.get(arena.shared() ? step.worker() : arena.worker())
                            .add(() -> allocateIn(arena, step, burst));
                }
            }
            case CLOSE_ARENA -> {
                LiveArena arena = takeAny(arenas, step);
                if (arena != null) {
                    each.get(arena.shared() ? step.worker() : arena.worker())
                            .add(() -> close(arena));
                }
            }
            case TRIM -> work.add(pool::trim);
            case FREE_TWICE -> {
                Live block = alone ? takeAny(raw, step) : null;
                if (block != null) {
                    work.add(
                            () -> {
                                free(block);
                                refusesToFree(block.memory());
                            });
                }
            }
            case FREE_INTERIOR -> {
                Live block = takeAny(raw, step);
                if (block != null) {
                    work.add(() -> freeInterior(block, step));
                }
            }
            case FREE_WHAT_A_BOX_OWNS -> {
                LiveBox box = alone ? any(boxes, step) : null;
                if (box != null) {
                    work.add(() -> refusesToFree(box.contents().memory()));
                }
            }
        }
    }

    // ---- on the workers -----------------------------------------------------------------------

    private void allocate(Step step, Burst burst) {
        boolean zeroed = step.kind() == Kind.ALLOCATE_ZEROED;
        MemorySegment block;
        try {
            block =
                    zeroed
                            ? pool.allocateZeroed(step.size(), step.alignment())
                            : pool.allocate(step.size(), step.alignment());
        } catch (AllocationException e) {
            requireRefusing(burst, e);
            return;
        }
        newRaw.add(newlyLive(block, step.size(), step.alignment(), zeroed));
    }

    private void free(Live block) {
        block.check();
        pool.free(block.memory());
    }

    private void reallocate(Live block, Step step, Burst burst) {
        block.check();
        long before = block.memory().byteSize();
        MemorySegment moved;
        try {
            moved = pool.reallocate(block.memory(), step.size(), step.alignment());
        } catch (AllocationException e) {
            requireRefusing(burst, e);
            newRaw.add(block);
            return;
        }
        Stamp.check(moved.asSlice(0, Math.min(before, step.size())), before, block.number());
        newRaw.add(newlyLive(moved, step.size(), step.alignment(), false));
    }

    private void freeInterior(Live block, Step step) {
        long usable = Math.max(8, pool.usableSize(block.memory()));
        long offset = 1 + step.size() % (usable - 1);
        refusesToFree(NativeMemory.segment(block.memory().address() + offset, 0));
        newRaw.add(block);
    }

    private void openBox(Step step, Burst burst) {
        StructType<MemorySegment> type = BOX_TYPES.get(step.pick() % BOX_TYPES.size());
        NativeBox<MemorySegment> box;
        try {
            box = NativeBox.zeroed(pool, type);
        } catch (AllocationException e) {
            requireRefusing(burst, e);
            return;
        }
        LiveBox live =
                new LiveBox(
                        box,
                        step.worker(),
                        newlyLive(box.segment(), type.byteSize(), type.byteAlignment(), true));
        if (step.worker() == Workers.MORTAL) {
            close(live);
        } else {
            newBoxes.add(live);
        }
    }

    private static void close(LiveBox box) {
        box.contents().check();
        box.box().close();
    }

    private void openArena(Step step) {
        boolean shared = step.pick() % 2 == 0 || step.worker() == Workers.MORTAL;
        newArenas.add(
                new LiveArena(
                        shared ? pool.sharedArena() : pool.arena(),
                        shared,
                        step.worker(),
                        new ConcurrentLinkedQueue<>()));
    }

    private void allocateIn(LiveArena arena, Step step, Burst burst) {
        MemorySegment segment;
        try {
            segment = arena.arena().allocate(step.size(), step.alignment());
        } catch (AllocationException e) {
            requireRefusing(burst, e);
            return;
        }
        arena.segments().add(newlyLive(segment, step.size(), step.alignment(), true));
    }

    private static void close(LiveArena arena) {
        arena.segments().forEach(Live::check);
        arena.arena().close();
    }

    private void refusesToFree(MemorySegment memory) {
        assertThatIllegalArgumentException().isThrownBy(() -> pool.free(memory));
        assertThatIllegalArgumentException().isThrownBy(() -> pool.reallocate(memory, 8, 8));
    }

    private Live newlyLive(MemorySegment memory, long size, long alignment, boolean zeroed) {
        assertThat(memory.byteSize()).isEqualTo(size);
        assertThat(memory.address() & alignment - 1).isZero();
        if (zeroed) {
            Stamp.checkZero(memory);
        }
        Live live =
                new Live(
                        NativeMemory.segment(memory.address(), size), // for every thread to check
                        numbers.incrementAndGet());
        Stamp.write(live.memory(), live.number());
        return live;
    }

    private static void requireRefusing(Burst burst, AllocationException e) {
        if (!burst.refusing()) {
            throw e;
        }
        assertThat(e).hasMessageContaining("refused by the test");
    }

    // ---- at quiet points ----------------------------------------------------------------------

    private void check() {
        List<Live> all = new ArrayList<>(raw);
        boxes.forEach(box -> all.add(box.contents()));
        arenas.forEach(arena -> all.addAll(arena.segments()));
        all.forEach(Live::check);
        for (Live block : raw) {
            assertThat(pool.usableSize(block.memory()))
                    .isGreaterThanOrEqualTo(block.memory().byteSize());
        }
        checkDisjoint(all);
        checkCounts();
        PackageAccess.checkInvariants(pool);
    }

    /** What is usable of a raw block is nobody else's. */
    private void checkDisjoint(List<Live> all) {
        all.sort(Comparator.comparing(live -> live.memory().address()));
        for (int i = 1; i < all.size(); i++) {
            Live below = all.get(i - 1);
            long bytes =
                    raw.contains(below)
                            ? pool.usableSize(below.memory())
                            : below.memory().byteSize();
            assertThat(below.memory().address() + Math.max(1, bytes))
                    .isLessThanOrEqualTo(all.get(i).memory().address());
        }
    }

    private void checkCounts() {
        AllocatorStats now = pool.stats();
        assertThat(
                        now.liveBytes()
                                + now.cachedBytes()
                                + now.remoteBytes()
                                + now.freeBytes()
                                + now.quarantinedBytes())
                .isEqualTo(now.capacityBytes());
        assertThat(
                        List.of(
                                now.liveBytes(),
                                now.cachedBytes(),
                                now.remoteBytes(),
                                now.freeBytes(),
                                now.quarantinedBytes()))
                .allMatch(bytes -> bytes >= 0);
        long blocks = raw.size() + boxes.size();
        long bytes =
                raw.stream().mapToLong(block -> pool.usableSize(block.memory())).sum()
                        + boxes.stream().mapToLong(box -> capacityOf(box.box().type())).sum();
        boolean exact = arenas.isEmpty(); // how many blocks an arena takes is its own affair
        if (exact) {
            assertThat(now.liveBlocks()).isEqualTo(blocks);
        } else {
            assertThat(now.liveBlocks()).isGreaterThanOrEqualTo(blocks);
        }
        if (exact && !hardened) {
            assertThat(now.liveBytes()).isEqualTo(bytes);
        } else {
            assertThat(now.liveBytes()).isGreaterThanOrEqualTo(bytes); // and canaries
        }
    }

    private static long capacityOf(StructType<?> type) {
        PoolAllocator shared = PoolAllocator.shared();
        MemorySegment block = shared.allocate(type.byteSize(), type.byteAlignment());
        long bytes = shared.usableSize(block);
        shared.free(block);
        return bytes;
    }

    // ---- the end ------------------------------------------------------------------------------

    /** Frees everything, each on its own thread, and closes the pool. */
    void endWithAllFreed() {
        freeAll();
        checkCounts();
        for (int worker = 0; worker < Workers.COUNT; worker++) {
            workers.run(worker, pool::trim);
        }
        assertThatNoException().isThrownBy(pool::close);
        checkAllReturned();
    }

    /** Closes the pool while blocks are alive, then frees them. */
    void endByClosingEarly() {
        AllocatorStats before = pool.stats();
        if (before.liveBlocks() == 0) {
            assertThatNoException().isThrownBy(pool::close);
        } else {
            assertThatIllegalStateException()
                    .isThrownBy(pool::close)
                    .withMessageContaining(
                            "%d live blocks (%d bytes)"
                                    .formatted(before.liveBlocks(), before.liveBytes()));
        }
        freeAll();
        for (int worker = 0; worker < Workers.COUNT; worker++) {
            workers.run(
                    worker,
                    () -> assertThatIllegalStateException().isThrownBy(() -> pool.allocate(8, 8)));
        }
        checkAllReturned();
    }

    private void freeAll() {
        List<List<Runnable>> each = Workers.nothing();
        for (int i = 0; i < raw.size(); i++) {
            Live block = raw.get(i);
            each.get(i % Workers.COUNT).add(() -> free(block));
        }
        boxes.forEach(box -> each.get(box.worker()).add(() -> close(box)));
        arenas.forEach(arena -> each.get(arena.worker()).add(() -> close(arena)));
        workers.runTogether(each);
        raw.clear();
        boxes.clear();
        arenas.clear();
    }

    private void checkAllReturned() {
        assertThat(pool.stats().liveBlocks()).isZero();
        Await.until("all memory returned", () -> os.liveBlocks() == 0);
        assertThat(pool.stats().capacityBytes()).isZero();
        assertThat(pool.stats().liveBytes()).isZero();
    }

    // ---- choosing -----------------------------------------------------------------------------

    private static <T> T any(List<T> from, Step step) {
        return from.isEmpty() ? null : from.get(step.pick() % from.size());
    }

    private static <T> T takeAny(List<T> from, Step step) {
        return from.isEmpty() ? null : from.remove(step.pick() % from.size());
    }

    private static <T> void move(Queue<T> from, List<T> to) {
        to.addAll(from);
        from.clear();
    }
}
