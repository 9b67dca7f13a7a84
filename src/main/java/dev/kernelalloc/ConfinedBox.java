package dev.kernelalloc;

import dev.kernelalloc.bulk.Alignment;
import dev.kernelalloc.core.BoxedBlock;
import dev.kernelalloc.core.CheckedBlocks;
import dev.kernelalloc.core.CopyPerType;
import dev.kernelalloc.core.Origin;
import dev.kernelalloc.core.OwnerText;
import dev.kernelalloc.core.Tracked;
import dev.kernelalloc.heap.Blocks;
import dev.kernelalloc.heap.Slab;
import dev.kernelalloc.heap.SlabHeap;
import dev.kernelalloc.heap.StackReserve;
import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.os.Platform;
import dev.kernelalloc.physical.PhysicalExtent;
import dev.kernelalloc.struct.StructType;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.CallSite;
import java.lang.invoke.ConstantCallSite;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.ref.Reference;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;

/**
 * A box of one thread, with a life of its own. The superclass of generated classes; programs use
 * {@link NativeBox}.
 *
 * <p><b>Life.</b> A box belongs to the thread that creates it. Closing it sets {@code owner} to
 * null. So one comparison checks life and thread: {@code owner} is the calling thread only if that
 * thread has created the box and not closed it since. No access needs an atomic operation, as any
 * other thread fails that comparison whatever it reads from the fields. A box is never opened
 * again, so a stale view cannot reach the next owner of its block.
 *
 * <p><b>Segments.</b> An arena bounds the segments that a box hands out. It is created when the
 * first one is requested, and closed before anything else when the box ends: if a downcall is using
 * the segment, that fails and the box stays open.
 *
 * <p><b>Generated subclasses</b> (package {@code struct}) are box and view at once. They belong to
 * the module of the user's type and hold no access to memory: their accessors call constant handles
 * of {@link BoxMaker}, which check the owner, the life and the bounds of the box they are given.
 * Code that reaches the private parts of a generated class reaches only bytes of open boxes of its
 * own thread. It cannot create a box, as it has not got the key.
 *
 * <p><b>No user code between check and access.</b> The constructor or accessor of a record, or a
 * foreign implementation of a view, could close the box. Each access is therefore one handle, and
 * values are computed before it is called.
 *
 * <p><b>Inlining</b> is explained at {@link BoxMaker}.
 *
 * @param <T> the type in the box
 * @hidden
 */
