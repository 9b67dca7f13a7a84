package dev.kernelalloc.os;

import dev.kernelalloc.os.OperatingSystem.HugePool;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/** The pools of huge pages as sysfs shows them; what cannot be read is not there. */
final class HugePools {

    private static final String PREFIX = "hugepages-";

    private HugePools() {}

    /**
     * All pools, the largest pages first.
     *
     * @param sysfs where it is mounted
     */
    static List<HugePool> read(Path sysfs) {
        List<HugePool> pools = new ArrayList<>();
        for (Path pool : children(sysfs.resolve("kernel/mm/hugepages"), PREFIX)) {
            String name = pool.getFileName().toString();
            long kibibytes = Long.parseLong(name.substring(PREFIX.length(), name.length() - 2));
            pools.add(
                    new HugePool(
                            kibibytes << 10,
                            number(pool.resolve("nr_hugepages")),
                            number(pool.resolve("free_hugepages")),
                            number(pool.resolve("resv_hugepages")),
                            Math.max(
                                    0,
                                    number(pool.resolve("nr_overcommit_hugepages"))
                                            - number(pool.resolve("surplus_hugepages"))),
                            freeOfNode(sysfs, name)));
        }
        pools.sort(Comparator.comparingLong(HugePool::pageBytes).reversed());
        return pools;
    }

    private static Map<Integer, Long> freeOfNode(Path sysfs, String name) {
        Map<Integer, Long> free = new TreeMap<>();
        for (Path node : children(sysfs.resolve("devices/system/node"), "node")) {
            Path count = node.resolve("hugepages").resolve(name).resolve("free_hugepages");
            if (Files.isReadable(count)) {
                String number = node.getFileName().toString().substring("node".length());
                free.put(Integer.parseInt(number), number(count));
            }
        }
        return free;
    }

    private static List<Path> children(Path directory, String prefix) {
        try (Stream<Path> children = Files.list(directory)) {
            return children.filter(
                            child -> child.getFileName().toString().matches(prefix + "[0-9]+(kB)?"))
                    .toList();
        } catch (IOException absent) {
            return List.of();
        }
    }

    private static long number(Path file) {
        try {
            return Long.parseLong(Files.readString(file).strip());
        } catch (IOException | NumberFormatException absent) {
            return 0;
        }
    }
}
