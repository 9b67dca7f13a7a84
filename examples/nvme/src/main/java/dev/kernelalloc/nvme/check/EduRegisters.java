package dev.kernelalloc.nvme.check;

import dev.kernelalloc.struct.Access;
import dev.kernelalloc.struct.MemoryOrder;
import dev.kernelalloc.struct.Offset;
import dev.kernelalloc.struct.Struct;
import dev.kernelalloc.struct.StructType;

import java.lang.invoke.MethodHandles;

/** The registers of QEMU's teaching device: docs/specs/edu.txt in its sources. */
@Struct(size = 0x100)
interface EduRegisters {

    StructType<EduRegisters> TYPE = StructType.of(MethodHandles.lookup(), EduRegisters.class);

    /** Returns {@code 0xRRrr00ed}, with the version in the upper half. */
    @Access(MemoryOrder.VOLATILE)
    int identification();

    /** Reads as the inverse of what was written. */
    @Access(MemoryOrder.VOLATILE)
    int liveness();

    void liveness(int value);

    /** Reads as the factorial of what was written, once it is computed. */
    @Access(MemoryOrder.VOLATILE)
    int factorial();

    void factorial(int value);

    /** Bit 0: the factorial is being computed. */
    @Offset(0x20)
    @Access(MemoryOrder.VOLATILE)
    int status();

    @Offset(0x80)
    @Access(MemoryOrder.VOLATILE)
    long dmaSource();

    void dmaSource(long address);

    @Access(MemoryOrder.VOLATILE)
    long dmaDestination();

    void dmaDestination(long address);

    @Access(MemoryOrder.VOLATILE)
    long dmaCount();

    void dmaCount(long bytes);

    /** Bit 0: begin, or under way. Bit 1: from the device to memory. */
    @Access(MemoryOrder.VOLATILE)
    long dmaCommand();

    void dmaCommand(long value);
}
