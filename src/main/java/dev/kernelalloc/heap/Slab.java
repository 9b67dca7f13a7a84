package dev.kernelalloc.heap;

import dev.kernelalloc.bulk.Alignment;

import org.jspecify.annotations.Nullable;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Arrays;
import java.util.Locale;
import java.util.concurrent.ThreadLocalRandom;

/**
 * The fields that every thread reads. The JVM lays out a superclass first, so they share no cache
 * line with those that the owner writes at every operation.
 */
abstract class SlabMap {

    /** A hint of {@code cache.holder}, for frees: see {@link SlabHeap}. */
    long owner = Slab.UNOWNED;

    /** A hint of {@code cache.holder} for allocations and boxes, in a current slab alone. */
    long user = Slab.UNOWNED;

    /** The address of the first block. */
    final long first;

    /** The inverse of the odd part of the stride, modulo 2^64. */
    final long inverse;

    /** The exponent of the even part of the stride. */
    final int shift;

    /** The distance between blocks. */
    final int stride;

    final int blocks;

    /** The exponent of the number of blocks in a group of {@link Slab#remote}. */
    final int groupShift;

    /** For each block its state or, if it is free, the next block of the free list; padded. */
    final char[] link;

    SlabMap(long first, int stride, int blocks) {
        this.first = first;
        this.stride = stride;
        this.shift = Integer.numberOfTrailingZeros(stride);
        this.inverse = inverse(stride >>> shift);
        this.blocks = blocks;
        this.groupShift = groupShift(blocks);
        this.link = new char[blocks == 0 ? 0 : blocks + Slab.PADDING];
    }

    private static int groupShift(int blocks) {
        int shift = Slab.MIN_GROUP_SHIFT;
        while (blocks - 1 >> shift >= Slab.GROUPS) {
            shift++;
        }
        return shift;
    }

    /**
     * Computes an inverse by Newton's iteration: 3 bits are right at first, each step doubles them.
     */
    private static long inverse(long odd) {
        long inverse = odd;
        for (int i = 0; i < 5; i++) {
            inverse *= 2 - odd * inverse;
        }
        return inverse;
    }
}

/**
 * A cache line between fields: a class of its own, since the JVM orders the fields of a class by
 * size; of ints, since it fills gaps before a long.
 */
abstract class SlabMapPadding extends SlabMap {

    @SuppressWarnings("unused")
    private int p0, p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11, p12, p13, p14, p15;

    SlabMapPadding(long first, int stride, int blocks) {
        super(first, stride, blocks);
    }
}

/** The fields that the owner writes at every operation. */
abstract class SlabHead extends SlabMapPadding {

    /**
     * The head of the free list: an index, perhaps with {@link Slab#FRESH}, or {@link Slab#END}.
     */
    int head = Slab.END;

    /**
     * How many more blocks may be freed before the owner settles the slab: used minus base.
     * UNCOUNTED in a current slab: counting there would take as long as all the rest.
     */
    int left;

    /** The number of owned blocks to allocate until one is sampled. */
    int untilSampled = Integer.MAX_VALUE;

    /**
     * The address of the owned block freed last, which the next box gets; 0 if there is none. Only
     * a current slab has one. Its state stays OWNED, so it counts as used until it is put back.
     */
    long lastFreed;

    SlabHead(long first, int stride, int blocks) {
        super(first, stride, blocks);
    }
}

/** A cache line between fields. */
abstract class SlabHeadPadding extends SlabHead {

    @SuppressWarnings("unused")
    private int q0, q1, q2, q3, q4, q5, q6, q7, q8, q9, q10, q11, q12, q13, q14, q15;

    SlabHeadPadding(long first, int stride, int blocks) {
        super(first, stride, blocks);
    }
}

/** The fields that other threads write, and read when they free a block. */
abstract class SlabRemote extends SlabHeadPadding {

