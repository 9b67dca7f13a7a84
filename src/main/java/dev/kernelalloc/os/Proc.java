package dev.kernelalloc.os;

import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * What Linux tells about this process and machine in the text files of /proc. Streams, which no
 * interrupt closes.
 */
final class Proc {

    /** The capability's bit in the mask of effective ones. */
    static final int CAP_IPC_LOCK = 14;

    /** The initial user namespace: only there does {@code CAP_IPC_LOCK} lift the limit. */
    private static final String INITIAL_USER_NAMESPACE = "user:[4026531837]";

    /** {@code DEFAULT_MAX_MAP_COUNT} of the kernel's include/linux/mm.h. */
    private static final long DEFAULT_MAX_MAPPINGS = 65530;

    private Proc() {}

    static OperatingSystem.LockBudget lockBudget() throws Refusal {
        return budget("VmLck:");
    }

    /** Pins are counted by user: those of other processes are not seen here. */
    static OperatingSystem.LockBudget pinBudget() throws Refusal {
        return budget("VmPin:");
    }

    private static OperatingSystem.LockBudget budget(String counter) throws Refusal {
        String limits = line("/proc/self/limits", "Max locked memory");
        String[] values = limits.strip().split("\\s+");
        return new OperatingSystem.LockBudget(
                kibibytes(line("/proc/self/status", counter)),
                limit(values[0]),
                limit(values[1]),
                mayLockAnything());
    }

    static long availableBytes() throws Refusal {
        return kibibytes(line("/proc/meminfo", "MemAvailable:"));
    }

    /** The flag of an x86 processor; others have no flags line, and do not tell. */
    static OperatingSystem.Machine machine() {
        try {
            boolean guest = (line("/proc/cpuinfo", "flags") + " ").contains(" hypervisor ");
            return guest ? OperatingSystem.Machine.VIRTUAL : OperatingSystem.Machine.PHYSICAL;
        } catch (Refusal otherProcessor) {
            return OperatingSystem.Machine.UNKNOWN;
        }
    }

    /** The kernel's default where the file cannot be read. */
    static long maxMappings() {
        try {
            return Long.parseLong(line("/proc/sys/vm/max_map_count", "").strip());
        } catch (Refusal unreadable) {
            return DEFAULT_MAX_MAPPINGS;
        }
    }

    private static boolean mayLockAnything() throws Refusal {
        long effective = Long.parseUnsignedLong(line("/proc/self/status", "CapEff:").strip(), 16);
        return (effective >> CAP_IPC_LOCK & 1) != 0 && inInitialUserNamespace();
    }

    private static boolean inInitialUserNamespace() {
        try {
            return Files.readSymbolicLink(Path.of("/proc/self/ns/user"))
                    .toString()
                    .equals(INITIAL_USER_NAMESPACE);
        } catch (IOException noUserNamespaces) {
            return true;
        }
    }

    private static long limit(String value) {
        return value.equals("unlimited") ? Long.MAX_VALUE : Long.parseLong(value);
    }

    /** The bytes of a value such as {@code " 8192 kB"}. */
    private static long kibibytes(String value) {
        return Long.parseLong(value.strip().split("\\s+")[0]) * 1024;
    }

    /** What follows {@code key} on the first line that starts with it. */
    private static String line(String file, String key) throws Refusal {
        try (var reader =
                new BufferedReader(
                        new InputStreamReader(
                                new FileInputStream(file), StandardCharsets.US_ASCII))) {
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                if (line.startsWith(key)) {
                    return line.substring(key.length());
                }
            }
            throw new Refusal.NotSupported(
                    file + " has no line \"" + key + "\": a kernel too old, or not Linux's own");
        } catch (IOException unreadable) {
            throw new Refusal.NotSupported(
                    file + " cannot be read (" + unreadable.getMessage() + "): is /proc mounted?");
        }
    }
}
