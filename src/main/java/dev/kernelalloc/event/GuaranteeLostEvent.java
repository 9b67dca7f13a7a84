package dev.kernelalloc.event;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Label;
import jdk.jfr.MemoryAddress;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/** A verification found that a guarantee of memory does not hold any more. */
@Name("dev.kernelalloc.GuaranteeLost")
@Label("Guarantee Lost")
@Description("A verification found that a guarantee of memory does not hold any more")
@Category({"Native Memory", "Kernel-Alloc"})
@StackTrace(false)
public final class GuaranteeLostEvent extends AllocatorEvent {

    /** Which guarantee. */
    @Label("Guarantee")
    @Description("Which guarantee")
    public String guarantee = "";

    /** The virtual address of the first page that lacks it. */
    @Label("Address")
    @Description("The virtual address of the first page that lacks it")
    @MemoryAddress
    public long address;

    /** How many pages lack it. */
    @Label("Pages")
    @Description("How many pages lack it, of the base size")
    public long pages;

    /** What was found. */
    @Label("Finding")
    @Description("What was found")
    public String finding = "";

    /** An event of nothing yet. */
    public GuaranteeLostEvent() {}
}