    /**
     * A bit for each group of adjacent blocks, set if another thread has freed one of them; perhaps
     * with {@link Slab#PENDING}.
     */
    volatile long remote = Slab.PENDING;

    /** The next slab on the stack of a cache's pending slabs. */
    @Nullable Slab nextPending;

    /** Whether no more blocks are allocated from this slab, as its chunk no longer serves. */
    private volatile boolean withdrawn;

    /** The cache that owns this slab; null before the first one, and forever after the release. */
    volatile @Nullable SlabCache cache;

    SlabRemote(long first, int stride, int blocks) {
        super(first, stride, blocks);
    }

    /**
     * Stops caches from allocating blocks of this slab; the caller then requests a flush of its
     * owner.
     */
    void withdraw() {
        withdrawn = true;
    }

    boolean isWithdrawn() {
        return withdrawn;
    }
}

/** A cache line between fields. */
abstract class SlabRemotePadding extends SlabRemote {

    @SuppressWarnings("unused")
    private int r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, r11, r12, r13, r14, r15;

    SlabRemotePadding(long first, int stride, int blocks) {
        super(first, stride, blocks);
    }
}

/**
 * Adjacent blocks of one size class, with their states stored outside of them. {@link SlabHeap}
 * specifies which thread may change what.
 */
public final class Slab extends SlabRemotePadding {

    // ---- in link: below STATES the block is free
    static final int INDEX = 0xBFFF;

    /** Set with the index of a block whose bytes are zeros, since it has never been used. */
    static final int FRESH = 0x4000;

    static final int FRESH_SHIFT = 14;

    /** No further block. */
    static final char END = 0x8000;

    /** This value and all above it are states of blocks that are not free. */
    static final char STATES = 0xC000;

    /** Freed by another thread, and not yet collected by the owner. */
    static final char REMOTE = 0xFFFC;

    /** Ended, and kept from use by a hardened heap. */
    static final char HELD = 0xFFFD;

    /** A live block of a box or an arena. */
    static final char OWNED = 0xFFFE;

    /** A live raw block. */
    static final char RAW = 0xFFFF;

    /** Padding after the links, so that two slabs do not share a cache line. */
    static final int PADDING = 32;

    // ---- in owner: no thread's id
    static final long UNOWNED = -1;

    /** Sends the owner to the slow path. */
    static final long FLUSH_REQUESTED = -2;

    // ---- in remote
    static final long NONE = 0;

    /** Pending without a block: the slab is on the way from cache to cache. */
    static final long PENDING = Long.MIN_VALUE;

    /** The most groups of blocks: the bits besides {@link #PENDING}. */
    static final int GROUPS = Long.SIZE - 1;

    /** Blocks that share two cache lines of {@link #link}. */
    static final int MIN_GROUP_SHIFT = 4;

    /** Exceeds the blocks of any slab: no free settles the slab. */
    private static final int NEVER = -(1 << 20);

    // ---- in left
    static final int UNCOUNTED = Integer.MAX_VALUE;

    /** The list of its cache that contains a slab. */
    enum Queue {
        NONE,
        CURRENT,
        PARTIAL,
        FULL
    }

    private static final VarHandle OWNER =
            FieldHandle.of(MethodHandles.lookup(), "owner", long.class);
    private static final VarHandle USER =
            FieldHandle.of(MethodHandles.lookup(), "user", long.class);
    private static final VarHandle LAST_FREED =
            FieldHandle.of(MethodHandles.lookup(), "lastFreed", long.class);
    private static final VarHandle REMOTE_WORD =
            FieldHandle.of(MethodHandles.lookup(), "remote", long.class);
    private static final VarHandle LINK = MethodHandles.arrayElementVarHandle(char[].class);

    /** The slab without blocks: represents the absence of a slab, and is never written to. */
    public static final Slab ABSENT =
            new Slab(new SlabShape(0, 8, 0, 1, 0), 0, false, false, new int[0]);

    final int sizeClass;

