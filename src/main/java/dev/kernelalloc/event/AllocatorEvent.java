package dev.kernelalloc.event;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;

/** An event of an allocator, which is named by its tag. */
@Category({"Native Memory", "Kernel-Alloc"})
public abstract sealed class AllocatorEvent extends Event
        permits AllocationEvent,
                FreeEvent,
                LeakEvent,
                GuaranteeLostEvent,
                PhysicalDriftEvent,
                RefillEvent,
                RefusalEvent,
                SlabMappedEvent,
                SlabUnmappedEvent,
                TrimEvent {

    /** The tag of the allocator, as given to its builder. */
    @Label("Tag")
    @Description("The tag of the allocator, as given to its builder")
    public String tag = "";

    AllocatorEvent() {}
}
