package dev.kernelalloc.event;

import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Description;
import jdk.jfr.Label;
import jdk.jfr.MemoryAddress;
import jdk.jfr.Name;
import jdk.jfr.SettingDefinition;
import jdk.jfr.StackTrace;

/** Memory was given back: of an owner that leak tracking had picked, or a large block. */
@Name("dev.kernelalloc.Free")
@Label("Native Free")
@Description("Memory was given back: of an owner that leak tracking had picked, or a large block")
@Category({"Native Memory", "Kernel-Alloc"})
@StackTrace(true)
public final class FreeEvent extends AllocatorEvent {

    /** Where the memory starts. */
    @Label("Address")
    @Description("Where the memory starts")
    @MemoryAddress
    public long address;

    /** How much: as asked for when sampled, of a large block its capacity. */
    @Label("Bytes")
    @Description("How much: as asked for when sampled, of a large block its capacity")
    @DataAmount
    public long bytes;

    /** What owns the memory: box, arena, large block and so on. */
    @Label("Owner")
    @Description("What owns the memory: box, arena, large block and so on")
    public String owner = "";

    /** Whether leak tracking has picked its owner; otherwise it is a large block. */
    @Label("Sampled")
    @Description("Whether leak tracking has picked its owner; otherwise it is a large block")
    public boolean sampled;

    /** An event of nothing yet. */
    public FreeEvent() {}

    /**
     * Whether the block is to be recorded.
     *
     * @param least as the recording sets it
     * @return whether it is sampled, or has that many bytes
     */
    @Name("bytes")
    @Label("Bytes")
    @Description("Large blocks of fewer bytes are left out: a number, or one with k, m or g")
    @SettingDefinition
    public boolean isRecorded(LeastBytes least) {
        return sampled || bytes >= least.bytes();
    }
}
