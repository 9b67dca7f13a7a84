package dev.kernelalloc.event;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Label;
import jdk.jfr.MemoryAddress;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** Memory goes back to the system. */
@Name("dev.kernelalloc.SlabUnmapped")
@Label("Slab Unmapped")
@Description("Memory goes back to the system")
@Category({"Native Memory", "Kernel-Alloc"})
@StackTrace(false)
public final class SlabUnmappedEvent extends AllocatorEvent {

    /** Where the memory starts. */
    @Label("Address")
    @Description("Where the memory starts")
    @MemoryAddress
    public long address;

    /** How much. */
    @Label("Bytes")
    @Description("How much")
    @DataAmount
    public long bytes;

    /** An event of nothing yet. */
    public SlabUnmappedEvent() {}
}
