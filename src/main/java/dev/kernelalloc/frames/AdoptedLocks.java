package dev.kernelalloc.frames;

import dev.kernelalloc.os.CallState;
import dev.kernelalloc.os.OperatingSystem;
import dev.kernelalloc.os.Refusal;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;

/**
 * The locks of all adoptions of the process. The kernel does not count locks: munlock(2) ends the
 * lock of a page however often it was locked. So a page is unlocked with the last adoption of it,
 * of whichever allocator; until then its lock passes to one of the others.
 *
 * <p>A lock ends without a call once this library has mapped other memory at its address: what was
 * adopted is gone, and an unlock would strip the new memory.
 *
 * <p><b>Concurrency.</b> A claim is made before it is read which pages are locked, and a lock is
 * recorded before it is made; all changes, and munlock(2), are under one monitor.
 */
final class AdoptedLocks {

    static final AdoptedLocks OF_PROCESS = new AdoptedLocks();

    private final List<Claim> claims = new ArrayList<>();

    private AdoptedLocks() {}

    /** A lock that an adoption has made. */
    record Lock(long address, long bytes, OperatingSystem os, Preflight preflight) {

        private long end() {
            return address + bytes;
        }

        private Lock from(long start) {
            return new Lock(start, end() - start, os, preflight);
        }

        private Lock upTo(long end) {
            return new Lock(address, end - address, os, preflight);
        }
    }

    /** The memory of an adoption, and the locks that end with it. */
    static final class Claim {

        private final MemorySegment memory;
        private final long start;
        private final long end;
        private final List<Lock> locks = new ArrayList<>();

        private Claim(MemorySegment memory) {
            this.memory = memory;
            this.start = memory.address();
            this.end = start + memory.byteSize();
        }

        /** Returns the part of the memory that a lock of this claim is for. */
        MemorySegment memory(Lock lock) {
            return memory.asSlice(lock.address - start, lock.bytes);
        }
    }

    /**
     * Begins a claim.
     *
     * @param locked whether the memory has to be locked, by whomever
     */
    synchronized Claim claim(MemorySegment memory, boolean locked) {
        Claim claim = new Claim(memory);
        if (locked) {
            claims.add(claim);
        }
        return claim;
    }

    synchronized void add(Claim claim, Lock lock) {
        claim.locks.add(lock);
    }

    synchronized void remove(Claim claim, Lock lock) {
        claim.locks.remove(lock);
    }

    /** Ends a claim, and unlocks what no other claim has, unless its arena is closed. */
    synchronized void end(Claim claim) {
        claims.remove(claim);
        for (Lock lock : claim.locks) {
            if (claim.memory.scope().isAlive()) {
                transfer(lock, claim, 0);
            } else {
                lock.preflight.unlocked(lock.bytes);
            }
        }
        claim.locks.clear();
    }

    /**
     * Passes the parts of a lock to the claims from an index on, and unlocks the rest. A claim
     * whose arena is closed has no memory any more: what is mapped there is someone else's.
     */
    private void transfer(Lock lock, Claim from, int first) {
        for (int i = first; i < claims.size(); i++) {
            Claim other = claims.get(i);
            if (other.start < lock.end()
                    && lock.address < other.end
                    && other.memory.scope().isAlive()) {
                Lock common = lock;
                if (lock.address < other.start) {
                    transfer(lock.upTo(other.start), from, i + 1);
                    common = common.from(other.start);
                }
                if (other.end < lock.end()) {
                    transfer(lock.from(other.end), from, i + 1);
                    common = common.upTo(other.end);
                }
                other.locks.add(common);
                return;
            }
        }
        unlock(lock, from.memory(lock));
    }

    private static void unlock(Lock lock, MemorySegment memory) {
        try (Arena scratch = Arena.ofConfined()) {
            lock.os.unlock(memory, scratch.allocate(CallState.LAYOUT));
        } catch (Refusal | IllegalStateException unmapped) {
            // Its lock ended with the mapping, or its arena was closed just now.
        }
        lock.preflight.unlocked(lock.bytes);
    }

    /** Forgets the locks in a range that this library has mapped just now. */
    synchronized void forgetRemapped(long address, long bytes) {
        long end = address + bytes;
        for (Claim claim : claims) {
            List<Lock> kept = new ArrayList<>();
            for (Iterator<Lock> locks = claim.locks.iterator(); locks.hasNext(); ) {
                Lock lock = locks.next();
                long from = Math.max(address, lock.address);
                long to = Math.min(end, lock.end());
                if (from < to) {
                    locks.remove();
                    lock.preflight.unlocked(to - from);
                    if (lock.address < from) {
                        kept.add(lock.upTo(from));
                    }
                    if (to < lock.end()) {
                        kept.add(lock.from(to));
                    }
                }
            }
            claim.locks.addAll(kept);
        }
    }
}