    /** The address of its first granule. */
    final long address;

    final int granules;

    /**
     * A full slab is listed as partial once at most this many blocks are in use: a sixteenth is
     * free.
     */
    private final int threshold;

    /** In a hardened heap, the requested size of each block. */
    private final int[] guardedBytes;

    // ---- of the holder of the cache
    private int base;
    Queue queue = Queue.NONE;
    @Nullable Slab next;
    @Nullable Slab previous;

    /** The share of its cache's limit that it reserves; see {@link SlabCache}. */
    long reservedBytes;

    /** Blocks in use when free pages were last discarded; {@link #blocks} if it was used since. */
    private int usedAtDiscard;

    /**
     * Creates a slab whose blocks are all free.
     *
     * @param zeroed whether its bytes are zeros
     * @param shuffled whether its blocks are handed out in random order
     * @param guardedBytes one element per block in a hardened heap, otherwise empty
     */
    Slab(SlabShape shape, long address, boolean zeroed, boolean shuffled, int[] guardedBytes) {
        super(address + shape.lead(), shape.stride(), shape.blocks());
        this.sizeClass = shape.sizeClass();
        this.address = address;
        this.granules = shape.granules();
        this.threshold = Math.min(blocks - 1, blocks - blocks / 16);
        this.guardedBytes = guardedBytes;
        this.usedAtDiscard = blocks;
        Arrays.fill(link, END);
        if (blocks > 0) {
            listAll(zeroed ? FRESH : 0, shuffled);
        }
    }

    private void listAll(int mark, boolean shuffled) {
        for (int i = 0; i < blocks - 1; i++) {
            link[i] = (char) (i + 1 | mark);
        }
        head = mark;
        if (shuffled) {
            shuffle(mark);
        }
    }

    /** Links all blocks in a cycle in random order (Sattolo), opened at the head. */
    private void shuffle(int mark) {
        ThreadLocalRandom random = ThreadLocalRandom.current();
        for (int i = 0; i < blocks; i++) {
            link[i] = (char) (i | mark);
        }
        for (int i = blocks - 1; i > 0; i--) {
            int j = random.nextInt(i);
            char swapped = link[i];
            link[i] = link[j];
            link[j] = swapped;
        }
        head = link[blocks - 1];
        link[blocks - 1] = END; // the last one; its successor in the cycle comes first
    }

    // ---- blocks ---------------------------------------------------------------------------------

    /**
     * Returns the index of the block that starts at an address; for any other address a number
     * that, unsigned, is not below {@link #blocks}.
     *
     * <p>The stride is odd × 2^shift. For the k-th block the product is k × 2^shift, which the
     * rotation turns into k. Conversely, a rotation that results in k below 2^(64 - shift) comes
     * from the product k × 2^shift, and that from the offset k × stride alone, as multiplying by an
     * odd number is a bijection modulo 2^64.
     */
    long indexOf(long block) {
        return Long.rotateRight((block - first) * inverse, shift);
    }

    /** Returns whether {@link #indexOf} has found a block. */
    boolean has(long index) {
        return Long.compareUnsigned(index, blocks) < 0;
    }

    long blockAt(int index) {
        return first + (long) index * stride;
    }

    /** Returns the start of the block that contains a byte; 0 if there is none. */
    long startOf(long byteAddress) {
        long index = Math.floorDiv(byteAddress - first, (long) stride);
        return has(index) ? blockAt((int) index) : 0;
    }

    int blocks() {
        return blocks;
    }

    /** Returns the bytes that it uses of its range. */
    long bytes() {
        return (long) granules * Range.GRANULE_BYTES;
    }

    /** Returns the bytes of all its blocks together. */
    long blockBytes() {
        return (long) blocks * SizeClasses.bytes(sizeClass);
    }

    /** Returns the state of a block, or a value below {@link #STATES}. */
    char stateOf(int index) {
        return (char) LINK.getAcquire(link, index);
    }

