package dev.kernelalloc.event;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Label;
import jdk.jfr.MemoryAddress;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** A page is in another frame than when it was resolved. */
@Name("dev.kernelalloc.PhysicalDrift")
@Label("Physical Drift")
@Description("A page is in another frame than when it was resolved")
@Category({"Native Memory", "Kernel-Alloc"})
@StackTrace(false)
public final class PhysicalDriftEvent extends AllocatorEvent {

    /** The virtual address of the page. */
    @Label("Address")
    @Description("The virtual address of the page")
    @MemoryAddress
    public long address;

    /** The previous physical address; -1 if unknown. */
    @Label("Before")
    @Description("The previous physical address; -1 if unknown")
    @MemoryAddress
    public long before;

    /** The present physical address; -1 if there is none. */
    @Label("After")
    @Description("The present physical address; -1 if there is none")
    @MemoryAddress
    public long after;

    /** Whether the page was pinned. */
    @Label("Pinned")
    @Description("Whether the page was pinned")
    public boolean pinned;

    /** The finding. */
    @Label("Finding")
    @Description("The finding")
    public String finding = "";

    /** Creates an empty event. */
    public PhysicalDriftEvent() {}
}
