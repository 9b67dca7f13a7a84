package dev.kernelalloc.cli;

import java.util.ArrayList;
import java.util.List;

/**
 * A set of capabilities as {@code /proc/self/status} has it.
 *
 * @param mask a bit for each
 */
record Capabilities(long mask) {

    static final int IPC_LOCK = 14;
    static final int SYS_ADMIN = 21;
    static final int SYS_NICE = 23;

    /** In the order of linux/capability.h. */
    private static final List<String> NAMES =
            List.of(
                    "CHOWN",
                    "DAC_OVERRIDE",
                    "DAC_READ_SEARCH",
                    "FOWNER",
                    "FSETID",
                    "KILL",
                    "SETGID",
                    "SETUID",
                    "SETPCAP",
                    "LINUX_IMMUTABLE",
                    "NET_BIND_SERVICE",
                    "NET_BROADCAST",
                    "NET_ADMIN",
                    "NET_RAW",
                    "IPC_LOCK",
                    "IPC_OWNER",
                    "SYS_MODULE",
                    "SYS_RAWIO",
                    "SYS_CHROOT",
                    "SYS_PTRACE",
                    "SYS_PACCT",
                    "SYS_ADMIN",
                    "SYS_BOOT",
                    "SYS_NICE",
                    "SYS_RESOURCE",
                    "SYS_TIME",
                    "SYS_TTY_CONFIG",
                    "MKNOD",
                    "LEASE",
                    "AUDIT_WRITE",
                    "AUDIT_CONTROL",
                    "SETFCAP",
                    "MAC_OVERRIDE",
                    "MAC_ADMIN",
                    "SYSLOG",
                    "WAKE_ALARM",
                    "BLOCK_SUSPEND",
                    "AUDIT_READ",
                    "PERFMON",
                    "BPF",
                    "CHECKPOINT_RESTORE");

    /** The initial user namespace: only there do they mean what they say. */
    private static final String INITIAL_USER_NAMESPACE = "user:[4026531837]";

    /** Those that work now. */
    static Capabilities effective(Host host) {
        return new Capabilities(
                host.field("/proc/self/status", "CapEff:")
                        .filter(hex -> hex.matches("[0-9a-f]{1,16}"))
                        .map(hex -> Long.parseUnsignedLong(hex, 16))
                        .orElse(0L));
    }

    /** Whether this process is in the initial user namespace, or there is no such thing. */
    static boolean countEverywhere(Host host) {
        return host.link("/proc/self/ns/user")
                .orElse(INITIAL_USER_NAMESPACE)
                .equals(INITIAL_USER_NAMESPACE);
    }

    boolean has(int capability) {
        return (mask >> capability & 1) != 0;
    }

    static String name(int capability) {
        return NAMES.get(capability);
    }

    /** Whichever is shorter: those that are there, or all but those that are not. */
    @Override
    public String toString() {
        List<String> there = new ArrayList<>();
        List<String> missing = new ArrayList<>();
        for (int capability = 0; capability < NAMES.size(); capability++) {
            (has(capability) ? there : missing).add(name(capability));
        }
        if (there.isEmpty()) {
            return "none";
        }
        if (missing.isEmpty()) {
            return "all";
        }
        return missing.size() < there.size()
                ? "all but " + String.join(", ", missing)
                : String.join(", ", there);
    }
}