    /**
     * Returns the same in the fast path. Opaque: a free that is compiled together with the allocate
     * before it still reads memory.
     */
    static char state(char[] link, int index) {
        return (char) LINK.getOpaque(link, index);
    }

    /** Changes the state of a live block; true for one of the threads that try. */
    boolean change(int index, char from, char to) {
        return LINK.compareAndSet(link, index, from, to);
    }

    /** Records the requested size and makes a block live; in a hardened heap, by its holder. */
    void guard(int index, int bytes, char state) {
        guardedBytes[index] = bytes;
        LINK.setRelease(link, index, state);
    }

    /** Returns the size passed to {@link #guard}. */
    int guardedBytes(int index) {
        return guardedBytes[index];
    }

    // ---- the owner's ----------------------------------------------------------------------------

    /**
     * Returns whether it is the current slab of the thread with an id. Opaque, so that the fast
     * path does not hoist the read from a loop.
     */
    boolean isCurrentOf(long id) {
        return (long) USER.getOpaque(this) == id;
    }

    /** Makes the owner's next operation on this slab slow; any thread may call it. */
    void requestFlush() {
        if ((long) OWNER.getOpaque(this) > 0) {
            OWNER.setVolatile(this, FLUSH_REQUESTED);
        }
        if ((long) USER.getOpaque(this) > 0) {
            USER.setVolatile(this, FLUSH_REQUESTED);
        }
    }

    /** Lets the thread whose current slab it is allocate from it. */
    void user(long id) {
        USER.setOpaque(this, id);
    }

    void owner(long id) {
        OWNER.setOpaque(this, id);
    }

    /** Returns whether the free list has a block. */
    boolean hasFree() {
        // The same test as the array access: the JIT emits it once.
        return Integer.compareUnsigned(head & INDEX, link.length) < 0;
    }

    /**
     * Pops the head of the free list of a current slab that has one.
     *
     * @return its address, with {@link Blocks#ZEROED} if its bytes are zeros
     */
    long popOfCurrent(char state) {
        int popped = head;
        int index = popped & INDEX;
        head = link[index];
        link[index] = state;
        return addressOf(popped) | marksOf(popped);
    }

    /** Pops the head of the free list of any slab that has one. */
    long pop(char state) {
        if (left != UNCOUNTED) {
            left++;
        }
        return popOfCurrent(state);
    }

    /**
     * Pops the block at the head of the free list for an owner that has checked that there is one
     * and that the slab is the thread's.
     *
     * @return its {@link #addressOf} and {@link #marksOf}, encoded
     */
    public int popOwned() {
        int popped = head;
        int index = popped & INDEX;
        head = link[index];
        link[index] = OWNED;
        return popped;
    }

    /** Returns the address of a popped block. */
    public long addressOf(int popped) {
        return first + (long) (popped & INDEX) * stride; // as blockAt()
    }

    /** Returns {@link Blocks#ZEROED} if the bytes of a popped block are zeros. */
    public static long marksOf(int popped) {
        return (popped & FRESH) >> FRESH_SHIFT;
    }

    /**
     * Takes the block freed last, for the thread whose current slab this is.
     *
     * @return its address; 0 if there is none
     */
    public long popLastFreed() {
        long block = lastFreed;
        if (block != 0) {
            lastFreed = 0;
        }
        return block;
    }

    /**
     * Frees an owned block of this slab, once. The thread whose current slab this is sets it aside
     * for its next box, which spares both the free list.
     *
     * @return false if the calling thread is not the slab's owner, or the slab must change its
     *     queue
     */
    public boolean tryFreeOwned(long block) {
        long id = Thread.currentThread().threadId();
        if (user == id && lastFreed == 0) {
            lastFreed = block;
            return true;
        }
        return owner == id && tryPush(link, (int) indexOf(block));
    }

