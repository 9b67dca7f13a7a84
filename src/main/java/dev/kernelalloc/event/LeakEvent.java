package dev.kernelalloc.event;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Label;
import jdk.jfr.MemoryAddress;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** An owner was found that can no longer be closed. */
@Name("dev.kernelalloc.Leak")
@Label("Leak")
@Description("An owner was found that can no longer be closed")
@Category({"Native Memory", "Kernel-Alloc"})
@StackTrace(false)
public final class LeakEvent extends AllocatorEvent {

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

    /** The kind of owner: a constant of LeakReport.Kind. */
    @Label("Kind")
    @Description("The kind of owner: a constant of LeakReport.Kind")
    public String kind = "";

    /** The allocation site: the callers, nearest first, one per line. */
    @Label("Allocation Site")
    @Description("The allocation site: the callers, nearest first, one per line")
    public String site = "";

    /** The name of the last owner's thread. */
    @Label("Owner Thread")
    @Description("The name of the last owner's thread")
    public String owner = "";

    /** The id of that thread. */
    @Label("Owner Thread Id")
    @Description("The id of that thread")
    public long ownerId;

    /** Whether that thread has ended. */
    @Label("Owner Thread Ended")
    @Description("Whether that thread has ended")
    public boolean ownerEnded;

    /** Creates an empty event. */
    public LeakEvent() {}
}
