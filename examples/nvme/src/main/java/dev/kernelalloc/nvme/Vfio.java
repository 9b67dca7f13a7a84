package dev.kernelalloc.nvme;

import dev.kernelalloc.struct.C;
import dev.kernelalloc.struct.CType;
import dev.kernelalloc.struct.Flexible;
import dev.kernelalloc.struct.StructType;

import java.lang.invoke.MethodHandles;

/** The numbers and structs of {@code linux/vfio.h} that this driver uses. */
interface Vfio {

    int VFIO_API_VERSION = 0;
    int VFIO_TYPE1v2_IOMMU = 3;

    int VFIO_GET_API_VERSION = 0x3b64;
    int VFIO_CHECK_EXTENSION = 0x3b65;
    int VFIO_SET_IOMMU = 0x3b66;
    int VFIO_GROUP_GET_STATUS = 0x3b67;
    int VFIO_GROUP_SET_CONTAINER = 0x3b68;
    int VFIO_GROUP_GET_DEVICE_FD = 0x3b6a;
    int VFIO_DEVICE_GET_REGION_INFO = 0x3b6c;
    int VFIO_IOMMU_GET_INFO = 0x3b70;
    int VFIO_IOMMU_MAP_DMA = 0x3b71;
    int VFIO_IOMMU_UNMAP_DMA = 0x3b72;

    int VFIO_GROUP_FLAGS_VIABLE = 1;
    int VFIO_PCI_BAR0_REGION_INDEX = 0;
    int VFIO_PCI_CONFIG_REGION_INDEX = 7;
    int VFIO_IOMMU_INFO_CAPS = 2;
    int VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE = 1;
    int VFIO_DMA_MAP_FLAG_READ = 1;
    int VFIO_DMA_MAP_FLAG_WRITE = 2;

    StructType<VfioGroupStatus> GROUP_STATUS =
            StructType.of(MethodHandles.lookup(), VfioGroupStatus.class);
    StructType<VfioRegionInfo> REGION_INFO =
            StructType.of(MethodHandles.lookup(), VfioRegionInfo.class);
    StructType<VfioIommuType1Info> IOMMU_INFO =
            StructType.of(MethodHandles.lookup(), VfioIommuType1Info.class);
    StructType<VfioInfoCapHeader> CAP_HEADER =
            StructType.of(MethodHandles.lookup(), VfioInfoCapHeader.class);
    StructType<VfioIommuType1InfoCapIovaRange> CAP_IOVA_RANGE =
            StructType.of(MethodHandles.lookup(), VfioIommuType1InfoCapIovaRange.class);
    StructType<VfioIommuType1DmaMap> DMA_MAP =
            StructType.of(MethodHandles.lookup(), VfioIommuType1DmaMap.class);
    StructType<VfioIommuType1DmaUnmap> DMA_UNMAP =
            StructType.of(MethodHandles.lookup(), VfioIommuType1DmaUnmap.class);

    /** Reports in its flags whether every device of a group is free of the kernel's drivers. */
    record VfioGroupStatus(int argsz, int flags) {}

    /** The position of a region of a device in its file. */
    record VfioRegionInfo(int argsz, int flags, int index, int capOffset, long size, long offset) {}

    /** The properties of an IOMMU; capabilities follow. */
    record VfioIommuType1Info(int argsz, int flags, long iovaPgsizes, int capOffset) {}

    /** The header of a capability; {@code next} is an offset from the first struct. */
    record VfioInfoCapHeader(@C(CType.UNSIGNED_SHORT) int id, short version, int next) {}

    /** A range of addresses, both ends included. */
    record VfioIovaRange(long start, long end) {}

    /** The addresses that devices may use. */
    interface VfioIommuType1InfoCapIovaRange {
        VfioInfoCapHeader header();

        int nrIovas();

        int reserved();

        @Flexible
        VfioIovaRange iovaRanges(long index);
    }

    /** Memory of the process, and the address at which devices find it. */
    record VfioIommuType1DmaMap(int argsz, int flags, long vaddr, long iova, long size) {}

    /** The addresses that are unmapped for devices. */
    record VfioIommuType1DmaUnmap(int argsz, int flags, long iova, long size) {}
}
