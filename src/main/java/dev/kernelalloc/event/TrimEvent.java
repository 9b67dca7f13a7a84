package dev.kernelalloc.event;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Timespan;

/** {@code trim()} or {@code close()} returned free memory to the system. */
@Name("dev.kernelalloc.Trim")
@Label("Trim")
@Description("trim() or close() returned free memory to the system")
@Category({"Native Memory", "Kernel-Alloc"})
@StackTrace(true)
public final class TrimEvent extends AllocatorEvent {

    /** The memory returned: unmapped, or discarded page by page. */
    @Label("Bytes")
    @Description("The memory returned: unmapped, or discarded page by page")
    @DataAmount
    public long bytes;

    /** The duration. */
    @Label("Spent")
    @Description("The duration")
    @Timespan(Timespan.NANOSECONDS)
    public long spent;

    /** Creates an empty event. */
    public TrimEvent() {}
}
