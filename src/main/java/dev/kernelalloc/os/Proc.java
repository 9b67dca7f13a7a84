package dev.kernelalloc.os;

import dev.kernelalloc.os.KernelFiles.Content;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;

/**
 * The reports of Linux on this process and machine, in the text files of /proc.
 *
 * @param files the reader of the files
 */
record Proc(KernelFiles files) {

    /** The capability's bit in the mask of effective ones. */
    static final int CAP_IPC_LOCK = 14;

    /** The initial user namespace: only there does {@code CAP_IPC_LOCK} lift the limit. */
    private static final String INITIAL_USER_NAMESPACE = "user:[4026531837]";

    /** {@code DEFAULT_MAX_MAP_COUNT} of the kernel's include/linux/mm.h. */
    private static final long DEFAULT_MAX_MAPPINGS = 65530;

    private static final String STATUS = "/proc/self/status";

    /** The length that covers the flags of the first processor. */
    private static final int PROCESSOR_BYTES = 64 << 10;

    OperatingSystem.LockBudget lockBudget() throws Refusal {
        return budget("VmLck:");
    }

    /** Pins are counted by user: those of other processes are not seen here. */
    OperatingSystem.LockBudget pinBudget() throws Refusal {
        return budget("VmPin:");
    }

    private OperatingSystem.LockBudget budget(String counter) throws Refusal {
        Content status = read(STATUS);
        String limits = field("/proc/self/limits", read("/proc/self/limits"), "Max locked memory");
        String[] values = limits.strip().split("\\s+");
        if (values.length < 2) {
            throw malformed("/proc/self/limits", "Max locked memory");
        }
        return new OperatingSystem.LockBudget(
                kibibytes(STATUS, status, counter),
                limit(values[0]),
                limit(values[1]),
                isExemptFromLockLimit(status));
    }

    long availableBytes() throws Refusal {
        return kibibytes("/proc/meminfo", read("/proc/meminfo"), "MemAvailable:");
    }

    /** A node has no MemAvailable: its free pages, and the cached files that are reclaimable. */
    long availableBytesOfNode(int node) throws Refusal {
        String file = "/sys/devices/system/node/node" + node + "/meminfo";
        Content memory = read(file);
        String line = "Node " + node + " ";
        long bytes = 0;
        for (String counter : List.of("MemFree:", "Active(file):", "Inactive(file):")) {
            long more = kibibytes(file, memory, line + counter);
            bytes = more > Long.MAX_VALUE - bytes ? Long.MAX_VALUE : bytes + more;
        }
        return bytes;
    }

    /** The flag of an x86 processor; others have no line of flags, and report nothing. */
    OperatingSystem.Machine machine() throws Refusal {
        Content processors = files.read("/proc/cpuinfo", PROCESSOR_BYTES);
        if (processors.isTemporary()) {
            throw processors.refusal("/proc/cpuinfo");
        }
        return processors
                .field("flags")
                .map(flags -> (flags + " ").contains(" hypervisor "))
                .map(
                        guest ->
                                guest
                                        ? OperatingSystem.Machine.VIRTUAL
                                        : OperatingSystem.Machine.PHYSICAL)
                .orElse(OperatingSystem.Machine.UNKNOWN);
    }

    /** The kernel's default where the file cannot be read. */
    long maxMappings() {
        return files.read("/proc/sys/vm/max_map_count").number().orElse(DEFAULT_MAX_MAPPINGS);
    }

    private boolean isExemptFromLockLimit(Content status) throws Refusal {
        String capabilities = field(STATUS, status, "CapEff:").strip();
        try {
            long effective = Long.parseUnsignedLong(capabilities, 16);
            return (effective >> CAP_IPC_LOCK & 1) != 0 && inInitialUserNamespace();
        } catch (NumberFormatException e) {
            throw malformed(STATUS, "CapEff:");
        }
    }

    private boolean inInitialUserNamespace() {
        try {
            return Files.readSymbolicLink(Path.of("/proc/self/ns/user"))
                    .toString()
                    .equals(INITIAL_USER_NAMESPACE);
        } catch (IOException noUserNamespaces) {
            return true;
        }
    }

    private static long limit(String value) throws Refusal {
        if (value.equals("unlimited")) {
            return Long.MAX_VALUE;
        }
        return KernelFiles.number(value)
                .orElseThrow(() -> malformed("/proc/self/limits", "Max locked memory"));
    }

    private static long kibibytes(String file, Content content, String key) throws Refusal {
        OptionalLong bytes = KernelFiles.kibibytes(field(file, content, key));
        if (bytes.isEmpty()) {
            throw malformed(file, key);
        }
        return bytes.getAsLong();
    }

    private static String field(String file, Content content, String key) throws Refusal {
        return content.field(key)
                .orElseThrow(
                        () ->
                                new Refusal.NotSupported(
                                        file
                                                + " has no line \""
                                                + key
                                                + "\": a kernel too old, or not Linux's own"));
    }

    private Content read(String file) throws Refusal {
        Content content = files.readRecord(file);
        if (!content.isRead()) {
            throw content.refusal(file);
        }
        return content;
    }

    private static Refusal malformed(String file, String key) {
        return new Refusal.NotSupported(
                file + " has no number on its line \"" + key + "\": not Linux's own /proc");
    }
}
