package dev.kernelalloc.nvme.check;

import dev.kernelalloc.nvme.PciDevice;
import dev.kernelalloc.nvme.PhysicalDma;
import dev.kernelalloc.nvme.SysfsDevice;
import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.physical.PhysicalRequest;

import java.lang.foreign.MemorySegment;

/**
 * Checks QEMU's teaching device, the smallest one with DMA. It has 28 address lines, so its memory
 * must be below 256 MiB.
 */
final class EduCheck {

    private static final String VENDOR = "0x1234";
    private static final String DEVICE = "0x11e8";
    private static final long HIGHEST_ADDRESS = (1L << 28) - 1;

    /** Requests node 0, which has the low addresses. */
    private static final PhysicalRequest REQUEST =
            PhysicalRequest.builder()
                    .contiguous()
                    .within(0, HIGHEST_ADDRESS)
                    .requireNode(0)
                    .atLeast(Guarantee.NEVER_MOVED)
                    .build();

    /** The offset of the device's buffer, in device addresses. */
    private static final long BUFFER_OFFSET = 0x40000;

    /** The device refuses a transfer that ends exactly at the end of its 4 KiB. */
    private static final int TRANSFER_BYTES = 4096 - 8;

    private EduCheck() {}

    static void run(Report report) {
        String address =
                PciDevice.find("device", DEVICE)
                        .orElseThrow(() -> new IllegalStateException("no device " + DEVICE));
        try (PhysicalDma dma = PhysicalDma.of("edu", REQUEST);
                SysfsDevice device = SysfsDevice.open(address)) {
            EduRegisters registers = EduRegisters.TYPE.get(device.registers());
            int found = registers.identification();
            report.check("identification 0x%08x".formatted(found), (found & 0xff) == 0xed);
            registers.liveness(0x12345678);
            report.check("liveness", registers.liveness() == ~0x12345678);
            registers.factorial(10);
            while ((registers.status() & 1) != 0) {
                Thread.onSpinWait();
            }
            report.check(
                    "10! = %d".formatted(registers.factorial()), registers.factorial() == 3628800);
            transfer(report, registers, dma);
        }
    }

    private static void transfer(Report report, EduRegisters registers, PhysicalDma dma) {
        MemorySegment source = dma.memory().allocate(TRANSFER_BYTES, 8);
        MemorySegment target = dma.memory().allocateZeroed(TRANSFER_BYTES, 8);
        try {
            long from = dma.addressOf(source, 0);
            long to = dma.addressOf(target, 0);
            DiskPattern.fill(source, 0, 7);
            transfer(registers, from, BUFFER_OFFSET, 0);
            transfer(registers, BUFFER_OFFSET, to, 2);
            report.check(
                    "%d bytes from 0x%x to the device and back to 0x%x"
                            .formatted(TRANSFER_BYTES, from, to),
                    source.mismatch(target) == -1
                            && from <= HIGHEST_ADDRESS
                            && to <= HIGHEST_ADDRESS);
        } finally {
            dma.memory().free(source);
            dma.memory().free(target);
        }
    }

    private static void transfer(EduRegisters registers, long from, long to, long direction) {
        registers.dmaSource(from);
        registers.dmaDestination(to);
        registers.dmaCount(TRANSFER_BYTES);
        registers.dmaCommand(1 | direction);
        while ((registers.dmaCommand() & 1) != 0) {
            Thread.onSpinWait();
        }
    }
}
