package dev.kernelalloc.event;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Label;
import jdk.jfr.MemoryAddress;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** Memory was taken from the system: a range for slabs, or a large block. */
@Name("dev.kernelalloc.SlabMapped")
@Label("Slab Mapped")
@Description("Memory was taken from the system: a range for slabs, or a large block")
@Category({"Native Memory", "Kernel-Alloc"})
@StackTrace(true)
public final class SlabMappedEvent extends AllocatorEvent {

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

    /** The guarantees of its pages; empty if there are none. */
    @Label("Guarantee")
    @Description("The guarantees of its pages; empty if there are none")
    public String guarantee = "";

    /** Creates an empty event. */
    public SlabMappedEvent() {}
}
