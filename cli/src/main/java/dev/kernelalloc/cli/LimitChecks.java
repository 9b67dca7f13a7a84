package dev.kernelalloc.cli;

import dev.kernelalloc.cli.Finding.State;
import dev.kernelalloc.cli.Finding.Topic;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;

/** How much memory, and how many mappings, this process can have at most. */
final class LimitChecks {

    private static final String MEMORY = "/proc/meminfo";
    private static final String OVERCOMMIT = "/proc/sys/vm/overcommit_memory";
    private static final String MAPPINGS = "/proc/sys/vm/max_map_count";

    /** Of huge pages, as control groups name their sizes. */
    private static final Map<String, String> POOLS = Map.of("2MB", "2 MiB", "1GB", "1 GiB");

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

    /** What the machine has, or the least that a control group allows. */
    static long memoryLimit(Host host) {
        long limit = host.kilobytes(MEMORY, "MemTotal:").orElse(Long.MAX_VALUE);
        for (ControlGroup group : ControlGroup.visible(host, "memory")) {
            limit = Math.min(limit, group.memoryLimit());
        }
        return limit;
    }

    private static Finding memory(Host host) {
        OptionalLong total = host.kilobytes(MEMORY, "MemTotal:");
        OptionalLong available = host.kilobytes(MEMORY, "MemAvailable:");
        if (total.isEmpty() || available.isEmpty()) {
            return new Finding(Topic.LIMITS, "memory", State.UNKNOWN, "not told", MEMORY);
        }
        return new Finding(
                Topic.LIMITS,
                "memory",
                available.getAsLong() < total.getAsLong() / 16 ? State.WARN : State.OK,
                "%s available of %s"
                        .formatted(
                                ByteCount.text(available.getAsLong()),
                                ByteCount.text(total.getAsLong())),
                MEMORY);
    }

    private static List<Finding> groups(Host host) {
        List<Finding> findings = new ArrayList<>();
        int looked = 0;
        for (ControlGroup group : ControlGroup.visible(host, "memory")) {
            if (group.isTold()) {
                looked++;
            }
            if (group.memoryLimit() < Long.MAX_VALUE) {
                findings.add(limited(group));
            }
        }
        for (ControlGroup group : ControlGroup.visible(host, "hugetlb")) {
            POOLS.forEach(
                    (size, text) -> {
                        if (group.poolLimit(size) < Long.MAX_VALUE) {
                            findings.add(poolLimited(group, text));
                        }
                    });
        }
        if (findings.isEmpty()) {
            findings.add(
                    new Finding(
                            Topic.LIMITS,
                            "control groups",
                            looked > 0 ? State.OK : State.UNKNOWN,
                            looked > 0
                                    ? "none of the %d that are visible limits memory"
                                            .formatted(looked)
                                    : "none is visible",
                            "/proc/self/cgroup, /proc/self/mountinfo",
                            "docker run --memory=<size>",
                            "systemd unit: MemoryMax=<size>"));
        }
        return findings;
    }

    private static Finding limited(ControlGroup group) {
        long limit = group.memoryLimit();
        long used = group.memoryUsed();
        return new Finding(
                Topic.LIMITS,
                "control group",
                used > limit - limit / 8 ? State.WARN : State.OK,
                "%s uses %s of %s; beyond it, memory that was locked or populated ends the process"
                        .formatted(group.directory(), ByteCount.text(used), ByteCount.text(limit)),
                group.memoryFile(),
                "echo <bytes> > " + group.memoryFile(),
                "docker run --memory=<size>",
                "systemd unit: MemoryMax=<size>");
    }

    private static Finding poolLimited(ControlGroup group, String size) {
        String name = size.startsWith("2") ? "2MB" : "1GB";
        long limit = group.poolLimit(name);
        return new Finding(
                Topic.LIMITS,
                "control group",
                limit == 0 ? State.WARN : State.OK,
                "%s may use %s of the pool of %s pages"
                        .formatted(group.directory(), ByteCount.text(limit), size),
                group.directory() + "/hugetlb." + name,
                "echo <bytes> > %s/hugetlb.%s.%s"
                        .formatted(
                                group.directory(),
                                name,
                                group.isVersion2() ? "max" : "limit_in_bytes"));
    }

    private static Finding swap(Host host) {
        OptionalLong total = host.kilobytes(MEMORY, "SwapTotal:");
        long bytes = total.orElse(0);
        return new Finding(
                Topic.LIMITS,
                "swap",
                total.isEmpty() ? State.UNKNOWN : bytes == 0 ? State.OK : State.WARN,
                total.isEmpty()
                        ? "not told"
                        : bytes == 0
                                ? "none: nothing is ever swapped out"
                                : ByteCount.text(bytes) + ": what is not locked may go there",
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
                        ? "not told"
                        : strict
                                ? "%s of %s address space are promised, and no more will be"
                                        .formatted(
                                                text(host, "Committed_AS:"),
                                                text(host, "CommitLimit:"))
                                : "mode %d: address space is not counted"
                                        .formatted(mode.getAsLong()),
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
                        ? "not told"
                        : "%d of %d are used; half of all may be blocks of locked pages"
                                .formatted(used, most.getAsLong()),
                MAPPINGS + ", /proc/self/maps",
                "sysctl vm.max_map_count=262144");
    }
}
