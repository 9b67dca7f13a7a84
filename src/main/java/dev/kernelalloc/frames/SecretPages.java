package dev.kernelalloc.frames;

import dev.kernelalloc.os.CallState;
import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.OperatingSystem.Access;
import dev.kernelalloc.os.OperatingSystem.Advice;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.ForkBehaviour;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Pages for a secret, between two guard pages: populated, locked, in no core dump, kept from forked
 * children and never merged. They are hidden from the kernel if it supports that, or private pages
 * otherwise.
 *
 * @param os the system that they came from
 * @param address the address of the first page behind the guard; its first contents are zeros
 * @param bytes the bytes of the pages, without the guards
 * @param hiddenRefusal the refusal of hidden pages; empty if these are hidden
 * @param missing the advice that this system lacks, with the reason
 */
public record SecretPages(
        OperatingSystem os,
        long address,
        long bytes,
        Optional<Refusal> hiddenRefusal,
        Map<Advice, Refusal> missing) {

    /** All secrets of the process: the kernel limits its mappings, and others need most of them. */
    private static final AtomicLong LIVE = new AtomicLong();

    /** The pages, and a guard before and behind them. */
    private static final int MAPPINGS_EACH = 3;

    /** Keeps a copy of what is missing. */
    public SecretPages {
        missing = Map.copyOf(missing);
    }

    /**
     * Obtains pages that are readable and writable.
     *
     * @param bytes a multiple of the page size, at least one page
     * @param mustBeHidden whether private pages are refused
     * @throws Refusal if a protection that this system has is refused
     */
    public static SecretPages obtain(
            OperatingSystem os, long bytes, ForkBehaviour onFork, boolean mustBeHidden)
            throws Refusal {
        Preflight preflight = Preflight.of(os);
        preflight.requireMemory(bytes, OptionalInt.empty());
        chargeMappings(os);
        try (Arena scratch = Arena.ofConfined()) {
            MemorySegment callState = scratch.allocate(CallState.LAYOUT);
            return switch (onFork) {
                case ABSENT -> hiddenOrLocked(os, preflight, bytes, mustBeHidden, callState);
                case WIPED ->
                        locked(
                                os,
                                preflight,
                                bytes,
                                Advice.WIPE_ON_FORK,
                                sharedWithChildren(),
                                callState);
                case COPIED -> throw new IllegalArgumentException("a secret is never copied");
            };
        } catch (Refusal | RuntimeException | Error e) {
            LIVE.decrementAndGet();
            throw e;
        }
    }

    private static SecretPages hiddenOrLocked(
            OperatingSystem os,
            Preflight preflight,
            long bytes,
            boolean mustBeHidden,
            MemorySegment callState)
            throws Refusal {
        long guard = os.pageBytes();
        long start;
        try {
            start = reserveHidden(os, preflight, bytes, callState);
        } catch (Refusal e) {
            if (mustBeHidden
                    || e instanceof Refusal.LockLimit
                    || e instanceof Refusal.Shortage // hidden in a moment
                    || e instanceof Refusal.OutOfMemory) {
                throw e;
            }
            return fallBackToLocked(os, preflight, bytes, e, callState);
        }
        try {
            Map<Advice, Refusal> missing =
                    advise(os, start + guard, bytes, Advice.DONT_FORK, callState);
            return new SecretPages(os, start + guard, bytes, Optional.empty(), missing);
        } catch (Refusal | RuntimeException | Error e) {
            release(os, start, bytes + 2 * guard, e, callState);
            preflight.unlocked(bytes);
            throw e;
        }
    }

    private static long reserveHidden(
            OperatingSystem os, Preflight preflight, long bytes, MemorySegment callState)
            throws Refusal {
        preflight.enter(bytes);
        try {
            long start = os.reserveHidden(bytes, os.pageBytes(), callState);
            AdoptedLocks.OF_PROCESS.forgetRemapped(start, bytes);
            preflight.lockedBySystem(bytes);
            return start;
        } finally {
            preflight.exit(bytes);
        }
    }

    private static SecretPages fallBackToLocked(
            OperatingSystem os,
            Preflight preflight,
            long bytes,
            Refusal hiddenRefusal,
            MemorySegment callState)
            throws Refusal {
        try {
            return locked(os, preflight, bytes, Advice.DONT_FORK, hiddenRefusal, callState);
        } catch (Refusal e) {
            e.addSuppressed(hiddenRefusal);
            throw e;
        }
    }

    /**
     * The order matters: advice first, because it changes what happens to pages that exist; then
     * the lock, which checks its limit before it populates.
     */
    private static SecretPages locked(
            OperatingSystem os,
            Preflight preflight,
            long bytes,
            Advice onFork,
            Refusal hiddenRefusal,
            MemorySegment callState)
            throws Refusal {
        long guard = os.pageBytes();
        long start = os.reserve(bytes + 2 * guard, guard, callState);
        long locked = 0;
        try {
            long address = start + guard;
            os.commit(address, bytes, callState);
            AdoptedLocks.OF_PROCESS.forgetRemapped(address, bytes);
            Map<Advice, Refusal> missing = advise(os, address, bytes, onFork, callState);
            for (long done = 0; done < bytes; done += Preflight.STEP_BYTES) {
                long step = Math.min(Preflight.STEP_BYTES, bytes - done);
                preflight.enter(step);
                try {
                    preflight.lock(address + done, step, callState);
                    locked += step;
                    os.populate(address + done, step, callState);
                } finally {
                    preflight.exit(step);
                }
            }
            return new SecretPages(os, address, bytes, Optional.of(hiddenRefusal), missing);
        } catch (Refusal | RuntimeException | Error e) {
            release(os, start, bytes + 2 * guard, e, callState);
            preflight.unlocked(locked);
            throw e;
        }
    }

    /** Only what a system does not have may be missing; whatever else fails is a refusal. */
    private static Map<Advice, Refusal> advise(
            OperatingSystem os, long address, long bytes, Advice onFork, MemorySegment callState)
            throws Refusal {
        Map<Advice, Refusal> missing = new EnumMap<>(Advice.class);
        for (Advice advice : List.of(onFork, Advice.DONT_DUMP, Advice.DONT_MERGE)) {
            try {
                os.advise(address, bytes, advice, callState);
            } catch (Refusal.NotSupported e) {
                missing.put(advice, e);
            }
        }
        return missing;
    }

    /** Changes what may be done with all of them. */
    public void protect(Access access) throws Refusal {
        try (Arena scratch = Arena.ofConfined()) {
            os.protect(address, bytes, access, scratch.allocate(CallState.LAYOUT));
        }
    }

    /** Writes zeros everywhere; the pages can be written. */
    public void zero() {
        NativeMemory.zero(address, bytes);
    }

    /** Gives them back, with their guards. */
    public void release() throws Refusal {
        long guard = os.pageBytes();
        try (Arena scratch = Arena.ofConfined()) {
            os.release(address - guard, bytes + 2 * guard, scratch.allocate(CallState.LAYOUT));
            Preflight.of(os).unlocked(bytes);
        } finally {
            LIVE.decrementAndGet();
        }
    }

    private static Refusal sharedWithChildren() {
        return new Refusal.NotSupported(
                "hidden pages can be absent from a forked child, but not zeros there: they are"
                        + " shared memory");
    }

    /** A quarter of the kernel's limit, as blocks of pages may take half. */
    private static void chargeMappings(OperatingSystem os) throws Refusal {
        long live = LIVE.incrementAndGet();
        if (live * MAPPINGS_EACH > os.maxMappings() / 4) {
            LIVE.decrementAndGet();
            throw new Refusal.OutOfMemory(
                    String.format(
                            Locale.ROOT,
                            "this process has %d secrets of %d mappings each, and the kernel allows"
                                + " it %d mappings: put several secrets into one block, or raise"
                                + " sysctl vm.max_map_count",
                            live - 1,
                            MAPPINGS_EACH,
                            os.maxMappings()));
        }
    }

    private static void release(
            OperatingSystem os, long start, long bytes, Throwable cause, MemorySegment callState) {
        try {
            os.release(start, bytes, callState);
        } catch (Refusal e) {
            cause.addSuppressed(e);
        }
    }
}
