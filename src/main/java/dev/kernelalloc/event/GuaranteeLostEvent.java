package dev.kernelalloc.event;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Label;
import jdk.jfr.MemoryAddress;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** A verification found that a guarantee was lost. */
@Name("dev.kernelalloc.GuaranteeLost")
@Label("Guarantee Lost")
@Description("A verification found that a guarantee was lost")
@Category({"Native Memory", "Kernel-Alloc"})
@StackTrace(false)
public final class GuaranteeLostEvent extends AllocatorEvent {

    /** The lost guarantee. */
    @Label("Guarantee")
    @Description("The lost guarantee")
    public String guarantee = "";

    /** The virtual address of the first page that lacks it. */
    @Label("Address")
    @Description("The virtual address of the first page that lacks it")
    @MemoryAddress
    public long address;

    /** The number of base pages that lack it. */
    @Label("Pages")
    @Description("The number of base pages that lack it")
    public long pages;

    /** The finding. */
    @Label("Finding")
    @Description("The finding")
    public String finding = "";

    /** Creates an empty event. */
    public GuaranteeLostEvent() {}
}
