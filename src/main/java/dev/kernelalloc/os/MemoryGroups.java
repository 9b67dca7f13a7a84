package dev.kernelalloc.os;

import dev.kernelalloc.os.ControlGroups.Group;
import dev.kernelalloc.os.ControlGroups.Limit;
import dev.kernelalloc.os.OperatingSystem.MemoryGroup;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * The memory control groups of this process, of version 1 or 2: its own and every ancestor that it
 * can see, as far as their memory is limited.
 */
final class MemoryGroups {

    private static final List<String> RECLAIMABLE_1 =
            List.of("total_inactive_file", "total_active_file");
    private static final List<String> RECLAIMABLE_2 = List.of("inactive_file", "active_file");

    private MemoryGroups() {}

    /**
     * The groups that are limited, the process's own first.
     *
     * @param root of the file system
     */
    static List<MemoryGroup> read(Path root) throws Refusal {
        return read(KernelFiles.below(root));
    }

    /**
     * The same.
     *
     * @throws Refusal.Shortage when something that passes keeps it from being read: the limit is
     *     there all the same
     */
    static List<MemoryGroup> read(KernelFiles files) throws Refusal {
        ControlGroups all = ControlGroups.of(files, "memory");
        requireRead(all.shortage(), all.unknown());
        List<MemoryGroup> limited = new ArrayList<>();
        for (Group group : all.groups()) {
            Limit limit =
                    group.isVersion2()
                            // Beyond memory.high a process that cannot give memory back halts.
                            ? group.limit("memory.max", "memory.high")
                            : group.limit("memory.limit_in_bytes");
            requireRead(limit.shortage(), limit.unknown().stream().toList());
            if (limit.isSet()) {
                limited.add(read(group, limit.bytes()));
            }
        }
        return limited;
    }

    private static MemoryGroup read(Group group, long limit) {
        boolean two = group.isVersion2();
        long used = group.number(two ? "memory.current" : "memory.usage_in_bytes").orElse(0);
        long reclaimable = group.sum("memory.stat", two ? RECLAIMABLE_2 : RECLAIMABLE_1);
        return new MemoryGroup(group.toString(), limit, used, reclaimable);
    }

    private static void requireRead(boolean shortage, List<String> unknown) throws Refusal {
        if (shortage) {
            throw new Refusal.Shortage(
                    String.format(
                            Locale.ROOT,
                            "how much memory may be used: %s. %s",
                            String.join("; ", unknown),
                            Refusal.Shortage.REMEDY));
        }
    }
}