    /** Puts the block freed last on the free list. */
    void listLastFreed() {
        long block = lastFreed;
        if (block != 0) {
            push((int) indexOf(block));
            LAST_FREED.setRelease(this, 0L); // a thread that counts sees the state before
        }
    }

    /** Pushes a block on the free list; false if the slab must change its queue then. */
    boolean tryPush(char[] link, int index) {
        int counted = left;
        if (counted <= 0) {
            return false;
        }
        link[index] = (char) head;
        head = index;
        left = counted + (counted - UNCOUNTED >> 31); // one less, without a branch, if counted
        return true;
    }

    /** Pops the head of the free list for a caller that has read it. */
    long popAt(char[] link, int index, char state) {
        head = link[index];
        link[index] = state;
        return blockAt(index);
    }

    /** Pushes a block on the free list. */
    void push(int index) {
        link[index] = (char) head;
        head = index;
        if (left != UNCOUNTED) {
            left--;
        }
    }

    /** Returns the blocks that are not on the free list, including those freed by other threads. */
    int used() {
        if (left != UNCOUNTED) {
            return left + base;
        }
        int used = head == END ? blocks : 0;
        for (int i = 0; i < blocks && head != END; i++) {
            used += link[i] >= STATES ? 1 : 0;
        }
        return used;
    }

    boolean isEmpty() {
        return used() == 0;
    }

    /** Returns whether it has enough free blocks to be listed as partial. */
    boolean isPartial() {
        return used() <= threshold;
    }

    /** Makes the free slow that leaves at most that many blocks in use. */
    private void slowFreeAt(int blocksInUse) {
        user(UNOWNED);
        listLastFreed();
        int used = used();
        base = blocksInUse + 1;
        left = used - base;
    }

    void setQueue(Queue queue) {
        this.queue = queue;
        switch (queue) {
            case NONE -> slowFreeAt(NEVER);
            case CURRENT -> {
                left = UNCOUNTED;
                usedAtDiscard = blocks;
            }
            case PARTIAL -> slowFreeAt(0);
            case FULL -> slowFreeAt(threshold);
        }
    }

    /**
     * Rebuilds the free list of all free blocks from the states, should its head not be one. The
     * protocol excludes that; if it did happen, blocks would be lost, and none handed out twice.
     */
    void relist() {
        int free = 0;
        head = END;
        for (int i = blocks - 1; i >= 0; i--) {
            if (link[i] < STATES) {
                link[i] = (char) head;
                head = i;
                free++;
            }
        }
        if (left != UNCOUNTED) {
            left = blocks - free - base;
        }
    }

    // ---- frees of other threads -----------------------------------------------------------------

    /**
     * Ends a live block, as a thread that does not hold the slab's cache.
     *
     * @return false if it is in another state
     */
    boolean freeRemotely(int index, char state) {
        if (!change(index, state, REMOTE)) {
            return false;
        }
        if (addRemote(index)) {
            SlabCache.post(this);
        }
        return true;
    }

    /**
     * Records that a block is in state {@link #REMOTE}: the caller has put it there by {@link
     * #change}.
     *
     * <p>If the bit of its group is set already, nothing is written. The owner clears the bit
     * before it reads the states of the group, all these accesses are volatile, and so it finds the
     * block.
     *
     * @return whether the slab was not pending: the caller posts it to its cache
     */
    boolean addRemote(int index) {
        long group = 1L << (index >>> groupShift);
        return (remote & group) == 0 && (long) REMOTE_WORD.getAndBitwiseOr(this, group) == NONE;
    }

    /**
     * Makes the slab pending though it is on no stack: from now on only the caller posts it.
     *
     * @return false if another thread has posted it, or is about to
     */
    boolean detach() {
        return REMOTE_WORD.compareAndSet(this, NONE, PENDING);
    }

    /** Moves the blocks freed by other threads onto the free list. */
    void collect() {
        long groups = (long) REMOTE_WORD.getAndSet(this, NONE) & ~PENDING;
        while (groups != 0) {
            collectGroup(Long.numberOfTrailingZeros(groups));
            groups &= groups - 1;
        }
    }

