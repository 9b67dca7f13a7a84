package dev.kernelalloc.event;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Label;
import jdk.jfr.MemoryAddress;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** Memory was taken from the system: a range that slabs are cut from, or a large block. */
@Name("dev.kernelalloc.SlabMapped")
@Label("Slab Mapped")
@Description("Memory was taken from the system: a range that slabs are cut from, or a large block")
@Category({"Native Memory", "Kernel-Alloc"})
@StackTrace(true)
public final class SlabMappedEvent extends AllocatorEvent {

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

    /** What is promised of its pages; empty where nothing is. */
    @Label("Guarantee")
    @Description("What is promised of its pages; empty where nothing is")
    public String guarantee = "";

    /** An event of nothing yet. */
    public SlabMappedEvent() {}
}
