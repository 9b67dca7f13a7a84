package dev.kernelalloc;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import dev.kernelalloc.bulk.Alignment;
import dev.kernelalloc.frames.Canary;
import dev.kernelalloc.frames.SecretPages;
import dev.kernelalloc.leak.Reasons;
import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.OperatingSystem.Advice;
import dev.kernelalloc.os.Platform;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.ForkBehaviour;
import dev.kernelalloc.physical.Guarantee;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Collections;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/**
 * Memory for a key, a password or another secret: hidden, locked, guarded, and inaccessible except
 * while it is in use.
 *
 * {@snippet lang = java :
 * try (SecretMemory key = SecretMemory.allocate(32)) {
 *     readKey(key.readWrite()); // the segment is alive until the next switch
 *     MemorySegment bytes = key.readOnly();
 *     sign(bytes, message);
 *     key.noAccess(); // bytes is dead: using it throws
 * } // zeros, then gone
 * }
 *
 * <p><b>Protection.</b> On Linux 5.14 and later the pages come from memfd_secret(2): the kernel
 * takes them out of its own map of memory, so that no system call reads them for another process,
 * not even for root, and no core dump contains them. They are never swapped and never moved, and
 * the machine does not hibernate while there are any. If this is not available, they are private
 * pages, locked by mlock(2) or VirtualLock; {@link #obtained} reports which, and the reason. In
 * both cases:
 *
 * <ul>
 *   <li>An inaccessible page is right before and right behind the pages: native code that overruns
 *       them ends the process.
 *   <li>The block ends with its last page, if its size is a multiple of its alignment, so the first
 *       byte behind it belongs to the guard. The rest of its pages is filled with random bytes,
 *       which are checked whenever the memory stops being writable, and when it is closed.
 *   <li>The pages are in no core dump, are not merged with equal ones, and a child made by fork(2)
 *       does not have them, or finds zeros; see {@link Builder#onFork}.
 *   <li>They are zeros at first, and are zeroed before they are released.
 * </ul>
 *
 * <p>If the system refuses a protection that it has, an {@link AllocationException} has the error's
 * name, the reason and the remedy. {@link #missing()} lists protections that the system lacks; on
 * Linux there are none.
 *
 * <p><b>Access.</b> Memory is inaccessible when it is created. {@link #readWrite()} and {@link
 * #readOnly()} open it and return a segment. The next switch, {@link #noAccess()} included, and the
 * close end that segment before the access to the pages changes. So Java code that touches
 * inaccessible memory gets an {@link IllegalStateException}, and the JVM does not crash. While a
 * native function or an I/O operation holds the segment, a switch and the close throw and change
 * nothing. If native code uses an address that it kept, the processor stops it, which ends the
 * process.
 *
 * <p><b>Threads.</b> Memory is confined to the thread that created it, and any use on another
 * thread throws {@link WrongThreadException}; or it is {@link Builder#shared() shared}, and then a
 * switch by one thread ends the segments of the others.
 *
 * <p><b>Cost.</b> Whole pages, at least one of them and two of address space, counted against
 * {@code RLIMIT_MEMLOCK}, and some system calls for each block: put several small secrets into one.
 * A quarter of the kernel's mappings may be secrets, 5,460 of them by default ({@code
 * vm.max_map_count}).
 *
 * <p><b>Limits.</b> A copy in the Java heap, a register or a stack is not protected: the caller
 * must wipe the {@code byte[]} that the secret came from. Code that runs in this process, by a
 * debugger for instance, can read all that the process can. When the JVM crashes, its error file
 * shows some readable bytes that registers point to.
 *
 * <p>Memory that is not closed stays locked until the process ends.
 */
public final class SecretMemory implements AutoCloseable {

    /** The access that the pages allow. */
    public enum Access {
        /** No access. */
        NONE,
        /** Reading. */
        READ,
        /** Reading and writing. */
        READ_WRITE
    }

    /** A protection that a system may lack. */
    public enum Protection {
        /** The memory is not in core dumps. */
        NOT_DUMPED,
        /** A forked child does not have the contents. */
        NOT_INHERITED,
        /**
         * No page is merged with an equal one. Hidden pages never are. Locked ones are not, unless
         * this process later requests the merging of all its memory, by {@code
         * prctl(PR_SET_MEMORY_MERGE)}.
         */
        NOT_MERGED
    }

