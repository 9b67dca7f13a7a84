package dev.kernelalloc.physical;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.PhysicalAllocator;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;

/** Audits slabs while another thread maps and releases slabs at higher addresses. */
final class AuditRace {

    private static final int BLOCKS = 200;
    private static final int AUDITS = 100;

    private AuditRace() {}

    /** The argument names a guarantee that is requested too. */
    static void main(String[] guarantee) throws InterruptedException {
        PhysicalRequest request =
                PhysicalRequest.ofBytes(4096).atLeast(Guarantee.valueOf(guarantee[0])).build();
        try (PhysicalAllocator physical = PhysicalAllocator.create()) {
            List<MemorySegment> high = allocate(physical, request);
            List<MemorySegment> low = allocate(physical, request);
            high.forEach(physical::free);
            AtomicBoolean ended = new AtomicBoolean();
            Thread other =
                    Thread.ofPlatform()
                            .start(
                                    () -> {
                                        while (!ended.get()) {
                                            allocate(physical, request).forEach(physical::free);
                                        }
                                    });
            int broken = 0;
            for (int audit = 0; audit < AUDITS; audit++) {
                broken += physical.verify().verdict() == Verification.Verdict.BROKEN ? 1 : 0;
            }
            ended.set(true);
            other.join();
            IO.println("broken audits: " + broken);
            low.forEach(physical::free);
        } catch (AllocationException e) {
            IO.println("refused: " + e.getMessage());
        }
    }

    private static List<MemorySegment> allocate(
            PhysicalAllocator physical, PhysicalRequest request) {
        List<MemorySegment> blocks = new ArrayList<>();
        for (int i = 0; i < BLOCKS; i++) {
            blocks.add(physical.allocate(request));
        }
        return blocks;
    }
}
