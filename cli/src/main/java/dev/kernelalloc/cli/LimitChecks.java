package dev.kernelalloc.cli;

import dev.kernelalloc.cli.Finding.State;
import dev.kernelalloc.cli.Finding.Topic;
import dev.kernelalloc.os.ControlGroups;
import dev.kernelalloc.os.ControlGroups.Group;
import dev.kernelalloc.os.ControlGroups.Limit;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.OptionalLong;

/** How much memory, and how many mappings, this process can have at most. */
final class LimitChecks {

    private static final String MEMORY = "/proc/meminfo";
    private static final String OVERCOMMIT = "/proc/sys/vm/overcommit_memory";
    private static final String MAPPINGS = "/proc/sys/vm/max_map_count";

    private static final String POOLS = "/sys/kernel/mm/hugepages";

    private LimitChecks() {}

    static List<Finding> of(Host host) {
        List<Finding> findings = new ArrayList<>();
        findings.add(memory(host));
        findings.addAll(groups(host));
        findings.add(swap(host));
        findings.add(overcommit(host));
        findings.add(mappings(host));
        return findings;
    }

    /** Checks the memory of the machine, or the least that a control group allows. */
    static long memoryLimit(Host host) {
        long limit = host.kilobytes(MEMORY, "MemTotal:").orElse(Long.MAX_VALUE);
        for (Group group : ControlGroups.of(host.files(), "memory").groups()) {
            limit = Math.min(limit, memoryLimit(group).bytes());
        }
        return limit;
    }

    private static Limit memoryLimit(Group group) {
        return group.isVersion2()
                ? group.limit("memory.max", "memory.high")
                : group.limit("memory.limit_in_bytes");
    }

    private static Finding memory(Host host) {
        OptionalLong total = host.kilobytes(MEMORY, "MemTotal:");
        OptionalLong available = host.kilobytes(MEMORY, "MemAvailable:");
        if (total.isEmpty() || available.isEmpty()) {
            return new Finding(Topic.LIMITS, "memory", State.UNKNOWN, "unknown", MEMORY);
        }
        return new Finding(
                Topic.LIMITS,
                "memory",
                available.getAsLong() < total.getAsLong() / 16 ? State.WARN : State.OK,
                String.format(
                        Locale.ROOT,
                        "%s available of %s",
                        ByteCount.text(available.getAsLong()),
                        ByteCount.text(total.getAsLong())),
                MEMORY);
    }

    private static List<Finding> groups(Host host) {
        List<Finding> findings = new ArrayList<>();
        ControlGroups memory = ControlGroups.of(host.files(), "memory");
        memory.unknown().forEach(why -> findings.add(unknown(why)));
        int looked = 0;
        for (Group group : memory.groups()) {
            if (group.isVisible()) {
                looked++;
            }
            Limit limit = memoryLimit(group);
            limit.unknown().ifPresent(why -> findings.add(unknown(why)));
            if (limit.isSet()) {
                findings.add(limited(group, limit.bytes()));
            }
        }
        for (Group group : ControlGroups.of(host.files(), "hugetlb").groups()) {
            for (long pageBytes : poolPageBytes(host)) {
                for (String kind : List.of("", "rsvd.")) {
                    String name =
                            String.format(Locale.ROOT, "hugetlb.%s.%s", sizeName(pageBytes), kind);
                    Limit limit =
                            group.limit(name + (group.isVersion2() ? "max" : "limit_in_bytes"));
                    limit.unknown().ifPresent(why -> findings.add(unknown(why)));
                    if (limit.isSet()) {
                        findings.add(poolLimited(group, name, pageBytes, limit.bytes()));
                    }
                }
            }
        }
        if (findings.isEmpty()) {
            findings.add(
                    new Finding(
                            Topic.LIMITS,
                            "control groups",
                            looked > 0 ? State.OK : State.UNKNOWN,
                            looked > 0
                                    ? String.format(
                                            Locale.ROOT,
                                            "none of the %d that are visible limits memory",
                                            looked)
                                    : "none is visible",
                            "/proc/self/cgroup, /proc/self/mountinfo",
                            "docker run --memory=<size>",
                            "systemd unit: MemoryMax=<size>"));
        }
        return findings;
    }

    /** The library takes what is visible for it, and what is not for no limit. */
    private static Finding unknown(String why) {
        return new Finding(
                Topic.LIMITS,
                "control group",
                State.UNKNOWN,
                why,
                "/proc/self/cgroup, /proc/self/mountinfo",
                "PoolAllocator.builder().limit(<bytes>),"
                        + " PhysicalAllocator.builder().limit(<bytes>)",
                "mount the hierarchy that this process is in, readable");
    }

