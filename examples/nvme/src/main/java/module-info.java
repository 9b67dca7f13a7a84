/**
 * A driver of NVMe disks that runs in an ordinary Java process: no kernel module, no native code.
 *
 * <p>It maps the registers of a device, so it must be allowed to call native functions: {@code
 * --enable-native-access=dev.kernelalloc,dev.kernelalloc.nvme}.
 */
module dev.kernelalloc.nvme {
    requires dev.kernelalloc;
}
