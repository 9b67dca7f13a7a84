import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.physical.PhysicalExtent;
import dev.kernelalloc.struct.Length;
import dev.kernelalloc.struct.Offset;
import dev.kernelalloc.struct.Struct;
import dev.kernelalloc.struct.StructType;
import dev.kernelalloc.struct.Union;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;

// A very small hypervisor: a virtual machine of one processor, whose memory is a locked block of a
// PhysicalAllocator. The guest adds two numbers and prints the sum through a port. The kernel's
// interface is described in Documentation/virt/kvm/api.rst. Run it on Linux on x86-64 by
//
//     java --enable-native-access=ALL-UNNAMED -cp target/classes examples/Guest.java

/** The numbers of linux/kvm.h and of the C library that are used here. */
interface Kvm {
    int KVM_GET_API_VERSION = 0xAE00;
    int KVM_CREATE_VM = 0xAE01;
    int KVM_GET_VCPU_MMAP_SIZE = 0xAE04;
    int KVM_CREATE_VCPU = 0xAE41;
    int KVM_SET_USER_MEMORY_REGION = 0x4020_AE46;
    int KVM_RUN = 0xAE80;
    int KVM_SET_REGS = 0x4090_AE82;
    int KVM_GET_SREGS = 0x8138_AE83;
    int KVM_SET_SREGS = 0x4138_AE84;

    int KVM_EXIT_UNKNOWN = 0;
    int KVM_EXIT_IO = 2;
    int KVM_EXIT_HLT = 5;
    int KVM_EXIT_MMIO = 6;
    int KVM_EXIT_SHUTDOWN = 8;
    int KVM_EXIT_FAIL_ENTRY = 9;
    int KVM_EXIT_INTERNAL_ERROR = 17;
    int KVM_EXIT_IO_OUT = 1;

    int O_RDWR = 2;
    int O_CLOEXEC = 0x80000;
    int PROT_READ = 1;
    int PROT_WRITE = 2;
    int MAP_SHARED = 1;
    int ENOENT = 2;
    int EINTR = 4;
    int EACCES = 13;
}

/** Which memory of this process is the guest's, and where the guest sees it. */
record KvmUserspaceMemoryRegion(
        int slot, int flags, long guestPhysAddr, long memorySize, long userspaceAddr) {}

/** The general registers: those that the guest starts with; the others stay zero. */
@Struct(size = 144)
interface KvmRegs {
    long rax();

    void rax(long value);

    long rbx();

    void rbx(long value);

    @Offset(128)
    long rip();

    void rip(long value);

    long rflags();

    void rflags(long value);
}

/** A segment register with the part that a program never sees (Intel SDM volume 3, 3.4.3). */
@Struct(size = 24)
interface KvmSegment {
    long base();

    void base(long value);

    int limit();

    short selector();

    void selector(short value);
}

/** The location of a descriptor table. */
record KvmDtable(long base, short limit, @Length(3) short[] padding) {}

/** The special registers; what is not named here is kept as the kernel gives it. */
@Struct(size = 312)
interface KvmSregs {
    KvmSegment cs();

    @Offset(192)
    KvmDtable gdt();

    KvmDtable idt();

    long cr0();
}

/** An access to a port. Its data lie in the memory shared with the kernel. */
record PortAccess(byte direction, byte size, short port, int count, long dataOffset) {}

/** The processor refused to enter the guest. */
record FailEntry(long hardwareEntryFailureReason, int cpu) {}

/** The kernel cannot continue. */
record InternalError(int suberror, int ndata, @Length(16) long[] data) {}

/** The reason why the guest stopped; the exit reason selects the valid member. */
@Union
interface Exit {
    PortAccess io();

    FailEntry failEntry();

    InternalError internal();

    @Length(256)
    MemorySegment padding();
}

/** The kernel's report on a processor of the guest, in memory shared with it. */
@Struct(size = 2352)
interface KvmRun {
    @Offset(8)
    int exitReason();

    @Offset(32)
    Exit exit();
}

static final StructType<KvmUserspaceMemoryRegion> MEMORY_REGION =
        StructType.of(MethodHandles.lookup(), KvmUserspaceMemoryRegion.class);
static final StructType<KvmRegs> REGS = StructType.of(MethodHandles.lookup(), KvmRegs.class);
static final StructType<KvmSregs> SREGS = StructType.of(MethodHandles.lookup(), KvmSregs.class);
static final StructType<KvmRun> RUN = StructType.of(MethodHandles.lookup(), KvmRun.class);

/** KVM takes whole pages only; 64 KiB is what a 16-bit register can address. */
static final long RAM_BYTES = 64 * 1024;

static final long PAGE_BYTES = 4096;
static final long CODE_ADDRESS = 0x1000;

/** A 16-bit program, as in "Using the KVM API" (lwn.net/Articles/658511). */
static final byte[] CODE =
        HexFormat.of()
                .parseHex(
                        "baf803" // mov dx, 0x3f8   the first serial port
                                + "00d8" // add al, bl
                                + "0430" // add al, '0'
                                + "ee" //   out dx, al
                                + "b00a" // mov al, '\n'
                                + "ee" //   out dx, al
                                + "f4"); // hlt

