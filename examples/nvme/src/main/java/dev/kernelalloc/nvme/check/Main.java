package dev.kernelalloc.nvme.check;

import dev.kernelalloc.nvme.DmaAllocator;
import dev.kernelalloc.nvme.IommuDma;
import dev.kernelalloc.nvme.PciDevice;
import dev.kernelalloc.nvme.PhysicalDma;
import dev.kernelalloc.nvme.SysfsDevice;
import dev.kernelalloc.nvme.VfioDevice;
import dev.kernelalloc.physical.Guarantee;
import dev.kernelalloc.physical.PagePolicy;
import dev.kernelalloc.physical.PhysicalRequest;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/**
 * The entry point of {@code examples/nvme/run}: on the host to create disks, in the guest to use
 * them.
 */
final class Main {

    private static final String NVME_CLASS = "0x010802";

    /** Base pages, so that a buffer consists of many pieces. */
    private static final PhysicalRequest NEVER_MOVED_BASE_PAGES =
            PhysicalRequest.builder().pages(PagePolicy.BASE).atLeast(Guarantee.NEVER_MOVED).build();

    private static final PhysicalRequest BASE_PAGES =
            PhysicalRequest.builder().pages(PagePolicy.BASE).build();

    /** Each block begins at a page of its own. */
    private static final PhysicalRequest WHOLE_PAGES =
            PhysicalRequest.builder().aligned(4096).build();

    private Main() {}

    /**
     * Runs checks one after the other until one fails.
     *
     * @param arguments {@code disk-before FILE} and {@code disk-after FILE} write images of the
     *     disk; anything else is a list of checks
     */
    public static void main(String[] arguments) throws Exception {
        switch (arguments[0]) {
            case "disk-before" -> DiskMap.write(Path.of(arguments[1]), DiskMap.HOST);
            case "disk-after" ->
                    DiskMap.write(
                            Path.of(arguments[1]), DiskMap.HOST, DiskMap.GUEST, DiskMap.DISTURBED);
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
            case "disk" -> throughSysfs(report, DiskCheck::run);
            case "locked-page" -> LockedPageCheck.run(report, disk());
            case "disturbance" -> throughSysfs(report, DisturbanceCheck::run);
            case "vfio-disk" -> throughVfio(report, DiskCheck::run);
            case "vfio-disturbance" -> throughVfio(report, DisturbanceCheck::run);
            default -> throw new IllegalArgumentException("no check " + check);
        }
        report.note("PASSED");
    }

    private interface DiskUser {
        void run(Report report, MemorySegment registers, DmaAllocator rings, DmaAllocator buffers);
    }

    /** Runs the checks without address translation: the disk uses physical addresses. */
    private static void throughSysfs(Report report, DiskUser user) {
        try (PhysicalDma rings = PhysicalDma.contiguous(Long.MAX_VALUE);
                PhysicalDma buffers = PhysicalDma.of("buffers", NEVER_MOVED_BASE_PAGES);
                SysfsDevice device = SysfsDevice.open(disk())) {
            user.run(report, device.registers(), rings, buffers);
        }
    }

    /**
     * Runs the checks behind an IOMMU. The device comes last: its memory must be unmapped while it
     * is open.
     */
    private static void throughVfio(Report report, DiskUser user) {
        try (VfioDevice device = VfioDevice.open(disk());
                IommuDma rings = new IommuDma(device, WHOLE_PAGES);
                IommuDma buffers = new IommuDma(device, BASE_PAGES)) {
            user.run(report, device.registers(), rings, buffers);
        }
    }

    private static String disk() {
        return PciDevice.find("class", NVME_CLASS)
                .orElseThrow(() -> new IllegalStateException("no NVMe disk"));
    }
}