public abstract non-sealed class ConfinedBox<T> implements NativeBox<T> {

    /** The thread that may use this box; null once it is closed. */
    private @Nullable Thread owner;

    /** The address of the block, which is freed once the box is closed. */
    private final long address;

    private final Origin origin;

    /** The slab of the block, so that closing needs no look-up; otherwise ABSENT. */
    private final Slab slab;

    private @Nullable Life life;

    /** Bounds the segments of a box. */
    private record Life(Arena arena, MemorySegment segment) {}

    /**
     * Creates a box of the calling thread.
     *
     * @param key the proof that the library creates the box
     * @param slab the {@link Slab} of the block, or {@link Slab#ABSENT}; not a type that other
     *     modules need
     * @param origin the {@link Origin} of the block; likewise
     * @param address the address of the block
     * @throws IllegalCallerException if {@code key} is anything else
     */
    protected ConfinedBox(Object key, Object slab, Object origin, long address) {
        BoxMaker.requireKey(key);
        super();
        this.slab = (Slab) slab;
        this.origin = (Origin) origin;
        this.address = address;
        this.owner = Thread.currentThread();
    }

    /** Refuses: a copy of an open box would outlive it. An interface can make a box cloneable. */
    @Override
    protected final Object clone() throws CloneNotSupportedException {
        throw new CloneNotSupportedException("a box has one owner: use copy()");
    }

    // ---- the struct, as described by a subclass
    // ---------------------------------------------------

    /**
     * Returns the size of the block in bytes.
     *
     * @return the value of a constant or of a final field
     */
    protected abstract long byteSize$();

    /**
     * Returns the alignment of the block in bytes.
     *
     * @return the value of a constant or of a final field
     */
    protected abstract long byteAlignment$();

    /** Whether the memory must not be written. */
    boolean isReadOnly() {
        return false;
    }

    @Override
    public long elements() {
        return 0;
    }

    /**
     * Links a call site of a generated subclass to a handle of its class data.
     *
     * @param caller the lookup of the generated class
     * @param name the name of the call site
     * @param type the type of the call site
     * @param target the handle to call
     * @return the call site
     */
    protected static CallSite link$(
            MethodHandles.Lookup caller, String name, MethodType type, MethodHandle target) {
        return new ConstantCallSite(target);
    }

    // ---- life ---------------------------------------------------------------------------------

    /**
     * Returns the address of bytes of a box, for the thread that owns it.
     *
     * @param offsets that are possible, from 0 on, in a box of the class that the caller belongs to
     * @throws IndexOutOfBoundsException if they do not lie within it
     */
    static long at(ConfinedBox<?> box, long offset, long offsets) {
        if (box.owner != Thread.currentThread()) {
            throw box.unusable();
        }
        return box.address + Objects.checkIndex(offset, offsets);
    }

    /** Returns the address of this box, for the thread that owns it. */
    private long start() {
        if (owner != Thread.currentThread()) {
            throw unusable();
        }
        return address;
    }

    /** Ends this box; its block is the caller's. */
    private void end() {
        start();
        if (life != null) {
            life.arena.close(); // first, because it may throw
        }
        owner = null;
    }

    private RuntimeException unusable() {
        Thread user = owner; // which may close this box meanwhile
        return user == null
                ? new IllegalStateException(this + " can no longer be used" + origin.closedAt())
                : new WrongThreadException(
                        String.format(
                                Locale.ROOT,
                                "wrong thread: %s is confined to %s, not %s; use it there, or"
                                        + " hand it over with detach()",
                                this,
                                user,
                                Thread.currentThread()));
    }

    // ---- made and ended -----------------------------------------------------------------------

    /**
     * Creates a box over a new block. Called by a handle, as some of what it calls: see {@link
     * BoxMaker}. The box comes after the block, so that its fields are set where it is created:
     * there a store needs no barrier of the collector.
     */
    static ConfinedBox<?> make(KernelAllocator allocator, StructType<?> type, boolean zeroed)
            throws Throwable {
        CheckedBlocks blocks = ((AbstractAllocator) allocator).blocks;
        // type() has a profile, which a call through a handle has not.
        boolean generated = type.type() != MemorySegment.class;
        long size = type.byteSize();
        long alignment = type.byteAlignment();
        SlabHeap engine = blocks.engine();
        Slab slab =
                engine == null
                        ? null
                        : (Slab) BoxMaker.SLAB_FOR_OWNED.invokeExact(engine, size, alignment);
        Origin origin = blocks;
        long address;
        long marks = 0;
        if (slab != null) {
            address = slab.popLastFreed();
            if (address == 0) {
                int popped = slab.popOwned();
                address = slab.addressOf(popped);
                marks = Slab.marksOf(popped);
            }
        } else {
            marks = blocks.allocateMarkedSlow(size, alignment, zeroed);
            address = marks & Blocks.ADDRESS;
            slab = Slab.ABSENT;
            if ((marks & Blocks.SAMPLED) != 0) {
                origin = Tracked.of(blocks, address, size, LeakReport.Kind.BOX);
            }
        }
        try {
            // Blocks from elsewhere are zeroed by those who allocate them.
            if (zeroed && slab != Slab.ABSENT && (marks & Blocks.ZEROED) == 0) {
                NativeMemory.zero(address, size);
            }
            return generated
                    ? (ConfinedBox<?>)
                            (Object)
                                    BoxMaker.NEW_BOX.invokeExact(
                                            type,
                                            BoxMaker.KEY,
                                            (Object) slab,
                                            (Object) origin,
                                            address)
                    : new SegmentBox<>(type, size, alignment, slab, origin, address);
        } catch (Throwable e) {
            origin.freeOwned(address, size, alignment); // the Java heap or stack is exhausted
            throw e;
        }
    }

    /** Creates a box whose members are written before they are read. */
    @SuppressWarnings("unchecked") // a box of the type
    private static <T> NativeBox<T> unwritten(KernelAllocator allocator, StructType<T> type) {
        try {
            return (NativeBox<T>)
                    (ConfinedBox<?>) BoxMaker.MAKE.invokeExact(allocator, type, false);
        } catch (Throwable e) {
            throw CopyPerType.unchecked(e);
        }
    }

    static <T> NativeBox<T> of(KernelAllocator allocator, StructType<T> type, T value) {
        NativeBox<T> box = unwritten(allocator, type);
        try {
            box.set(value);
        } catch (RuntimeException | Error e) {
            box.close(); // the value does not fit the type, or its accessor failed
            Objects.requireNonNull(value, "value");
            throw e;
        }
        return box;
    }

    static <T> ConfinedBox<T> flexible(
            KernelAllocator allocator, StructType<T> type, long elements, boolean zeroed) {
        return owning(
                type,
                BoxedBlock.allocate(AbstractAllocator.blocksOf(allocator), type, elements, zeroed));
    }

    /**
     * Creates the box before its memory changes hands, so that none is lost with a full Java heap.
     */
    static <T> ConfinedBox<T> adopt(
            KernelAllocator allocator,
            StructType<T> type,
            long elements,
            long bytes,
            MemorySegment block) {
        CheckedBlocks blocks = ((AbstractAllocator) allocator).blocksWith(block);
        requireFit(type, bytes, block);
        Origin origin = Tracked.sampled(new Origin.Raw(blocks), block.address(), bytes);
        try {
            ConfinedBox<T> box = attach(type, adopted(origin, type, elements, bytes, block));
            blocks.makeOwned(block, bytes);
            return box;
        } catch (Throwable e) {
            origin.forget();
            throw e;
        }
    }

    static <T> ConfinedBox<T> adopt(
            StructType<T> type,
            long elements,
            long bytes,
            MemorySegment segment,
            Consumer<MemorySegment> release) {
        Objects.requireNonNull(release, "release");
        Platform.current(); // explains where native access is denied
        requireFit(type, bytes, segment);
        Origin origin =
                Tracked.sampled(
                        new Origin.External(
                                segment, release, new AbstractAllocator.BlocksOfGlobal()),
                        segment.address(),
                        bytes);
        try {
            return attach(type, adopted(origin, type, elements, bytes, segment));
        } catch (Throwable e) {
            origin.forget();
            throw e;
        }
    }

    private static BoxedBlock adopted(
            Origin origin, StructType<?> type, long elements, long bytes, MemorySegment segment) {
        return new BoxedBlock(
                origin,
                segment.address(),
                bytes,
                type.byteAlignment(),
                elements,
                segment.isReadOnly());
    }

    /** A box of the calling thread for memory that is no box's; it is the caller's on failure. */
    static <T> ConfinedBox<T> attach(StructType<T> type, BoxedBlock block) {
        return block.elements() == 0 && !block.readOnly()
                ? BoxMaker.box(type, block.origin(), block.address())
                : new SegmentBox<>(type, block);
    }

    /** As {@link #attach}, but frees the memory on failure. */
    private static <T> ConfinedBox<T> owning(StructType<T> type, BoxedBlock block) {
        try {
            return attach(type, block);
        } catch (Throwable e) {
            block.free(); // the Java heap or stack is exhausted
            throw e;
        }
    }

    private static void requireFit(StructType<?> type, long bytes, MemorySegment segment) {
        if (!segment.isNative()) {
            throw new IllegalArgumentException(
                    segment + " is in the Java heap: a box needs native memory");
        }
        CheckedBlocks.requireNotNull(segment);
        if (!segment.scope().isAlive()) {
            throw new IllegalArgumentException(segment + " is closed: its memory is gone");
        }
        if (!segment.scope().equals(Arena.global().scope())) {
            throw new IllegalArgumentException(
                    segment
                            + " can be closed by another owner: a box adopts memory that lives"
                            + " until it is released");
        }
        if (segment.byteSize() != bytes) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "segment of %d bytes, but %s has %d bytes",
                            segment.byteSize(),
                            type.type().getName(),
                            bytes));
        }
        if (!Alignment.isAligned(segment.address(), type.byteAlignment())) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "segment at 0x%x, but %s is aligned to %d bytes",
                            segment.address(),
                            type.type().getName(),
                            type.byteAlignment()));
        }
    }

    @Override
    public final void close() {
        // As end(), which would be one call more: see BoxMaker.
        if (owner != Thread.currentThread()) {
            throw unusable();
        }
        if (life != null) {
            life.arena.close(); // first, because it may throw
        }
        owner = null;
        try {
            if (!(boolean) BoxMaker.FREE_OWNED.invokeExact(slab, address)) {
                origin.freeOwned(address, byteSize$(), byteAlignment$());
            }
        } catch (Throwable e) {
            throw CopyPerType.unchecked(e);
        }
        Reference.reachabilityFence(origin);
    }

    @Override
    public final MemorySegment release() {
        StackReserve.requireForCaller(); // between two owners there is no one to free the memory
        Origin from = origin;
        MemorySegment raw = from.raw(segment());
        end();
        from.makeRaw(raw.address());
        return raw;
    }

    @Override
    public final Handoff<T> detach() {
        start();
        Handoff<T> handoff = new Handoff<>(type(), block());
        end();
        try {
            origin.passTo(LeakReport.Kind.HANDOFF);
        } catch (StackOverflowError _) {
            // reported under the name of the owner before, as the memory has changed hands
        }
        return handoff;
    }

    // ---- contents -----------------------------------------------------------------------------

    @Override
    public final MemorySegment segment() {
        long start = start();
        Life now = life;
        if (now == null) {
            Arena arena = Arena.ofConfined();
            MemorySegment whole = NativeMemory.segment(start, byteSize$(), arena);
            now = new Life(arena, isReadOnly() ? whole.asReadOnly() : whole);
            life = now;
        }
        return now.segment;
    }

    @Override
    public void set(T value) {
        type().set(segment(), value);
    }

    @Override
    public final void update(UnaryOperator<T> function) {
        set(function.apply(get()));
    }

    @Override
    public final NativeBox<T> copy() {
        start();
        return copyTo(block().allocateAnother());
    }

    @Override
    public final NativeBox<T> copy(KernelAllocator allocator) {
        start();
        CheckedBlocks blocks = AbstractAllocator.blocksOf(allocator);
        return copyTo(
                elements() == 0
                        ? BoxedBlock.allocate(blocks, type(), false)
                        : BoxedBlock.allocate(blocks, type(), elements(), false));
    }

    private ConfinedBox<T> copyTo(BoxedBlock block) {
        ConfinedBox<T> copy = owning(type(), block);
        try {
            NativeMemory.copy(start(), copy.address, byteSize$());
            return copy;
        } catch (RuntimeException | Error e) {
            copy.close();
            throw e;
        }
    }

    @Override
    public final NativeBox<T> map(UnaryOperator<T> function) {
        Objects.requireNonNull(function, "function");
        NativeBox<T> mapped = copy();
        try {
            mapped.update(function);
            return mapped;
        } catch (RuntimeException | Error e) {
            mapped.close();
            throw e;
        }
    }

    @Override
    public final void swap(NativeBox<T> other) {
        requireSameStruct(other);
        ConfinedBox<T> there = (ConfinedBox<T>) other;
        if (isReadOnly() || there.isReadOnly()) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "%s cannot be swapped with %s: one is read-only",
                            this,
                            other));
        }
        NativeMemory.swap(start(), there.start(), byteSize$());
    }

    private void requireSameStruct(NativeBox<T> other) {
        StructType<T> theirs = other.type();
        boolean same = type() == theirs || type().layout().equals(theirs.layout());
        if (!same || elements() != other.elements()) {
            throw new IllegalArgumentException(
                    String.format(
                            Locale.ROOT,
                            "%s with %d elements cannot be swapped with %s with %d",
                            type(),
                            elements(),
                            theirs,
                            other.elements()));
        }
    }

    @Override
    public final List<PhysicalExtent> extents() {
        return origin.extents(start(), byteSize$());
    }

    /** The memory, to be handed over. */
    private BoxedBlock block() {
        return new BoxedBlock(
                origin, address, byteSize$(), byteAlignment$(), elements(), isReadOnly());
    }

    /**
     * Returns the fields and the address; only the address if this box is closed, or on another
     * thread.
     */
    @Override
    public final String toString() {
        String name = type().type().getSimpleName();
        Thread user = owner; // another thread may close this box meanwhile
        String place = block().location();
        if (user == null) {
            return OwnerText.closed("NativeBox", name, place);
        }
        return user == Thread.currentThread()
                ? OwnerText.open("NativeBox", type().toString(segment()), place)
                : OwnerText.ofAnotherThread("NativeBox", name, place);
    }
}
