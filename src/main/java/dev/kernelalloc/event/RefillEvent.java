package dev.kernelalloc.event;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Enabled;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** A cache was empty and got a magazine of blocks. Frequent: off unless a recording enables it. */
@Name("dev.kernelalloc.Refill")
@Label("Magazine Refill")
@Description(
        "A cache was empty and got a magazine of blocks. Frequent: off unless a recording enables"
                + " it")
@Category({"Native Memory", "Kernel-Alloc"})
@StackTrace(false)
@Enabled(false)
public final class RefillEvent extends AllocatorEvent {

    /** The size of its blocks. */
    @Label("Block Bytes")
    @Description("The size of its blocks")
    @DataAmount
    public long blockBytes;

    /** How many came. */
    @Label("Blocks")
    @Description("How many came")
    public int blocks;

    /** Whether the depot had it; otherwise it was filled from slabs. */
    @Label("From Depot")
    @Description("Whether the depot had it; otherwise it was filled from slabs")
    public boolean fromDepot;

    /** An event of nothing yet. */
    public RefillEvent() {}
}