    /** How the pages were obtained. */
    public sealed interface Obtained {

        /** Pages of memfd_secret(2): mapped by this process alone. */
        record Hidden() implements Obtained {}

        /**
         * Private pages, locked into memory.
         *
         * @param reason the reason why they are not hidden, for programs
         * @param whyNotHidden the cause and the remedy, for people
         */
        record Locked(AllocationException.Reason reason, String whyNotHidden) implements Obtained {}
    }

    private final SecretPages pages;
    private final long offset;
    private final long bytes;
    private final Canary canary;
    private final @Nullable Thread owner;
    private final Object switching = new Object();

    /** The present access; guarded, as the rest, by {@link #switching}. */
    private Access access = Access.NONE;

    /** Bounds the segment that was handed out last; null when there is none. */
    private @Nullable Arena lifetime;

    private @Nullable MemorySegment segment;
    private boolean closed;

    /** The pages can be written. */
    private SecretMemory(SecretPages pages, long bytes, long alignment, @Nullable Thread owner) {
        this.pages = pages;
        this.offset = pages.bytes() - roundedUp(bytes, alignment);
        this.bytes = bytes;
        this.canary = Canary.random();
        this.owner = owner;
        canary.write(before());
        canary.write(behind());
    }

    /**
     * Allocates inaccessible memory of this thread, hidden where the system supports that, aligned
     * to one byte: it ends right before the guard page.
     *
     * @param byteSize the size in bytes; 0 is legal
     * @return memory that the caller closes
     * @throws IllegalArgumentException if {@code byteSize} is negative
     * @throws AllocationException if the memory or one of its protections is not available
     * @throws IllegalCallerException if native access is denied; the message names the flag to add
     */
    public static SecretMemory allocate(long byteSize) {
        return builder().allocate(byteSize);
    }

    /**
     * Returns a builder of secret memory.
     *
     * @return a builder with the defaults: confined, any guarantee, absent from children
     */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * Opens the memory for reading and writing.
     *
     * @return the whole memory, alive until the next switch to another access, or the close; the
     *     same segment if it is already open for that
     * @throws IllegalStateException if it is closed, or a native function is using the previous
     *     segment
     * @throws WrongThreadException if called by a thread that it is not confined to
     * @throws ProtectionException if the system refuses; no segment is alive then
     */
    public MemorySegment readWrite() {
        return open(Access.READ_WRITE);
    }

    /**
     * Opens the memory for reading only: the segment refuses to be written, and so does the
     * processor for native code.
     *
     * @return the whole memory, alive until the next switch to another access, or the close; the
     *     same segment if it is already open for that
     * @throws IllegalStateException if it is closed, or a native function is using the previous
     *     segment
     * @throws WrongThreadException if called by a thread that it is not confined to
     * @throws ProtectionException if the system refuses, or the memory was writable and something
     *     has written beyond its ends; no segment is alive then
     */
    public MemorySegment readOnly() {
        return open(Access.READ);
    }

    /**
     * Makes the memory inaccessible; its contents stay.
     *
     * @throws IllegalStateException if it is closed, or a native function is using the previous
     *     segment
     * @throws WrongThreadException if called by a thread that it is not confined to
     * @throws ProtectionException if the system refuses, or the memory was writable and something
     *     has written beyond its ends; in the latter case it is inaccessible nevertheless
     */
    public void noAccess() {
        synchronized (switching) {
            requireUsable();
            if (access != Access.NONE) {
                switchTo(Access.NONE);
            }
        }
    }

    /**
     * Returns the present access.
     *
     * @return the access; {@link Access#NONE} if it is closed
     */
    public Access access() {
        synchronized (switching) {
            return segment == null ? Access.NONE : access;
        }
    }

    /**
     * Returns the requested size.
     *
     * @return the size in bytes
     */
    public long byteSize() {
        return bytes;
    }

    /**
     * Returns the guarantees of the pages.
     *
     * @return {@link Guarantee#RESIDENT} and {@link Guarantee#LOCKED}; with {@link
     *     Guarantee#PINNED} and {@link Guarantee#HIDDEN} if it is {@link Obtained.Hidden}
     */
    public Set<Guarantee> guarantees() {
        return pages.hiddenRefusal().isEmpty() ? Guarantee.SECRET : Guarantee.NEVER_SWAPPED;
    }