    private static Finding limited(Group group, long limit) {
        long used =
                group.number(group.isVersion2() ? "memory.current" : "memory.usage_in_bytes")
                        .orElse(0);
        String file = group + (group.isVersion2() ? "/memory.max" : "/memory.limit_in_bytes");
        return new Finding(
                Topic.LIMITS,
                "control group",
                used > limit - limit / 8 ? State.WARN : State.OK,
                String.format(
                        Locale.ROOT,
                        "%s uses %s of %s; beyond it, memory that was locked or populated ends the"
                                + " process",
                        group,
                        ByteCount.text(used),
                        ByteCount.text(limit)),
                file,
                "echo <bytes> > " + file,
                "docker run --memory=<size>",
                "systemd unit: MemoryMax=<size>");
    }

    private static Finding poolLimited(Group group, String name, long pageBytes, long limit) {
        long used =
                group.number(name + (group.isVersion2() ? "current" : "usage_in_bytes")).orElse(0);
        String file =
                String.format(
                        Locale.ROOT,
                        "%s/%s%s",
                        group,
                        name,
                        group.isVersion2() ? "max" : "limit_in_bytes");
        return new Finding(
                Topic.LIMITS,
                "control group",
                limit - used < pageBytes ? State.WARN : State.OK,
                String.format(
                        Locale.ROOT,
                        "%s may %s %s of the pool of %s pages, and has %s",
                        group,
                        name.endsWith("rsvd.") ? "reserve" : "use",
                        ByteCount.text(limit),
                        ByteCount.text(pageBytes),
                        ByteCount.text(used)),
                file,
                "echo <bytes> > " + file,
                String.format(
                        Locale.ROOT,
                        "Kubernetes: resources.limits.hugepages-%s",
                        ByteCount.text(pageBytes).replace(" ", "").replace("iB", "i")));
    }

    private static List<Long> poolPageBytes(Host host) {
        return host.names(POOLS).stream()
                .filter(name -> name.matches("hugepages-\\d{1,12}kB"))
                .map(name -> name.substring("hugepages-".length(), name.length() - 2))
                .map(kibibytes -> Long.parseLong(kibibytes) << 10)
                .toList();
    }

    /** As control groups write it. */
    private static String sizeName(long bytes) {
        if (bytes >= 1L << 30) {
            return (bytes >> 30) + "GB";
        }
        return bytes >= 1L << 20 ? (bytes >> 20) + "MB" : (bytes >> 10) + "KB";
    }

    private static Finding swap(Host host) {
        OptionalLong total = host.kilobytes(MEMORY, "SwapTotal:");
        long bytes = total.orElse(0);
        return new Finding(
                Topic.LIMITS,
                "swap",
                total.isEmpty() ? State.UNKNOWN : bytes == 0 ? State.OK : State.WARN,
                total.isEmpty()
                        ? "unknown"
                        : bytes == 0
                                ? "none: nothing is ever swapped out"
                                : ByteCount.text(bytes)
                                        + ": pages that are not locked may be swapped out",
                MEMORY,
                bytes == 0 ? List.of() : List.of("swapoff -a", "ask for LOCKED memory"));
    }

    private static Finding overcommit(Host host) {
        OptionalLong mode = host.number(OVERCOMMIT);
        boolean strict = mode.orElse(0) == 2;
        return new Finding(
                Topic.LIMITS,
                "overcommit",
                mode.isEmpty() ? State.UNKNOWN : strict ? State.WARN : State.OK,
                mode.isEmpty()
                        ? "unknown"
                        : strict
                                ? String.format(
                                        Locale.ROOT,
                                        "%s of %s address space are promised, and no more will be",
                                        text(host, "Committed_AS:"),
                                        text(host, "CommitLimit:"))
                                : String.format(
                                        Locale.ROOT,
                                        "mode %d: address space is not counted",
                                        mode.getAsLong()),
                OVERCOMMIT,
                "sysctl vm.overcommit_memory=0");
    }

    private static String text(Host host, String key) {
        OptionalLong bytes = host.kilobytes(MEMORY, key);
        return bytes.isPresent() ? ByteCount.text(bytes.getAsLong()) : "unknown";
    }

    private static Finding mappings(Host host) {
        OptionalLong most = host.number(MAPPINGS);
        int used = host.lines("/proc/self/maps").size();
        return new Finding(
                Topic.LIMITS,
                "mappings",
                most.isEmpty()
                        ? State.UNKNOWN
                        : used > most.getAsLong() / 2 ? State.WARN : State.OK,
                most.isEmpty()
                        ? "unknown"
                        : String.format(
                                Locale.ROOT,
                                "%d of %d are used; half of all may be blocks of locked pages",
                                used,
                                most.getAsLong()),
                MAPPINGS + ", /proc/self/maps",
                "sysctl vm.max_map_count=262144");
    }
}