void main() {
    if (!System.getProperty("os.name").equals("Linux")
            || !System.getProperty("os.arch").equals("amd64")) {
        IO.println("This example needs KVM, on Linux on x86-64.");
        return;
    }
    try (PhysicalAllocator physical = PhysicalAllocator.create();
            Arena ramArena = physical.arena(); // closed after the machine, which uses the memory
            Arena arena = Arena.ofConfined();
            Descriptor kvm = Descriptor.open("/dev/kvm")) {
        run(kvm, physical, ramArena.allocate(RAM_BYTES, PAGE_BYTES), arena);
    } catch (SystemCallException e) {
        switch (e.errno) {
            case Kvm.ENOENT ->
                    IO.println(
                            "There is no /dev/kvm here: the processor has no virtualization, or it"
                                    + " is off, or the module kvm_intel or kvm_amd is not loaded.");
            case Kvm.EACCES ->
                    IO.println(
                            "This user must not open /dev/kvm: as root, add the user to the group"
                                    + " kvm (usermod -aG kvm NAME), or run the example as root.");
            default -> throw e;
        }
    }
}

void run(Descriptor kvm, PhysicalAllocator physical, MemorySegment ram, Arena arena) {
    long version = kvm.ioctl(Kvm.KVM_GET_API_VERSION, 0);
    if (version != 12) { // api.rst, 4.1: refuse to run if it is not 12
        throw new IllegalStateException("KVM's API version is " + version + ", not 12");
    }
    printPlace(physical, ram);
    MemorySegment.copy(CODE, 0, ram, ValueLayout.JAVA_BYTE, CODE_ADDRESS, CODE.length);

    try (Descriptor vm = new Descriptor(kvm.ioctl(Kvm.KVM_CREATE_VM, 0))) {
        MemorySegment region = arena.allocate(MEMORY_REGION.layout());
        MEMORY_REGION.set(
                region, new KvmUserspaceMemoryRegion(0, 0, 0, ram.byteSize(), ram.address()));
        vm.ioctl(Kvm.KVM_SET_USER_MEMORY_REGION, region.address());

        try (Descriptor cpu = new Descriptor(vm.ioctl(Kvm.KVM_CREATE_VCPU, 0))) {
            start(cpu, arena, 2, 5);
            MemorySegment shared = cpu.map(kvm.ioctl(Kvm.KVM_GET_VCPU_MMAP_SIZE, 0), arena);
            IO.println("The guest prints: " + untilHalt(cpu, shared).strip());
        }
    }
}

/** Sets the registers: real mode, as after a reset, but with the code in our memory. */
void start(Descriptor cpu, Arena arena, int first, int second) {
    MemorySegment memory = arena.allocate(SREGS.layout());
    cpu.ioctl(Kvm.KVM_GET_SREGS, memory.address());
    KvmSregs special = SREGS.get(memory);
    special.cs().base(0); // after a reset 0xffff0000 (SDM volume 3, 11.1.4)
    special.cs().selector((short) 0);
    cpu.ioctl(Kvm.KVM_SET_SREGS, memory.address());

    MemorySegment general = arena.allocate(REGS.layout());
    KvmRegs registers = REGS.get(general);
    registers.rip(CODE_ADDRESS);
    registers.rax(first);
    registers.rbx(second);
    registers.rflags(2); // bit 1 is always 1 (SDM volume 1, 3.4.3)
    cpu.ioctl(Kvm.KVM_SET_REGS, general.address());
    IO.println(
            "The guest runs in %s mode, and adds %d and %d."
                    .formatted((special.cr0() & 1) == 0 ? "real" : "protected", first, second));
}

/** Runs the guest until it halts; returns what it printed. */
String untilHalt(Descriptor cpu, MemorySegment shared) {
    KvmRun run = RUN.get(shared);
    StringBuilder printed = new StringBuilder();
    while (true) {
        try {
            cpu.ioctl(Kvm.KVM_RUN, 0);
        } catch (SystemCallException e) {
            if (e.errno == Kvm.EINTR) {
                continue; // a signal of this process: the guest only paused
            }
            throw e;
        }
        switch (run.exitReason()) {
            case Kvm.KVM_EXIT_IO -> printed.append(output(run.exit().io(), shared));
            case Kvm.KVM_EXIT_HLT -> {
                return printed.toString();
            }
            default -> throw new IllegalStateException(explain(run));
        }
    }
}

/**
 * Returns the bytes that the guest wrote to the port; the kernel collects repeated writes into one
 * exit.
 */
String output(PortAccess io, MemorySegment shared) {
    if (io.direction() != Kvm.KVM_EXIT_IO_OUT || io.port() != 0x3f8 || io.size() != 1) {
        throw new IllegalStateException("the guest has one port, to write bytes to: " + io);
    }
    byte[] bytes = shared.asSlice(io.dataOffset(), io.count()).toArray(ValueLayout.JAVA_BYTE);
    return new String(bytes, StandardCharsets.US_ASCII);
}