    private void collectGroup(int group) {
        int end = Math.min(group + 1 << groupShift, blocks);
        for (int i = group << groupShift; i < end; i++) {
            if ((char) LINK.getVolatile(link, i) == REMOTE) {
                push(i);
            }
        }
    }

    // ---- free pages -----------------------------------------------------------------------------

    /** Returns whether so many blocks were freed since the last discard that pages may be free. */
    boolean isWorthDiscarding() {
        return usedAtDiscard - used() > blocks / 8;
    }

    /** Discards the pages that hold free blocks alone. */
    void discardFreePages(ChunkSource source) {
        if (used() >= usedAtDiscard) {
            return;
        }
        usedAtDiscard = used();
        int end = usedBefore();
        int from = 0;
        while (from < end) {
            if (link[from] >= STATES) {
                from++;
                continue;
            }
            int to = from + 1;
            while (to < end && link[to] < STATES) {
                to++;
            }
            discard(source, from, to);
            from = to;
        }
    }

    /** Returns the block from which on the list is as it was created: those pages are untouched. */
    private int usedBefore() {
        int index = blocks;
        while (index > 0 && link[index - 1] == (index == blocks ? END : (char) (index | FRESH))) {
            index--;
        }
        return index;
    }

    private void discard(ChunkSource source, int from, int to) {
        long page = source.pageBytes();
        long start = Alignment.up(blockAt(from), page);
        long bytes = Alignment.down(blockAt(to), page) - start;
        if (bytes > 0) {
            source.discard(start, bytes);
        }
    }

    // ---- for a look from outside ----------------------------------------------------------------

    /** Returns where its blocks are; exact if no thread uses the slab during the call. */
    Counters.OfClass count() {
        // Before the states: the owner may set another block aside meanwhile, or list this one.
        long last = (long) LAST_FREED.getAcquire(this);
        int setAside = last == 0 ? -1 : (int) indexOf(last);
        int live = 0;
        int remotelyFreed = 0;
        int held = 0;
        for (int i = 0; i < blocks; i++) {
            switch (link[i]) {
                case RAW -> live++;
                case OWNED -> live += i == setAside ? 0 : 1;
                case REMOTE -> remotelyFreed++;
                case HELD -> held++;
                default -> {}
            }
        }
        int free = blocks - live - remotelyFreed - held;
        SlabCache of = cache;
        int cached = of != null && of.caches(this) ? free : 0;
        return new Counters.OfClass(
                SizeClasses.bytes(sizeClass), 1, live, cached, remotelyFreed, free - cached, held);
    }

    /**
     * Throws if an invariant does not hold; no thread may use the slab during the call.
     *
     * <pre>
     * used = live + last freed + held + remotely freed
     * blocks = used + length of the free list, which has no block twice and none in use
     * remote = NONE iff no block is remotely freed and the slab is not pending
     * </pre>
     */
    void checkInvariants() {
        Counters.OfClass now = count();
        int last = lastFreed == 0 ? 0 : 1;
        require(used() == now.live() + now.quarantined() + now.remote() + last, "used");
        int length = 0;
        for (int at = head; at != END; at = link[at & INDEX]) {
            require((at & INDEX) < blocks && ++length <= blocks, "free list");
        }
        require(length == now.cached() + now.free() - last, "free list");
        require(lastFreed == 0 || queue == Queue.CURRENT, "lastFreed");
        require(remote != NONE || now.remote() == 0, "remote");
    }

    private void require(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError("broken invariant: what=" + what + " " + this);
        }
    }

    @Override
    public String toString() {
        return String.format(
                Locale.ROOT,
                "Slab[address=0x%x queue=%s head=0x%x used=%d remote=0x%x %s]",
                address,
                queue,
                head,
                used(),
                remote,
                count());
    }
}