    /**
     * Returns how the pages were obtained, and why they are not hidden.
     *
     * @return the kind of pages
     */
    public Obtained obtained() {
        return pages.hiddenRefusal()
                .<Obtained>map(why -> new Obtained.Locked(Reasons.of(why), why.getMessage()))
                .orElseGet(Obtained.Hidden::new);
    }

    /**
     * Returns the protections that this system lacks.
     *
     * @return the reason for each; empty on Linux
     */
    public Map<Protection, String> missing() {
        Map<Protection, String> missing = new EnumMap<>(Protection.class);
        pages.missing().forEach((advice, why) -> missing.put(protection(advice), why.getMessage()));
        return Collections.unmodifiableMap(missing);
    }

    /**
     * Compares bytes with the secret, in a time that does not depend on where they differ. It
     * depends on the sizes.
     *
     * @param other any readable segment
     * @return true if sizes and all bytes are equal
     * @throws IllegalStateException if this memory is not open for reading, or either is closed
     * @throws WrongThreadException on a thread that either is confined away from
     */
    public boolean contentEquals(MemorySegment other) {
        MemorySegment secret;
        synchronized (switching) {
            requireUsable();
            if (segment == null) {
                throw new IllegalStateException(
                        this
                                + ": nothing can be compared while nothing can be read; call"
                                + " readOnly() first");
            }
            secret = segment;
        }
        if (other.byteSize() != bytes) {
            return false;
        }
        int difference = 0;
        for (long i = 0; i < bytes; i++) {
            difference |= secret.get(JAVA_BYTE, i) ^ other.get(JAVA_BYTE, i);
        }
        return difference == 0;
    }

    /**
     * Ends the segment, zeroes the memory, and releases the pages.
     *
     * @throws IllegalStateException if it is closed, or a native function is using its segment; it
     *     stays open in the latter case
     * @throws WrongThreadException if called by a thread that it is not confined to
     * @throws ProtectionException if something has written beyond its ends, or the system refuses a
     *     step; it is closed nevertheless
     */
    @Override
    public void close() {
        synchronized (switching) {
            requireUsable();
            endSegment();
            closed = true;
            ProtectionException found = wipe();
            try {
                pages.release();
            } catch (Refusal e) {
                ProtectionException kept =
                        new ProtectionException(
                                ProtectionException.Reason.NOT_RELEASED,
                                this + " stays mapped until the process ends: " + e.getMessage(),
                                e);
                if (found != null) {
                    kept.addSuppressed(found);
                }
                throw kept;
            }
            if (found != null) {
                throw found;
            }
        }
    }

    /** Returns a description and the access, never the contents. */
    @Override
    public String toString() {
        String way = pages.hiddenRefusal().isEmpty() ? "hidden" : "locked";
        synchronized (switching) {
            String state =
                    closed
                            ? "closed"
                            : switch (access()) {
                                case NONE -> "no access";
                                case READ -> "read-only";
                                case READ_WRITE -> "read-write";
                            };
            return String.format(Locale.ROOT, "SecretMemory[%d bytes, %s, %s]", bytes, way, state);
        }
    }

    private MemorySegment open(Access wanted) {
        synchronized (switching) {
            requireUsable();
            MemorySegment open = segment;
            if (open != null && access == wanted) {
                return open;
            }
            switchTo(wanted);
            Arena newLifetime = owner == null ? Arena.ofShared() : Arena.ofConfined();
            MemorySegment whole =
                    NativeMemory.segment(pages.address() + offset, bytes, newLifetime);
            lifetime = newLifetime;
            segment = wanted == Access.READ ? whole.asReadOnly() : whole;
            return segment;
        }
    }

    /** The segment dies before the pages change: that is what keeps Java from a fault. */
    private void switchTo(Access wanted) {
        endSegment();
        ProtectionException overrun = access == Access.READ_WRITE ? overrun() : null;
        if (access != wanted) {
            protect(wanted);
        }
        if (overrun != null) {
            throw overrun;
        }
    }

    private void endSegment() {
        if (lifetime != null) {
            try {
                lifetime.close();
            } catch (IllegalStateException e) {
                throw new IllegalStateException(
                        this
                                + ": a native function or an I/O operation uses its segment; try"
                                + " again when that has returned",
                        e);
            }
            lifetime = null;
            segment = null;
        }
    }

