package dev.kernelalloc.os;

import dev.kernelalloc.os.ControlGroups.Group;
import dev.kernelalloc.os.ControlGroups.Limit;
import dev.kernelalloc.os.KernelFiles.Content;
import dev.kernelalloc.os.OperatingSystem.HugeAllowance;
import dev.kernelalloc.os.OperatingSystem.HugePool;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** The pools of huge pages as sysfs shows them; what cannot be read is not there. */
final class HugePools {

    private static final String POOLS = "/sys/kernel/mm/hugepages/";
    private static final String NODES = "/sys/devices/system/node/";

    /** Page sizes of Linux's architectures are between these. */
    private static final long LEAST_PAGE_BYTES = 64L << 10;

    private static final long MOST_PAGE_BYTES = 16L << 30;

    private static final int MOST_NODES = 1 << 10;

    private HugePools() {}

    /**
     * All pools, the largest pages first.
     *
     * @throws Refusal.Shortage when something that passes keeps them from being read
     */
    static List<HugePool> read(KernelFiles files) throws Refusal {
        List<HugePool> pools = new ArrayList<>();
        for (long bytes = MOST_PAGE_BYTES; bytes >= LEAST_PAGE_BYTES; bytes >>= 1) {
            read(files, bytes).ifPresent(pools::add);
        }
        return pools;
    }

    /**
     * The pool of pages of one size.
     *
     * @throws Refusal.Shortage when something that passes keeps it from being read
     */
    static Optional<HugePool> read(KernelFiles files, long bytes) throws Refusal {
        String name = "hugepages-" + (bytes >> 10) + "kB";
        Content total = files.read(POOLS + name + "/nr_hugepages");
        if (total.isTemporary()) {
            throw new Refusal.Shortage(
                    String.format(
                            Locale.ROOT,
                            "the pools of huge pages cannot be read: %s. %s",
                            total.failure(),
                            Refusal.Shortage.REMEDY));
        }
        return total.isRead()
                ? Optional.of(read(files, bytes, name, total.number().orElse(0)))
                : Optional.empty();
    }

    private static HugePool read(KernelFiles files, long bytes, String name, long total) {
        String pool = POOLS + name;
        return new HugePool(
                bytes,
                total,
                number(files, pool + "/free_hugepages"),
                number(files, pool + "/resv_hugepages"),
                Math.max(
                        0,
                        number(files, pool + "/nr_overcommit_hugepages")
                                - number(files, pool + "/surplus_hugepages")),
                freeOfNode(files, name));
    }

    /** Parses the list of nodes, such as {@code 0-1,4}. */
    private static Map<Integer, Long> freeOfNode(KernelFiles files, String name) {
        Map<Integer, Long> free = new TreeMap<>();
        for (String range : files.read(NODES + "online").text().strip().split(",")) {
            String[] ends = range.split("-", 2);
            long first = KernelFiles.number(ends[0]).orElse(MOST_NODES);
            long last = KernelFiles.number(ends[ends.length - 1]).orElse(-1);
            for (long node = first; node <= Math.min(last, MOST_NODES - 1); node++) {
                Content count =
                        files.read(
                                NODES + "node" + node + "/hugepages/" + name + "/free_hugepages");
                if (count.number().isPresent()) {
                    free.put((int) node, count.number().getAsLong());
                }
            }
        }
        return free;
    }

    private static long number(KernelFiles files, String file) {
        return files.read(file).number().orElse(0);
    }

    // ---- control groups -----------------------------------------------------------------------

    /**
     * Returns the least that is left by limits on pages in use and, since Linux 5.7, on
     * reservations.
     */
    static HugeAllowance allowance(KernelFiles files, long pageBytes) throws Refusal {
        ControlGroups groups = ControlGroups.of(files, "hugetlb");
        HugeAllowance least = HugeAllowance.ANY;
        for (Group group : groups.groups()) {
            for (String kind : List.of("", "rsvd.")) {
                String prefix = "hugetlb." + sizeName(pageBytes) + "." + kind;
                String file = prefix + (group.isVersion2() ? "max" : "limit_in_bytes");
                Limit limit = group.limit(file);
                if (limit.isSet()) {
                    String usage = prefix + (group.isVersion2() ? "current" : "usage_in_bytes");
                    long left = Math.max(0, limit.bytes() - group.number(usage).orElse(0));
                    if (left < least.leftBytes()) {
                        least = new HugeAllowance(left, group + "/" + file);
                    }
                }
            }
        }
        return least;
    }

    /** A page size as control groups write it, for example {@code 2MB}. */
    static String sizeName(long bytes) {
        if (bytes >= 1L << 30) {
            return (bytes >> 30) + "GB";
        }
        return bytes >= 1L << 20 ? (bytes >> 20) + "MB" : (bytes >> 10) + "KB";
    }
}
