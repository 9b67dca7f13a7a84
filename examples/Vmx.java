import dev.kernelalloc.NativeBox;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.physical.FrameReport;
import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.physical.PhysicalAddress;
import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.struct.Length;
import dev.kernelalloc.struct.Struct;
import dev.kernelalloc.struct.StructType;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.util.Locale;

// The preparations of a hypervisor that enters VMX operation, as in the example of the Rust crate
// kernel-alloc: a VMXON region, which the processor finds by its physical address, and a stack for
// the host, which only needs to be aligned. Run it by
//
//     java --enable-native-access=ALL-UNNAMED -cp target/classes examples/Vmx.java

/** The VMXON region: Intel SDM volume 3, section "VMXON Region". */
@Struct(align = 4096)
interface Vmxon {
    int revisionId();

    void revisionId(int value);

    @Length(4092)
    MemorySegment data();
}

/** 24 KiB of stack; the members behind the contents are at its upper end, for the host's entry. */
@Struct(align = 16)
interface HostStack {
    @Length(24 * 1024 - 16)
    MemorySegment contents();

    long vmxonAddress();

    void vmxonAddress(long value);

    long reserved();

    void reserved(long value);
}

static final StructType<Vmxon> VMXON = StructType.of(MethodHandles.lookup(), Vmxon.class);
static final StructType<HostStack> HOST_STACK =
        StructType.of(MethodHandles.lookup(), HostStack.class);

void main() {
    try (PhysicalAllocator physical = PhysicalAllocator.create();
            NativeBox<Vmxon> vmxon = NativeBox.zeroed(physical, VMXON);
            NativeBox<HostStack> stack = NativeBox.zeroed(PoolAllocator.shared(), HOST_STACK)) {

        vmxon.get().revisionId(0x2A); // an interface is a live view of the memory
        vmxon.get().data().set(ValueLayout.JAVA_BYTE, 0, (byte) 0x7F);
        stack.get().vmxonAddress(vmxon.segment().address());
        stack.get().reserved(-1);

        print("box", "virtual", "physical", "page", "locked", "the kernel confirms");
        String note = printVmxon(physical, vmxon.segment());
        print("HostStack", hex(stack.segment()), "-", "-", "no", "-");

        IO.println("\n" + vmxon + "\n" + stack);
        IO.println("\n" + note);
    }
}

/** Prints the location of the VMXON region; returns a note about it. */
String printVmxon(PhysicalAllocator physical, MemorySegment vmxon) {
    String locked = physical.guarantee(vmxon).contains(Guarantee.LOCKED) ? "yes" : "no";
    try {
        PhysicalAddress address = physical.addressOf(vmxon);
        FrameReport frame = physical.inspect(vmxon); // asks the kernel again, from the other side
        String confirmed =
                "%s, %s, mapped %s"
                        .formatted(
                                frame.address().equals(address) ? "same frame" : "another frame",
                                frame.isLocked() ? "locked" : "not locked",
                                frame.mappings() == 1 ? "once" : frame.mappings() + " times");
        print("Vmxon", hex(vmxon), address.toString(), frame.kind().toString(), locked, confirmed);
        return switch (address.scope()) {
            case HOST -> "Physical addresses are the machine's.";
            case GUEST -> "Physical addresses are a guest's: this machine is a virtual one.";
            case UNKNOWN -> "Physical addresses are those that this system sees.";
        };
    } catch (PhysicalAddressException e) {
        print(
                "Vmxon",
                hex(vmxon),
                e.reason().toString().toLowerCase(Locale.ROOT),
                "-",
                locked,
                "-");
        return "Everything else works, but " + e.getMessage() + ".";
    }
}

void print(String... columns) {
    IO.println("%-10s %-18s %-18s %-6s %-6s %s".formatted((Object[]) columns));
}

String hex(MemorySegment segment) {
    return "0x%016x".formatted(segment.address());
}
