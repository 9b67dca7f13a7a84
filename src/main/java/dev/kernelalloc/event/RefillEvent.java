package dev.kernelalloc.event;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Enabled;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** A cache was empty and was refilled. Frequent: off unless a recording enables it. */
@Name("dev.kernelalloc.Refill")
@Label("Cache Refill")
@Description("A cache was empty and was refilled. Frequent: off unless a recording enables it")
@Category({"Native Memory", "Kernel-Alloc"})
@StackTrace(false)
@Enabled(false)
public final class RefillEvent extends AllocatorEvent {

    /** The size of the blocks. */
    @Label("Block Bytes")
    @Description("The size of the blocks")
    @DataAmount
    public long blockBytes;

    /** The number of blocks. */
    @Label("Blocks")
    @Description("The number of blocks")
    public int blocks;

    /** Whether the slab was in use before; otherwise it is new. */
    @Label("Reused")
    @Description("Whether the slab was in use before; otherwise it is new")
    public boolean reused;

    /** Creates an empty event. */
    public RefillEvent() {}
}
