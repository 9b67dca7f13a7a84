package dev.kernelalloc.cli;

import dev.kernelalloc.cli.Finding.State;
import dev.kernelalloc.cli.Finding.Topic;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** Checks the machine, and the layers between it and this process. */
final class SystemChecks {

    private static final List<String> CONTAINER_PATHS =
            List.of("docker", "kubepods", "containerd", "lxc", "libpod", "podman");

    private SystemChecks() {}

    static List<Finding> of(Host host) {
        return List.of(kernel(host), container(host), hypervisor(host), iommu(host), numa(host));
    }

    private static Finding kernel(Host host) {
        Optional<String> release = host.text("/proc/sys/kernel/osrelease");
        boolean sandbox = host.text("/proc/version").orElse("").contains("gVisor");
        return new Finding(
                Topic.SYSTEM,
                "kernel",
                sandbox ? State.BAD : release.isPresent() ? State.OK : State.UNKNOWN,
                sandbox
                        ? "gVisor, which has no pages of its own: reports about pages do not apply"
                        : String.format(
                                Locale.ROOT,
                                "Linux %s on %s, %s processors",
                                release.orElse("of unknown version"),
                                System.getProperty("os.arch"),
                                Runtime.getRuntime().availableProcessors()),
                "/proc/sys/kernel/osrelease",
                sandbox ? List.of("docker run --runtime=runc") : List.of());
    }

    private static Finding container(Host host) {
        List<String> signs = new ArrayList<>();
        for (String file : List.of("/.dockerenv", "/run/.containerenv")) {
            if (host.has(file)) {
                signs.add(file);
            }
        }
        host.text("/run/systemd/container").ifPresent(name -> signs.add("systemd reports " + name));
        host.text("/proc/1/environ").stream()
                .flatMap(text -> List.of(text.split("\0")).stream())
                .filter(variable -> variable.startsWith("container="))
                .forEach(variable -> signs.add("environment of process 1: " + variable));
        host.lines("/proc/self/cgroup").stream()
                .filter(line -> CONTAINER_PATHS.stream().anyMatch(line::contains))
                .findFirst()
                .ifPresent(line -> signs.add("control group " + line));
        return new Finding(
                Topic.SYSTEM,
                "container",
                State.OK,
                signs.isEmpty() ? "no sign of one" : String.join("; ", signs),
                "/.dockerenv, /run/.containerenv, /run/systemd/container, /proc/self/cgroup");
    }

    private static Finding hypervisor(Host host) {
        Optional<String> flags =
                host.lines("/proc/cpuinfo").stream()
                        .filter(line -> line.startsWith("flags"))
                        .findFirst();
        Optional<String> name =
                host.text("/sys/hypervisor/type")
                        .or(() -> host.text("/sys/class/dmi/id/sys_vendor"));
        String named = name.map(vendor -> " (" + vendor + ")").orElse("");
        boolean guest = (flags.orElse("") + " ").contains(" hypervisor ");
        if (flags.isEmpty()) {
            return new Finding(
                    Topic.SYSTEM,
                    "hypervisor",
                    State.UNKNOWN,
                    "this processor does not report it" + named,
                    "/proc/cpuinfo, /sys/class/dmi/id/sys_vendor");
        }
        return new Finding(
                Topic.SYSTEM,
                "hypervisor",
                guest ? State.WARN : State.OK,
                guest
                        ? "one is below" + named + ": physical addresses are this guest's"
                        : "none: physical addresses are the machine's" + named,
                "/proc/cpuinfo, /sys/class/dmi/id/sys_vendor");
    }

    private static Finding iommu(Host host) {
        int groups = host.names("/sys/kernel/iommu_groups").size();
        return new Finding(
                Topic.SYSTEM,
                "iommu",
                groups == 0 ? State.OK : State.WARN,
                groups == 0
                        ? "no groups: a device uses physical addresses"
                        : groups + " groups: a device in one uses other addresses, by VFIO",
                "/sys/kernel/iommu_groups",
                groups == 0
                        ? "kernel command line: intel_iommu=on, or amd_iommu=on"
                        : "kernel command line: iommu=pt");
    }

    private static Finding numa(Host host) {
        List<String> nodes =
                host.names("/sys/devices/system/node").stream()
                        .filter(name -> name.matches("node\\d+"))
                        .toList();
        if (nodes.isEmpty()) {
            return new Finding(
                    Topic.SYSTEM,
                    "numa",
                    State.UNKNOWN,
                    "no nodes are shown",
                    "/sys/devices/system/node");
        }
        List<String> sizes = new ArrayList<>();
        for (String node : nodes) {
            String file = "/sys/devices/system/node/" + node + "/meminfo";
            long number = Long.parseLong(node.substring("node".length()));
            host.kilobytes(file, "Node " + number + " MemFree:")
                    .ifPresentOrElse(
                            free ->
                                    sizes.add(
                                            String.format(
                                                    Locale.ROOT,
                                                    "%s %s free",
                                                    node,
                                                    ByteCount.text(free))),
                            () -> sizes.add(node));
        }
        String allowed = host.field("/proc/self/status", "Mems_allowed_list:").orElse("unknown");
        return new Finding(
                Topic.SYSTEM,
                "numa",
                State.OK,
                String.format(
                        Locale.ROOT, "%s; allowed here: %s", String.join(", ", sizes), allowed),
                "/sys/devices/system/node, /proc/self/status",
                "docker run --cpuset-mems=<nodes> --cap-add SYS_NICE");
    }
}
