package dev.kernelalloc.cli;

import dev.kernelalloc.cli.Finding.State;
import dev.kernelalloc.cli.Finding.Topic;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalLong;

/** Which pages there are: of the base size, of pools, and transparent huge ones. */
final class PageChecks {

    private static final String THP = "/sys/kernel/mm/transparent_hugepage/";
    private static final String POOLS = "/sys/kernel/mm/hugepages";
    private static final String NODES = "/sys/devices/system/node";
    private static final String POOL = "hugepages-";

    /** From the C header elf.h. */
    private static final long AT_PAGESZ = 6;

    private PageChecks() {}

    static List<Finding> of(Host host) {
        List<Finding> findings = new ArrayList<>();
        findings.add(base(host));
        findings.addAll(pools(host));
        findings.add(transparent(host));
        findings.add(defrag(host));
        return findings;
    }

    private static Finding base(Host host) {
        OptionalLong bytes = pageBytes(host);
        return new Finding(
                Topic.PAGES,
                "base page",
                bytes.isPresent() ? State.OK : State.UNKNOWN,
                bytes.isPresent() ? ByteCount.text(bytes.getAsLong()) : "its size is unknown",
                "/proc/self/auxv");
    }

    static OptionalLong pageBytes(Host host) {
        try {
            ByteBuffer auxiliary =
                    ByteBuffer.wrap(Files.readAllBytes(host.at("/proc/self/auxv")))
                            .order(ByteOrder.nativeOrder());
            while (auxiliary.remaining() >= 2 * Long.BYTES) {
                long key = auxiliary.getLong();
                long value = auxiliary.getLong();
                if (key == AT_PAGESZ) {
                    return OptionalLong.of(value);
                }
            }
        } catch (IOException absent) {
            return OptionalLong.empty();
        }
        return OptionalLong.empty();
    }

    /** A line for each size and node; for each size alone where no nodes are shown. */
    private static List<Finding> pools(Host host) {
        List<Finding> findings = new ArrayList<>();
        List<String> nodes =
                host.names(NODES).stream().filter(name -> name.matches("node\\d+")).toList();
        for (String pool : host.names(POOLS)) {
            if (!pool.matches(POOL + "\\d+kB")) {
                continue;
            }
            long bytes = Long.parseLong(pool.substring(POOL.length(), pool.length() - 2)) << 10;
            String size = ByteCount.text(bytes);
            String whole = POOLS + "/" + pool;
            if (nodes.isEmpty()) {
                findings.add(pool(host, "pool " + size, bytes, whole));
            }
            for (String node : nodes) {
                String directory =
                        String.format(Locale.ROOT, "%s/%s/hugepages/%s", NODES, node, pool);
                findings.add(
                        pool(
                                host,
                                String.format(Locale.ROOT, "pool %s %s", size, node),
                                bytes,
                                directory));
            }
        }
        if (findings.isEmpty()) {
            findings.add(
                    new Finding(
                            Topic.PAGES,
                            "pool",
                            State.WARN,
                            "the kernel shows no pools of huge pages",
                            POOLS));
        }
        return findings;
    }

    private static Finding pool(Host host, String name, long pageBytes, String directory) {
        long pages = host.number(directory + "/nr_hugepages").orElse(0);
        long free = host.number(directory + "/free_hugepages").orElse(0);
        long surplus = host.number(directory + "/surplus_hugepages").orElse(0);
        String more = "echo 64 > " + directory + "/nr_hugepages";
        return new Finding(
                Topic.PAGES,
                name,
                free > 0 ? State.OK : State.WARN,
                String.format(
                        Locale.ROOT,
                        "%d pages, %d free, %d beyond the reservation",
                        pages,
                        free,
                        surplus),
                directory,
                pageBytes < 1L << 30
                        ? List.of(more)
                        : List.of(
                                more.replace("64", "2"),
                                "kernel command line: hugepagesz=1G hugepages=2"));
    }

    private static Finding transparent(Host host) {
        Optional<String> mode = host.choice(THP + "enabled");
        boolean disabledHere =
                host.field("/proc/self/status", "THP_enabled:").orElse("1").equals("0");
        State state =
                mode.isEmpty()
                        ? State.UNKNOWN
                        : mode.get().equals("never") || disabledHere ? State.BAD : State.OK;
        return new Finding(
                Topic.PAGES,
                "transparent",
                state,
                mode.map(m -> "enabled: " + m).orElse("the kernel shows no transparent huge pages")
                        + (disabledHere ? ", but disabled for this process" : ""),
                THP + "enabled",
                "echo madvise > " + THP + "enabled",
                "kernel command line: transparent_hugepage=madvise");
    }

    private static Finding defrag(Host host) {
        Optional<String> mode = host.choice(THP + "defrag");
        boolean waits =
                mode.filter(m -> m.toLowerCase(Locale.ROOT).matches("always|.*madvise"))
                        .isPresent();
        return new Finding(
                Topic.PAGES,
                "defrag",
                mode.isEmpty() ? State.UNKNOWN : waits ? State.OK : State.WARN,
                mode.map(
                                m ->
                                        String.format(
                                                Locale.ROOT,
                                                "%s: a request for huge pages %s",
                                                m,
                                                waits
                                                        ? "waits until they are made"
                                                        : "gets them if they are ready"))
                        .orElse("unknown"),
                THP + "defrag",
                "echo madvise > " + THP + "defrag");
    }
}
