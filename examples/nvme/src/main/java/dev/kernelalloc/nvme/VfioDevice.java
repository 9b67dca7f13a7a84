package dev.kernelalloc.nvme;

import dev.kernelalloc.nvme.Vfio.VfioIommuType1DmaMap;
import dev.kernelalloc.nvme.Vfio.VfioIommuType1DmaUnmap;
import dev.kernelalloc.nvme.Vfio.VfioRegionInfo;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A device behind an IOMMU, through VFIO: the kernel's {@code Documentation/driver-api/vfio.rst}.
 *
 * <p>The device reaches the memory that was {@linkplain #map mapped} for it and nothing else, so
 * the kernel permits any user to use it who may open its group, {@code /dev/vfio/N}. The kernel
 * pins mapped memory, and counts it as locked memory of the process.
 */
public final class VfioDevice implements PciDevice {

    /** Address 0 stays free, so that an address that was never set faults. */
    private static final long LOWEST_IOVA = 1 << 20;

    /** Space for the capabilities that the kernel appends. */
    private static final int INFO_BYTES = 4096;

    private final IovaSpace addresses = new IovaSpace();
    private final Arena mapping = Arena.ofShared();
    private final Descriptor container;
    private final Descriptor group;
    private final Descriptor device;
    private final MemorySegment registers;
    private final long configurationOffset;

    private VfioDevice(Descriptor container, Descriptor group, Descriptor device) {
        this.container = container;
        this.group = group;
        this.device = device;
        VfioRegionInfo bar = region(Vfio.VFIO_PCI_BAR0_REGION_INDEX);
        this.registers = device.map(bar.offset(), bar.size(), mapping);
        this.configurationOffset = region(Vfio.VFIO_PCI_CONFIG_REGION_INDEX).offset();
        addRanges();
        command(MEMORY_SPACE | BUS_MASTER, 0);
    }

    /**
     * Opens a device that is bound to the driver {@code vfio-pci}.
     *
     * @param address the address on the bus, for example {@code 0000:00:03.0}
     * @return a device that the caller closes
     * @throws IllegalStateException when there is no IOMMU, or the kernel refuses
     */
    public static VfioDevice open(String address) {
        Descriptor container = Descriptor.open("/dev/vfio/vfio");
        try {
            require(
                    container.ioctl(Vfio.VFIO_GET_API_VERSION, 0) == Vfio.VFIO_API_VERSION
                            && container.ioctl(Vfio.VFIO_CHECK_EXTENSION, Vfio.VFIO_TYPE1v2_IOMMU)
                                    == 1,
                    "the kernel's VFIO is another version");
            return open(container, address);
        } catch (RuntimeException | Error e) {
            container.close();
            throw e;
        }
    }

    private static VfioDevice open(Descriptor container, String address) {
        Descriptor group = Descriptor.open("/dev/vfio/" + group(address));
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment status = arena.allocate(Vfio.GROUP_STATUS.layout());
            Vfio.GROUP_STATUS.set(status, new Vfio.VfioGroupStatus((int) status.byteSize(), 0));
            group.ioctl(Vfio.VFIO_GROUP_GET_STATUS, status);
            require(
                    (Vfio.GROUP_STATUS.get(status).flags() & Vfio.VFIO_GROUP_FLAGS_VIABLE) != 0,
                    "another device of the group has a driver of the kernel");
            group.ioctl(Vfio.VFIO_GROUP_SET_CONTAINER, intAt(arena, container.number()));
            container.ioctl(Vfio.VFIO_SET_IOMMU, Vfio.VFIO_TYPE1v2_IOMMU);
            Descriptor device =
                    new Descriptor(
                            group.ioctl(
                                    Vfio.VFIO_GROUP_GET_DEVICE_FD, arena.allocateFrom(address)));
            try {
                return new VfioDevice(container, group, device);
            } catch (RuntimeException | Error e) {
                device.close();
                throw e;
            }
        } catch (RuntimeException | Error e) {
            group.close();
            throw e;
        }
    }

    private static MemorySegment intAt(Arena arena, int value) {
        return arena.allocateFrom(ValueLayout.JAVA_INT, value);
    }

    private static String group(String address) {
        try {
            Path link = DEVICES.resolve(address).resolve("iommu_group");
            require(Files.exists(link), "no IOMMU translates for " + address);
            return Files.readSymbolicLink(link).getFileName().toString();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void require(boolean holds, String otherwise) {
        if (!holds) {
            throw new IllegalStateException(otherwise);
        }
    }

    private VfioRegionInfo region(int index) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment info = arena.allocate(Vfio.REGION_INFO.layout());
            Vfio.REGION_INFO.set(
                    info, new VfioRegionInfo((int) info.byteSize(), 0, index, 0, 0, 0));
            device.ioctl(Vfio.VFIO_DEVICE_GET_REGION_INFO, info);
            return Vfio.REGION_INFO.get(info);
        }
    }

    /** Queries which addresses devices may use; interrupts, for example, occupy some. */
    private void addRanges() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocate(INFO_BYTES, 8);
            Vfio.IOMMU_INFO.set(memory, new Vfio.VfioIommuType1Info(INFO_BYTES, 0, 0, 0));
            container.ioctl(Vfio.VFIO_IOMMU_GET_INFO, memory);
            Vfio.VfioIommuType1Info info = Vfio.IOMMU_INFO.get(memory);
            int at = (info.flags() & Vfio.VFIO_IOMMU_INFO_CAPS) == 0 ? 0 : info.capOffset();
            while (at != 0) {
                Vfio.VfioInfoCapHeader header = Vfio.CAP_HEADER.get(memory, at);
                if (header.id() == Vfio.VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE) {
                    var ranges = Vfio.CAP_IOVA_RANGE.get(memory.asSlice(at));
                    for (int i = 0; i < ranges.nrIovas(); i++) {
                        Vfio.VfioIovaRange range = ranges.iovaRanges(i);
                        addresses.add(Math.max(LOWEST_IOVA, range.start()), range.end() + 1);
                    }
                }
                at = header.next();
            }
        }
    }

    /**
     * Lets the device read and write memory.
     *
     * @param memory whole pages, which stay mapped until {@link #unmap}
     * @return the device address of the first byte; the others follow
     * @throws IllegalStateException when the kernel refuses, for example beyond {@code
     *     RLIMIT_MEMLOCK}
     */
    long map(MemorySegment memory) {
        long address = addresses.take(memory.byteSize());
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment argument = arena.allocate(Vfio.DMA_MAP.layout());
            Vfio.DMA_MAP.set(
                    argument,
                    new VfioIommuType1DmaMap(
                            (int) argument.byteSize(),
                            Vfio.VFIO_DMA_MAP_FLAG_READ | Vfio.VFIO_DMA_MAP_FLAG_WRITE,
                            memory.address(),
                            address,
                            memory.byteSize()));
            container.ioctl(Vfio.VFIO_IOMMU_MAP_DMA, argument);
            return address;
        } catch (RuntimeException | Error e) {
            addresses.add(address, address + memory.byteSize());
            throw e;
        }
    }

    /**
     * Unmaps memory. The IOMMU blocks later accesses of the device.
     *
     * @param address the address that {@link #map} returned
     * @param bytes the size of the memory
     */
    void unmap(long address, long bytes) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment argument = arena.allocate(Vfio.DMA_UNMAP.layout());
            Vfio.DMA_UNMAP.set(
                    argument,
                    new VfioIommuType1DmaUnmap((int) argument.byteSize(), 0, address, bytes));
            container.ioctl(Vfio.VFIO_IOMMU_UNMAP_DMA, argument);
        }
        addresses.add(address, address + bytes);
    }

    /** Sets and clears bits of the command register. */
    private void command(int set, int cleared) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment command = arena.allocate(ValueLayout.JAVA_SHORT);
            device.read(command, configurationOffset + COMMAND_OFFSET);
            int old = command.get(ValueLayout.JAVA_SHORT, 0);
            command.set(ValueLayout.JAVA_SHORT, 0, (short) (old & ~cleared | set));
            device.write(command, configurationOffset + COMMAND_OFFSET);
        }
    }

    @Override
    public MemorySegment registers() {
        return registers;
    }

    @Override
    public void close() {
        try (container;
                group;
                device;
                mapping) {
            command(0, BUS_MASTER);
        }
    }
}
