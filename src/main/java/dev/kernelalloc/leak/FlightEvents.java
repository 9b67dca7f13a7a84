package dev.kernelalloc.leak;

import dev.kernelalloc.LeakReport;
import dev.kernelalloc.event.AllocationEvent;
import dev.kernelalloc.event.FreeEvent;
import dev.kernelalloc.event.GuaranteeLostEvent;
import dev.kernelalloc.event.LeakEvent;
import dev.kernelalloc.event.PhysicalDriftEvent;
import dev.kernelalloc.event.RefillEvent;
import dev.kernelalloc.event.RefusalEvent;
import dev.kernelalloc.event.SlabMappedEvent;
import dev.kernelalloc.event.SlabUnmappedEvent;
import dev.kernelalloc.event.TrimEvent;
import dev.kernelalloc.heap.StackReserve;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.Drift;
import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.physical.LostGuarantee;
import dev.kernelalloc.physical.PhysicalAddress;

import java.util.Set;
import java.util.stream.Collectors;

/**
 * Writes flight-recorder events: the only class that refers to them. Callers drop its exceptions.
 *
 * <p>Whether a kind of event is enabled is asked of an existing event, so that nothing is allocated
 * without a recording. With a recording, the recorder needs stack too, and an overflow would leave
 * it in the middle of an event.
 */
public final class FlightEvents {

    private static final AllocationEvent ALLOCATION = new AllocationEvent();
    private static final FreeEvent FREE = new FreeEvent();
    private static final LeakEvent LEAK = new LeakEvent();
    private static final PhysicalDriftEvent DRIFT = new PhysicalDriftEvent();
    private static final GuaranteeLostEvent LOST = new GuaranteeLostEvent();
    private static final RefillEvent REFILL = new RefillEvent();
    private static final RefusalEvent REFUSAL = new RefusalEvent();
    private static final SlabMappedEvent MAPPED = new SlabMappedEvent();
    private static final SlabUnmappedEvent UNMAPPED = new SlabUnmappedEvent();
    private static final TrimEvent TRIM = new TrimEvent();

    private FlightEvents() {}

    /** Loads and registers the events. */
    static void prepare() {
        ALLOCATION.isEnabled();
    }

    static void allocated(String tag, String owner, long address, long bytes, boolean sampled) {
        if (ALLOCATION.isEnabled()) {
            StackReserve.requireForCaller();
            AllocationEvent event = new AllocationEvent();
            event.tag = tag;
            event.address = address;
            event.bytes = bytes;
            event.owner = owner;
            event.sampled = sampled;
            event.commit();
        }
    }

    static void freed(String tag, String owner, long address, long bytes, boolean sampled) {
        if (FREE.isEnabled()) {
            StackReserve.requireForCaller();
            FreeEvent event = new FreeEvent();
            event.tag = tag;
            event.address = address;
            event.bytes = bytes;
            event.owner = owner;
            event.sampled = sampled;
            event.commit();
        }
    }

    static void mapped(String tag, long address, long bytes, String guarantee) {
        if (MAPPED.isEnabled()) {
            StackReserve.requireForCaller();
            SlabMappedEvent event = new SlabMappedEvent();
            event.tag = tag;
            event.address = address;
            event.bytes = bytes;
            event.guarantee = guarantee;
            event.commit();
        }
    }

    static void unmapped(String tag, long address, long bytes) {
        if (UNMAPPED.isEnabled()) {
            StackReserve.requireForCaller();
            SlabUnmappedEvent event = new SlabUnmappedEvent();
            event.tag = tag;
            event.address = address;
            event.bytes = bytes;
            event.commit();
        }
    }

    static void refilled(String tag, long blockBytes, int blocks, boolean reused) {
        if (REFILL.isEnabled()) {
            StackReserve.requireForCaller();
            RefillEvent event = new RefillEvent();
            event.tag = tag;
            event.blockBytes = blockBytes;
            event.blocks = blocks;
            event.reused = reused;
            event.commit();
        }
    }

    static void trimmed(String tag, long bytes, long nanos) {
        if (TRIM.isEnabled()) {
            StackReserve.requireForCaller();
            TrimEvent event = new TrimEvent();
            event.tag = tag;
            event.bytes = bytes;
            event.spent = nanos;
            event.commit();
        }
    }

    static void refused(String tag, Refusal refusal, long bytes, long alignment) {
        if (REFUSAL.isEnabled()) {
            StackReserve.requireForCaller();
            RefusalEvent event = new RefusalEvent();
            event.tag = tag;
            event.reason = Reasons.of(refusal).name();
            event.bytes = bytes;
            event.alignment = alignment;
            event.text = refusal.getMessage();
            event.commit();
        }
    }

    static void leaked(LeakReport report) {
        if (LEAK.isEnabled()) {
            LeakEvent event = new LeakEvent();
            event.tag = report.tag();
            event.address = report.address();
            event.bytes = report.bytes();
            event.kind = report.kind().name();
            event.site =
                    report.site().stream().map(Object::toString).collect(Collectors.joining("\n"));
            event.owner = report.thread();
            event.ownerId = report.threadId();
            event.ownerEnded = report.threadEnded();
            event.commit();
        }
    }

    static void drifted(String tag, Drift drift) {
        if (DRIFT.isEnabled()) {
            PhysicalAddress before = drift.before();
            PhysicalAddress after = drift.after();
            PhysicalDriftEvent event = new PhysicalDriftEvent();
            event.tag = tag;
            event.address = drift.virtualAddress();
            event.before = before == null ? -1 : before.value();
            event.after = after == null ? -1 : after.value();
            event.pinned = drift.pinned();
            event.finding = drift.finding();
            event.commit();
        }
    }

    static void lost(String tag, LostGuarantee lost) {
        if (LOST.isEnabled()) {
            GuaranteeLostEvent event = new GuaranteeLostEvent();
            event.tag = tag;
            event.guarantee = lost.guarantee().name();
            event.address = lost.virtualAddress();
            event.pages = lost.pages();
            event.finding = lost.finding();
            event.commit();
        }
    }

    static String text(Set<Guarantee> guarantees) {
        return guarantees.stream().sorted().map(Guarantee::name).collect(Collectors.joining(" "));
    }
}
