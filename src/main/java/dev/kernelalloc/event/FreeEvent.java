package dev.kernelalloc.event;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Label;
import jdk.jfr.MemoryAddress;
import jdk.jfr.Name;
import jdk.jfr.SettingDefinition;
import jdk.jfr.StackTrace;

/** A sampled owner or a large block was freed. */
@Name("dev.kernelalloc.Free")
@Label("Native Free")
@Description("A sampled owner or a large block was freed")
@Category({"Native Memory", "Kernel-Alloc"})
@StackTrace(true)
public final class FreeEvent extends AllocatorEvent {

    /** The address of the memory. */
    @Label("Address")
    @Description("The address of the memory")
    @MemoryAddress
    public long address;

    /** The size: as requested if sampled, otherwise the capacity of the large block. */
    @Label("Bytes")
    @Description("The size: as requested if sampled, otherwise the capacity of the large block")
    @DataAmount
    public long bytes;

    /** The kind of owner: box, arena, large block and so on. */
    @Label("Owner")
    @Description("The kind of owner: box, arena, large block and so on")
    public String owner = "";

    /** Whether the owner is sampled for leak tracking; otherwise it is a large block. */
    @Label("Sampled")
    @Description("Whether the owner is sampled for leak tracking; otherwise it is a large block")
    public boolean sampled;

    /** Creates an empty event. */
    public FreeEvent() {}

    /**
     * Whether the block is to be recorded.
     *
     * @param least as the recording sets it
     * @return true if it is sampled, or has that many bytes
     */
    @Name("bytes")
    @Label("Bytes")
    @Description("The smallest large block that is recorded: a number, or one with k, m or g")
    @SettingDefinition
    public boolean isRecorded(LeastBytes least) {
        return sampled || bytes >= least.bytes();
    }
}
