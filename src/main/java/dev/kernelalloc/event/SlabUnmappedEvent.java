package dev.kernelalloc.event;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Label;
import jdk.jfr.MemoryAddress;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** Memory is returned to the system. */
@Name("dev.kernelalloc.SlabUnmapped")
@Label("Slab Unmapped")
@Description("Memory is returned to the system")
@Category({"Native Memory", "Kernel-Alloc"})
@StackTrace(false)
public final class SlabUnmappedEvent extends AllocatorEvent {

    /** The address of the memory. */
    @Label("Address")
    @Description("The address of the memory")
    @MemoryAddress
    public long address;

    /** The size. */
    @Label("Bytes")
    @Description("The size")
    @DataAmount
    public long bytes;

    /** Creates an empty event. */
    public SlabUnmappedEvent() {}
}
