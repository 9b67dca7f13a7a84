package dev.kernelalloc.pool;

import dev.kernelalloc.Hardening;
import dev.kernelalloc.PoolAllocator;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.EnumSet;
import java.util.Set;

/**
 * Which measures an allocator takes, as its user sees them. Of {@link Hardening#DOUBLE_FREE} a
 * single thread sees nothing: it is said to be there where the others all are.
 */
final class HardeningSeen {

    private static final int BLOCKS = 6400;

    private HardeningSeen() {}

    static Set<Hardening> in(PoolAllocator pool) {
        Set<Hardening> seen = EnumSet.noneOf(Hardening.class);
        MemorySegment[] blocks = new MemorySegment[BLOCKS];
        int inOrder = 0;
        for (int i = 0; i < BLOCKS; i++) {
            blocks[i] = pool.allocate(64, 8).fill((byte) 0x11);
            inOrder += i > 0 && blocks[i].address() > blocks[i - 1].address() ? 1 : 0;
        }
        if (inOrder < BLOCKS * 3 / 4) {
            seen.add(Hardening.RANDOM_ORDER);
        }
        if (pool.stats().liveBytes() > 64 * BLOCKS) {
            seen.add(Hardening.CANARY);
        }
        for (MemorySegment block : blocks) {
            pool.free(block);
        }
        if (blocks[0].get(ValueLayout.JAVA_BYTE, 63) == (byte) 0xDF) {
            seen.add(Hardening.OVERWRITE);
        }
        if (pool.stats().quarantinedBytes() > 0) {
            seen.add(Hardening.QUARANTINE);
        }
        if (seen.size() == Hardening.values().length - 1) {
            seen.add(Hardening.DOUBLE_FREE);
        }
        return seen;
    }
}
