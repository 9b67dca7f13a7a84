package dev.kernelalloc.event;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Timespan;

/** Free memory was given back to the system by {@code trim()} or {@code close()}. */
@Name("dev.kernelalloc.Trim")
@Label("Trim")
@Description("Free memory was given back to the system by trim() or close()")
@Category({"Native Memory", "Kernel-Alloc"})
@StackTrace(true)
public final class TrimEvent extends AllocatorEvent {

    /** How much went back meanwhile: unmapped, or discarded page by page. */
    @Label("Bytes")
    @Description("How much went back meanwhile: unmapped, or discarded page by page")
    @DataAmount
    public long bytes;

    /** How long it took. */
    @Label("Spent")
    @Description("How long it took")
    @Timespan(Timespan.NANOSECONDS)
    public long spent;

    /** An event of nothing yet. */
    public TrimEvent() {}
}