    private void protect(Access wanted) {
        try {
            pages.protect(
                    switch (wanted) {
                        case NONE -> OperatingSystem.Access.NONE;
                        case READ -> OperatingSystem.Access.READ;
                        case READ_WRITE -> OperatingSystem.Access.READ_WRITE;
                    });
            access = wanted;
        } catch (Refusal e) {
            throw new ProtectionException(
                    ProtectionException.Reason.NOT_CHANGED,
                    String.format(
                            Locale.ROOT,
                            "%s: its pages stay %s, not %s: %s",
                            this,
                            access,
                            wanted,
                            e.getMessage()),
                    e);
        }
    }

    /** Writes zeros over everything; what was wrong before that, or prevents it, or null. */
    private @Nullable ProtectionException wipe() {
        try {
            if (access != Access.READ_WRITE) {
                protect(Access.READ_WRITE);
            }
        } catch (ProtectionException e) {
            return e;
        }
        ProtectionException found = overrun();
        pages.zero();
        return found;
    }

    /** Describes writes beyond the ends, if the pages are readable; null if there are none. */
    private @Nullable ProtectionException overrun() {
        long early = canary.firstChange(before());
        long late = canary.firstChange(behind());
        if (early < 0 && late < 0) {
            return null;
        }
        String where =
                early >= 0
                        ? String.format(Locale.ROOT, "%d bytes before its first", offset - early)
                        : String.format(Locale.ROOT, "%d bytes behind its last", late + 1);
        return new ProtectionException(
                ProtectionException.Reason.OVERRUN,
                String.format(
                        Locale.ROOT,
                        "%s was overrun: something has written %s byte. Look at the native code"
                                + " that got its segment",
                        this,
                        where));
    }

    private MemorySegment before() {
        return NativeMemory.segment(pages.address(), offset);
    }

    private MemorySegment behind() {
        long end = offset + bytes;
        return NativeMemory.segment(pages.address() + end, pages.bytes() - end);
    }

    private void requireUsable() {
        if (owner != null && owner != Thread.currentThread()) {
            throw new WrongThreadException(
                    String.format(
                            Locale.ROOT,
                            "SecretMemory of %s, used on %s: make it shared() for several threads",
                            owner,
                            Thread.currentThread()));
        }
        if (closed) {
            throw new IllegalStateException(this + ": already closed");
        }
    }

    private static Protection protection(Advice advice) {
        return switch (advice) {
            case DONT_DUMP -> Protection.NOT_DUMPED;
            case DONT_MERGE -> Protection.NOT_MERGED;
            case DONT_FORK, WIPE_ON_FORK -> Protection.NOT_INHERITED;
            case HUGE_PAGES, BASE_PAGES ->
                    throw new IllegalArgumentException(advice + " protects nothing");
        };
    }

    private static long roundedUp(long bytes, long multiple) {
        return Alignment.up(bytes, multiple);
    }

    /** A builder of {@link SecretMemory}, for one thread at a time. */
    public static final class Builder {

        private final Set<Guarantee> required = EnumSet.noneOf(Guarantee.class);
        private ForkBehaviour onFork = ForkBehaviour.ABSENT;
        private boolean shared;

        private Builder() {}

        /**
         * Makes the memory available to any thread, instead of the one that allocates.
         *
         * @return this builder
         */
        public Builder shared() {
            shared = true;
            return this;
        }

        /**
         * Requires guarantees: memory without them is refused.
         *
         * @param guarantees some of the guarantees of hidden memory
         * @return this builder
         * @throws IllegalArgumentException if secret memory can never have one of them
         */
        public Builder require(Guarantee... guarantees) {
            for (Guarantee guarantee : guarantees) {
                if (!Guarantee.SECRET.contains(guarantee)) {
                    throw new IllegalArgumentException(
                            "secret memory is never "
                                    + guarantee
                                    + ", at best "
                                    + Guarantee.SECRET);
                }
            }
            required.addAll(Set.of(guarantees));
            return this;
        }

        /**
         * Sets what a child made by fork(2) has; {@link ForkBehaviour#ABSENT} by default. Hidden
         * pages are shared memory, which cannot be {@link ForkBehaviour#WIPED}: the memory is
         * locked then.
         *
         * @param behaviour the behaviour, absent or wiped
         * @return this builder
         * @throws IllegalArgumentException for {@link ForkBehaviour#COPIED}: a secret is never
         *     copied
         */
        public Builder onFork(ForkBehaviour behaviour) {
            if (behaviour == ForkBehaviour.COPIED) {
                throw new IllegalArgumentException(
                        "a secret is never COPIED into a child: ask for ABSENT or WIPED");
            }
            onFork = Objects.requireNonNull(behaviour, "behaviour");
            return this;
        }

