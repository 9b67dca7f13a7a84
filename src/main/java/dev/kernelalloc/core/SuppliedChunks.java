package dev.kernelalloc.core;

import dev.kernelalloc.bulk.Alignment;
import dev.kernelalloc.heap.Chunk;
import dev.kernelalloc.heap.ChunkSource;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.source.MemorySource;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ConcurrentSkipListMap;

/**
 * Chunks of a program's own source. What it returns is checked, since blocks are reached by their
 * addresses: memory that someone else could unmap, or that is in use already, would be reached
 * after its end or by two owners.
 */
public final class SuppliedChunks implements ChunkSource {

    private static final MemorySegment.Scope GLOBAL_SCOPE = Arena.global().scope();

    private static final long RANGE_UNIT_BYTES = 64 << 10;

    private final MemorySource source;
    private final long pageBytes;

    /** Read once: what the source returns later is not checked. */
    private final long rangeBytes;

    /** By address. */
    private final ConcurrentSkipListMap<Long, Supplied> held = new ConcurrentSkipListMap<>();

    /** Lifetimes that could not be ended yet. */
    private final ConcurrentLinkedQueue<Arena> inUse = new ConcurrentLinkedQueue<>();

    private record Supplied(MemorySegment memory, Arena lifetime) {

        long end() {
            return memory.address() + memory.byteSize();
        }
    }

    /** An arena that the source cannot close. */
    private record Lifetime(Arena arena) implements Arena {

        @Override
        public MemorySegment allocate(long byteSize, long byteAlignment) {
            return arena.allocate(byteSize, byteAlignment);
        }

        @Override
        public MemorySegment.Scope scope() {
            return arena.scope();
        }

        @Override
        public void close() {
            throw new UnsupportedOperationException(
                    "only the allocator ends the memory of its source");
        }
    }

    /**
     * @throws IllegalArgumentException if the range size of the source is not a multiple of 64 KiB
     */
    public SuppliedChunks(MemorySource source, long pageBytes) {
        this.source = source;
        this.pageBytes = pageBytes;
        this.rangeBytes = source.rangeBytes();
        if (rangeBytes <= 0 || rangeBytes % RANGE_UNIT_BYTES != 0) {
            throw new IllegalArgumentException(
                    "rangeBytes=" + rangeBytes + " of the memory source is no multiple of 64 KiB");
        }
    }

    @Override
    public Chunk obtain(long bytes, long alignment) throws Refusal {
        Arena lifetime = Arena.ofShared();
        try {
            Optional<MemorySegment> found = source.obtain(bytes, alignment, new Lifetime(lifetime));
            if (found.isEmpty()) {
                throw refused(bytes, "has no more");
            }
            Supplied supplied = new Supplied(found.get(), lifetime);
            keep(supplied, bytes, alignment);
            return new Chunk(supplied.memory.address(), bytes, false);
        } catch (Refusal | Error e) {
            end(lifetime, bytes);
            throw e;
        } catch (Exception e) { // any: languages other than Java do not check them
            end(lifetime, bytes);
            throw refused(bytes, "failed: " + e);
        }
    }

    private void keep(Supplied supplied, long bytes, long alignment) throws Refusal {
        String unfit = unfit(supplied, bytes, alignment);
        if (unfit.isEmpty()) {
            if (holdAlone(supplied)) {
                return;
            }
            unfit = "overlaps memory that is in use"; // so its release is not called: it stays so
        } else {
            releaseToProgram(supplied.memory);
        }
        throw refused(
                bytes,
                String.format(Locale.ROOT, "returned memory that %s: %s", unfit, supplied.memory));
    }

    /**
     * Holds memory, unless it overlaps what is held. One at a time: overlapping memory that is put
     * in and taken out again would hide what lies around it.
     */
    private synchronized boolean holdAlone(Supplied supplied) {
        long address = supplied.memory.address();
        Map.Entry<Long, Supplied> below = held.floorEntry(address);
        Map.Entry<Long, Supplied> above = held.higherEntry(address);
        if (below != null && below.getValue().end() > address
                || above != null && supplied.end() > above.getKey()) {
            return false;
        }
        held.put(address, supplied);
        return true;
    }

    private static String unfit(Supplied supplied, long bytes, long alignment) {
        MemorySegment memory = supplied.memory;
        if (!memory.isNative() || memory.isReadOnly()) {
            return "is not native, or read-only";
        }
        if (memory.byteSize() < bytes) {
            return "is smaller than " + bytes + " bytes";
        }
        if (memory.address() == 0 || !Alignment.isAligned(memory.address(), alignment)) {
            return "is not aligned to " + alignment + " bytes";
        }
        boolean lives =
                memory.scope().equals(GLOBAL_SCOPE)
                        || memory.scope().equals(supplied.lifetime.scope());
        return lives ? "" : "others can close; use the lifetime that was passed";
    }

    private static Refusal refused(long bytes, String why) {
        return new Refusal.OutOfMemory(
                String.format(Locale.ROOT, "the memory source %s; requested=%d", why, bytes));
    }

    @Override
    public void release(Chunk chunk) {
        Supplied supplied =
                Objects.requireNonNull(held.remove(chunk.address()), "a chunk of another source");
        try {
            releaseToProgram(supplied.memory);
        } finally {
            end(supplied.lifetime, supplied.memory.byteSize());
        }
    }

    /**
     * Ends a lifetime, which fails while a system call or a downcall of the program uses a segment
     * of it.
     */
    private void end(Arena lifetime, long bytes) {
        if (!tryEnd(lifetime)) {
            inUse.add(lifetime);
            System.getLogger("dev.kernelalloc")
                    .log(
                            System.Logger.Level.WARNING,
                            "memory of a source stays mapped after its release: bytes="
                                    + bytes
                                    + "; a system call or a downcall uses it, and it ends after"
                                    + " that");
        }
    }

    private static boolean tryEnd(Arena lifetime) {
        try {
            lifetime.close();
            return true;
        } catch (IllegalStateException e) {
            return !lifetime.scope().isAlive();
        }
    }

    @Override
    public boolean callsProgram() {
        return true;
    }

    @Override
    public void retryReleases() {
        inUse.removeIf(SuppliedChunks::tryEnd);
    }

    @Override
    public boolean hasReleasedAll() {
        return inUse.isEmpty();
    }

    private void releaseToProgram(MemorySegment memory) {
        try {
            source.release(memory);
        } catch (Throwable e) {
            ProgramFailure.log("the memory source failed to release", e);
        }
    }

    /** Pages are the program's: whether they may be dropped is unknown. */
    @Override
    public boolean discard(long address, long bytes) {
        return false;
    }

    @Override
    public long pageBytes() {
        return pageBytes;
    }

    @Override
    public long rangeBytes() {
        return rangeBytes;
    }
}