/** Exits that this guest should never make; api.rst, section 5. */
static String explain(KvmRun run) {
    return switch (run.exitReason()) {
        case Kvm.KVM_EXIT_FAIL_ENTRY ->
                "the processor refused to enter the guest, reason 0x%x: a register has a value that"
                                .formatted(run.exit().failEntry().hardwareEntryFailureReason())
                        + " the mode forbids (SDM volume 3, \"Checks on the Guest State Area\")";
        case Kvm.KVM_EXIT_INTERNAL_ERROR ->
                "KVM cannot go on: "
                        + switch (run.exit().internal().suberror()) {
                            case 1 -> "it met an instruction that it cannot emulate";
                            case 2 -> "several exceptions at once";
                            case 3 -> "an exit while an event was being delivered";
                            case 4 -> "an exit of the processor that it does not know";
                            default -> "suberror " + run.exit().internal().suberror();
                        };
        case Kvm.KVM_EXIT_SHUTDOWN -> "the guest met a triple fault";
        case Kvm.KVM_EXIT_MMIO -> "the guest touched memory that it does not have";
        case Kvm.KVM_EXIT_UNKNOWN -> "the processor left the guest for a reason unknown to KVM";
        default -> "exit reason " + run.exitReason() + ", see KVM_EXIT_ in linux/kvm.h";
    };
}

/** Prints the location of the guest's memory, virtually and physically. */
void printPlace(PhysicalAllocator physical, MemorySegment ram) {
    IO.println("The guest's memory: %d KiB at 0x%x".formatted(ram.byteSize() >> 10, ram.address()));
    try {
        for (PhysicalExtent extent : physical.extents(ram)) {
            IO.println("    physical %s, %3d KiB".formatted(extent.start(), extent.bytes() >> 10));
        }
    } catch (PhysicalAddressException e) {
        IO.println("    physical: " + e.getMessage());
    }
}

/** A failed call, with the kernel's number. */
static final class SystemCallException extends RuntimeException {
    private static final long serialVersionUID = 1;

    final int errno;

    SystemCallException(String call, int errno) {
        super(call + " failed: errno " + errno + ", see errno(3)");
        this.errno = errno;
    }
}

/** An open file descriptor. */
record Descriptor(long number) implements AutoCloseable {
    private static final StructLayout STATE = Linker.Option.captureStateLayout();
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
    private static final MethodHandle OPEN =
            function("open", FunctionDescriptor.of(INT, ValueLayout.ADDRESS, INT), 2);
    private static final MethodHandle IOCTL =
            function("ioctl", FunctionDescriptor.of(INT, INT, LONG, LONG), 2);
    private static final MethodHandle MMAP =
            function("mmap", FunctionDescriptor.of(LONG, LONG, LONG, INT, INT, INT, LONG), 6);
    private static final MethodHandle MUNMAP =
            function("munmap", FunctionDescriptor.of(INT, LONG, LONG), 2);
    private static final MethodHandle CLOSE = function("close", FunctionDescriptor.of(INT, INT), 1);

    static Descriptor open(String path) {
        try (Arena arena = Arena.ofConfined()) {
            return new Descriptor(
                    call(
                            "open " + path,
                            OPEN,
                            arena.allocateFrom(path),
                            Kvm.O_RDWR | Kvm.O_CLOEXEC));
        }
    }

    long ioctl(int request, long argument) {
        return call(
                "ioctl 0x%x".formatted(request),
                IOCTL,
                (int) number,
                Integer.toUnsignedLong(request),
                argument);
    }

    /** Memory shared with the kernel, mapped as long as the arena lives. */
    MemorySegment map(long bytes, Arena arena) {
        long address =
                call(
                        "mmap",
                        MMAP,
                        0L,
                        bytes,
                        Kvm.PROT_READ | Kvm.PROT_WRITE,
                        Kvm.MAP_SHARED,
                        (int) number,
                        0L);
        return MemorySegment.ofAddress(address)
                .reinterpret(bytes, arena, memory -> call("munmap", MUNMAP, address, bytes));
    }

    @Override
    public void close() {
        call("close", CLOSE, (int) number);
    }

    private static long call(String name, MethodHandle function, Object... arguments) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(STATE);
            List<Object> all = new ArrayList<>(List.of(state));
            all.addAll(List.of(arguments));
            long result = ((Number) function.invokeWithArguments(all)).longValue();
            if (result == -1) {
                throw new SystemCallException(
                        name,
                        (int)
                                STATE.varHandle(MemoryLayout.PathElement.groupElement("errno"))
                                        .get(state, 0L));
            }
            return result;
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /**
     * Returns a function of the C library; from {@code variadic} on, its arguments replace "...".
     */
    private static MethodHandle function(String name, FunctionDescriptor descriptor, int variadic) {
        Linker linker = Linker.nativeLinker();
        MemorySegment address = linker.defaultLookup().findOrThrow(name);
        Linker.Option errno = Linker.Option.captureCallState("errno");
        return variadic < descriptor.argumentLayouts().size()
                ? linker.downcallHandle(
                        address, descriptor, errno, Linker.Option.firstVariadicArg(variadic))
                : linker.downcallHandle(address, descriptor, errno);
    }
}