        /**
         * Allocates inaccessible memory with these settings, aligned to one byte.
         *
         * @param byteSize the size in bytes; 0 is legal
         * @return memory that the caller closes
         * @throws IllegalArgumentException if {@code byteSize} is negative, or hidden memory is to
         *     be wiped in a child
         * @throws AllocationException if the memory, one of its protections or a required guarantee
         *     is not available
         * @throws IllegalCallerException if native access is denied; the message names the flag to
         *     add
         */
        public SecretMemory allocate(long byteSize) {
            return allocate(byteSize, 1);
        }

        /**
         * Allocates inaccessible memory with these settings.
         *
         * @param byteSize the size in bytes; 0 is legal. If it is no multiple of {@code
         *     byteAlignment}, an overrun is detected when it reaches the guard page, or when the
         *     bytes between are checked
         * @param byteAlignment the alignment in bytes, a power of two, at most the size of a page
         * @return memory that the caller closes
         * @throws IllegalArgumentException if {@code byteSize} is negative, {@code byteAlignment}
         *     is out of range, or hidden memory is to be wiped in a child
         * @throws AllocationException if the memory, one of its protections or a required guarantee
         *     is not available
         * @throws IllegalCallerException if native access is denied; the message names the flag to
         *     add
         */
        public SecretMemory allocate(long byteSize, long byteAlignment) {
            return allocate(byteSize, byteAlignment, Platform.current());
        }

        SecretMemory allocate(long byteSize, long byteAlignment, OperatingSystem os) {
            if (byteSize < 0) {
                throw new IllegalArgumentException(
                        "byteSize=" + byteSize + " must not be negative");
            }
            if (!Alignment.isPowerOfTwo(byteAlignment) || byteAlignment > os.pageBytes()) {
                throw new IllegalArgumentException(
                        String.format(
                                Locale.ROOT,
                                "byteAlignment=%d must be a power of two of at most %d, the page"
                                        + " size",
                                byteAlignment,
                                os.pageBytes()));
            }
            boolean mustBeHidden = !Guarantee.NEVER_SWAPPED.containsAll(required);
            if (mustBeHidden && onFork == ForkBehaviour.WIPED) {
                throw new IllegalArgumentException(
                        required
                                + " takes hidden memory, which cannot be WIPED in a child: it is"
                                + " shared memory. Ask for ABSENT");
            }
            try {
                return allocate(byteSize, byteAlignment, mustBeHidden, os);
            } catch (Refusal e) {
                throw new AllocationException(
                        Reasons.of(e),
                        String.format(
                                Locale.ROOT,
                                "%d bytes of secret memory%s: %s",
                                byteSize,
                                mustBeHidden ? " that is " + required : "",
                                e.getMessage()),
                        e);
            }
        }

        private SecretMemory allocate(
                long byteSize, long byteAlignment, boolean mustBeHidden, OperatingSystem os)
                throws Refusal {
            SecretPages pages =
                    SecretPages.obtain(
                            os, pageBytesFor(byteSize, byteAlignment, os), onFork, mustBeHidden);
            try {
                Thread owner = shared ? null : Thread.currentThread();
                SecretMemory memory = new SecretMemory(pages, byteSize, byteAlignment, owner);
                pages.protect(OperatingSystem.Access.NONE);
                return memory;
            } catch (Refusal | RuntimeException | Error e) {
                release(pages, e);
                throw e;
            }
        }

        /** Room for the block at the end, wherever it is aligned to, and for a canary before it. */
        private static long pageBytesFor(long byteSize, long byteAlignment, OperatingSystem os)
                throws Refusal {
            long page = os.pageBytes();
            if (byteSize > Long.MAX_VALUE - 4 * page) {
                throw new Refusal.OutOfMemory(
                        String.format(
                                Locale.ROOT,
                                "more than can be addressed in pages of %d bytes",
                                page));
            }
            return roundedUp(roundedUp(byteSize, byteAlignment) + Canary.BYTES, page);
        }

        private static void release(SecretPages pages, Throwable cause) {
            try {
                pages.release();
            } catch (Refusal e) {
                cause.addSuppressed(e);
            }
        }
    }
}
