package dev.kernelalloc.event;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Label;
import jdk.jfr.MemoryAddress;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** A page was found in another frame than when it was resolved. */
@Name("dev.kernelalloc.PhysicalDrift")
@Label("Physical Drift")
@Description("A page was found in another frame than when it was resolved")
@Category({"Native Memory", "Kernel-Alloc"})
@StackTrace(false)
public final class PhysicalDriftEvent extends AllocatorEvent {

    /** The virtual address of the page. */
    @Label("Address")
    @Description("The virtual address of the page")
    @MemoryAddress
    public long address;

    /** The physical address where it lay; -1 where that was not known. */
    @Label("Before")
    @Description("The physical address where it lay; -1 where that was not known")
    @MemoryAddress
    public long before;

    /** The physical address where it lies now; -1 where it has none. */
    @Label("After")
    @Description("The physical address where it lies now; -1 where it has none")
    @MemoryAddress
    public long after;

    /** Whether it was promised not to move. */
    @Label("Pinned")
    @Description("Whether it was promised not to move")
    public boolean pinned;

    /** What was found. */
    @Label("Finding")
    @Description("What was found")
    public String finding = "";

    /** An event of nothing yet. */
    public PhysicalDriftEvent() {}
}
