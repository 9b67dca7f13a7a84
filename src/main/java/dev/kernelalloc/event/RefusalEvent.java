package dev.kernelalloc.event;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** An allocation was refused. */
@Name("dev.kernelalloc.Refusal")
@Label("Allocation Refused")
@Description("An allocation was refused")
@Category({"Native Memory", "Kernel-Alloc"})
@StackTrace(true)
public final class RefusalEvent extends AllocatorEvent {

    /** A constant of AllocationException.Reason. */
    @Label("Reason")
    @Description("A constant of AllocationException.Reason")
    public String reason = "";

    /** The requested size. */
    @Label("Bytes")
    @Description("The requested size")
    @DataAmount
    public long bytes;

    /** The requested alignment. */
    @Label("Alignment")
    @Description("The requested alignment")
    @DataAmount
    public long alignment;

    /** The cause and the remedy. */
    @Label("Text")
    @Description("The cause and the remedy")
    public String text = "";

    /** Creates an empty event. */
    public RefusalEvent() {}
}
