package dev.kernelalloc.os;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** NUMA policies by their system calls, for which the C library has no functions. */
final class MemoryPolicy {

    private static final boolean IS_ARM = System.getProperty("os.arch").equals("aarch64");

    static final int SYS_MBIND = IS_ARM ? 235 : 237;
    static final int SYS_GET_MEMPOLICY = IS_ARM ? 236 : 239;

    static final int MPOL_PREFERRED = 1;
    static final int MPOL_BIND = 2;
    static final int MPOL_F_NODE = 1;
    static final int MPOL_F_ADDR = 2;

    /** More than any kernel is built for. */
    private static final int MAX_NODES = 1024;

    private MemoryPolicy() {}

    static void bind(
            Linux linux,
            long address,
            long bytes,
            int node,
            boolean required,
            MemorySegment callState)
            throws Refusal {
        String what = Posix.range("binding to node " + node + ",", address, bytes);
        if (node >= MAX_NODES) {
            throw new Refusal.NotSupported(what + ": no machine has that many nodes");
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment mask = arena.allocate(JAVA_LONG, MAX_NODES / Long.SIZE);
            mask.setAtIndex(JAVA_LONG, node / Long.SIZE, 1L << node % Long.SIZE);
            long result =
                    linux.calls()
                            .syscall(
                                    SYS_MBIND,
                                    address,
                                    bytes,
                                    required ? MPOL_BIND : MPOL_PREFERRED,
                                    mask.address(),
                                    MAX_NODES + 1, // the kernel counts one less
                                    0,
                                    callState);
            if (result != 0) {
                throw refused(linux, what, callState);
            }
        }
    }

    static int nodeOf(Linux linux, long address, MemorySegment callState) throws Refusal {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment node = arena.allocate(JAVA_INT);
            long result =
                    linux.calls()
                            .syscall(
                                    SYS_GET_MEMPOLICY,
                                    node.address(),
                                    0,
                                    0,
                                    address,
                                    MPOL_F_NODE | MPOL_F_ADDR,
                                    0,
                                    callState);
            if (result != 0) {
                throw refused(
                        linux, "asking for the node of 0x" + Long.toHexString(address), callState);
            }
            return node.get(JAVA_INT, 0);
        }
    }

    private static Refusal refused(Linux linux, String what, MemorySegment callState) {
        ErrorCode error = linux.error(callState);
        return switch (error.number()) {
            case Posix.EINVAL ->
                    new Refusal.NotSupported(
                            what
                                    + ": EINVAL (22), there is no such node, or this process may"
                                    + " not use it: see /sys/devices/system/node and the cpuset");
            case Linux.ENOSYS ->
                    new Refusal.NotSupported(
                            what + ": ENOSYS (38), this kernel is built without CONFIG_NUMA");
            case Posix.EPERM ->
                    new Refusal.NotPermitted(
                            what
                                    + ": EPERM (1), a container's filter forbids it (docker:"
                                    + " --cap-add SYS_NICE)");
            default -> new Refusal.SystemError(what + ": " + error, error);
        };
    }
}
