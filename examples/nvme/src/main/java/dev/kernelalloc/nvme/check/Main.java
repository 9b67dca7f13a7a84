package dev.kernelalloc.nvme.check;

import dev.kernelalloc.nvme.DmaAllocator;
import dev.kernelalloc.nvme.PciDevice;
import dev.kernelalloc.nvme.PhysicalDma;
import dev.kernelalloc.nvme.SysfsDevice;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/** What {@code examples/nvme/run} calls: on the host to make disks, in the guest to use them. */
final class Main {

    private static final String NVME_CLASS = "0x010802";

    private Main() {}

    /**
     * Runs checks one after the other until one fails.
     *
     * @param arguments {@code disk-before FILE} and {@code disk-after FILE} write images of the
     *     disk; {@code edu}, {@code disk} check
     */
    public static void main(String[] arguments) throws Exception {
        switch (arguments[0]) {
            case "disk-before" -> DiskMap.write(Path.of(arguments[1]), DiskMap.HOST);
            case "disk-after" -> DiskMap.write(Path.of(arguments[1]), DiskMap.HOST, DiskMap.GUEST);
            default -> {
                for (String check : arguments) {
                    run(check);
                }
            }
        }
    }

    private static void run(String check) {
        Report report = new Report(check);
        switch (check) {
            case "edu" -> EduCheck.run(report);
            case "disk" ->
                    withDisk(
                            (registers, rings, buffers) ->
                                    DiskCheck.run(report, registers, rings, buffers));
            default -> throw new IllegalArgumentException("no check " + check);
        }
        report.note("PASSED");
    }

    private interface DiskUser {
        void accept(MemorySegment registers, DmaAllocator rings, DmaAllocator buffers);
    }

    private static void withDisk(DiskUser user) {
        String address =
                PciDevice.find("class", NVME_CLASS)
                        .orElseThrow(() -> new IllegalStateException("no NVMe disk"));
        try (PhysicalDma rings = PhysicalDma.contiguous(Long.MAX_VALUE);
                PhysicalDma buffers = PhysicalDma.scattered();
                SysfsDevice device = SysfsDevice.open(address)) {
            user.accept(device.registers(), rings, buffers);
        }
    }
}
