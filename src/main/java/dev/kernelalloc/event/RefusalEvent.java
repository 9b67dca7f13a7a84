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

    /** How much was asked for. */
    @Label("Bytes")
    @Description("How much was asked for")
    @DataAmount
    public long bytes;

    /** The alignment that was asked for. */
    @Label("Alignment")
    @Description("The alignment that was asked for")
    @DataAmount
    public long alignment;

    /** What was found, and what helps. */
    @Label("Text")
    @Description("What was found, and what helps")
    public String text = "";

    /** An event of nothing yet. */
    public RefusalEvent() {}
}
