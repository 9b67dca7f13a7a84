package dev.kernelalloc.event;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Label;
import jdk.jfr.MemoryAddress;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** Memory was found that nobody will give back. */
@Name("dev.kernelalloc.Leak")
@Label("Leak")
@Description("Memory was found that nobody will give back")
@Category({"Native Memory", "Kernel-Alloc"})
@StackTrace(false)
public final class LeakEvent extends AllocatorEvent {

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

    /** What owned the memory: a constant of LeakReport.Kind. */
    @Label("Kind")
    @Description("What owned the memory: a constant of LeakReport.Kind")
    public String kind = "";

    /** The callers that made it, the nearest first, a line for each. */
    @Label("Place")
    @Description("The callers that made it, the nearest first, a line for each")
    public String place = "";

    /** The name of the thread that owned it last. */
    @Label("Owner Thread")
    @Description("The name of the thread that owned it last")
    public String owner = "";

    /** The identifier of that thread. */
    @Label("Owner Thread Id")
    @Description("The identifier of that thread")
    public long ownerId;

    /** Whether that thread has ended. */
    @Label("Owner Thread Ended")
    @Description("Whether that thread has ended")
    public boolean ownerEnded;

    /** An event of nothing yet. */
    public LeakEvent() {}
}
