package dev.kernelalloc.os;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * Memory that the kernel allocates for an io_uring and lets the process map, since Linux 6.13. The
 * kernel asks its page allocator for one piece first, and for single pages where there is none: so
 * it is contiguous as far as the frames say so. The mapping outlives the ring's descriptor.
 */
final class KernelRegion {

    /** {@code struct io_uring_region_desc}. */
    static final long IO_URING_REGION_DESC_BYTES = 64;

    static final long DESC_SIZE = 8;
    static final long DESC_MMAP_OFFSET = 24;

    /** {@code struct io_uring_mem_region_reg}. */
    static final long IO_URING_MEM_REGION_REG_BYTES = 32;

    private KernelRegion() {}

    static long map(Linux linux, long bytes, MemorySegment callState) throws Refusal {
        int ring = IoUring.setup(linux, callState);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment region = arena.allocate(IO_URING_REGION_DESC_BYTES, Long.BYTES);
            region.set(JAVA_LONG, DESC_SIZE, bytes);
            MemorySegment registration = arena.allocate(IO_URING_MEM_REGION_REG_BYTES, Long.BYTES);
            registration.set(JAVA_LONG, 0, region.address());
            if (IoUring.register(
                            linux,
                            ring,
                            IoUring.IORING_REGISTER_MEM_REGION,
                            registration,
                            1,
                            callState)
                    < 0) {
                throw refused(linux, bytes, callState);
            }
            long address =
                    linux.calls()
                            .mmap(
                                    0,
                                    bytes,
                                    Posix.PROT_READ | Posix.PROT_WRITE,
                                    Linux.MAP_SHARED,
                                    ring,
                                    region.get(JAVA_LONG, DESC_MMAP_OFFSET),
                                    callState);
            if (address == Posix.MAP_FAILED) {
                throw linux.refused("mapping a kernel region of " + bytes + " bytes", callState);
            }
            return address;
        } finally {
            linux.calls().close(ring);
        }
    }

    private static Refusal refused(Linux linux, long bytes, MemorySegment callState) {
        ErrorCode error = linux.error(callState);
        String what = "registering a kernel region of " + bytes + " bytes: " + error;
        return switch (error.number()) {
            case Posix.ENOMEM, Linux.E2BIG ->
                    new Refusal.OutOfMemory(
                            what + ", more than the kernel provides or the limit of locked memory");
            case Posix.EINVAL -> new Refusal.NotSupported(what + ", the kernel is older than 6.13");
            default -> Linux.other(what, error);
        };
    }
}
