package dev.kernelalloc.os;

import dev.kernelalloc.os.ControlGroups.Group;
import dev.kernelalloc.os.ControlGroups.Limit;
import dev.kernelalloc.os.KernelFiles.Content;
import dev.kernelalloc.os.OperatingSystem.MemoryGroup;

import org.jspecify.annotations.Nullable;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * The memory control groups of this process, of version 1 or 2: its own and every ancestor that it
 * can see, as far as their memory is limited.
 *
 * <p>Finding the groups takes longer than reading their numbers, so they are remembered while the
 * process stays in them, for {@link #LIFETIME_NANOS} at most: a hierarchy may be mounted again.
 */
final class MemoryGroups {

    private static final long LIFETIME_NANOS = 1_000_000_000;

    private static final List<String> RECLAIMABLE_1 =
            List.of("total_inactive_file", "total_active_file");
    private static final List<String> RECLAIMABLE_2 = List.of("inactive_file", "active_file");

    private record Known(String own, List<Group> groups, long foundNanos) {}

    private final KernelFiles files;
    private volatile @Nullable Known known;

    MemoryGroups(KernelFiles files) {
        this.files = files;
    }

    /**
     * Returns the groups that are limited, the process's own first.
     *
     * @param enoughBytes in a group that leaves as much without reclaiming any, what is reclaimable
     *     is not counted: of many groups, the kernel takes milliseconds to sum that up
     * @throws Refusal.Shortage if a shortage that may pass prevents reading; there may be a limit
     *     nevertheless
     */
    List<MemoryGroup> read(long enoughBytes) throws Refusal {
        List<MemoryGroup> limited = new ArrayList<>();
        for (Group group : groups()) {
            Limit limit =
                    group.isVersion2()
                            // Beyond memory.high a process that cannot give memory back halts.
                            ? group.limit("memory.max", "memory.high")
                            : group.limit("memory.limit_in_bytes");
            requireRead(limit.shortage(), limit.unknown().stream().toList());
            if (limit.isSet()) {
                limited.add(read(group, limit.bytes(), enoughBytes));
            }
        }
        return limited;
    }

    private List<Group> groups() throws Refusal {
        Known last = known;
        Content own = files.readRecord(ControlGroups.OWN);
        if (last != null
                && own.isRead()
                && own.text().equals(last.own)
                && System.nanoTime() - last.foundNanos < LIFETIME_NANOS) {
            return last.groups;
        }
        ControlGroups found = ControlGroups.of(files, "memory");
        requireRead(found.shortage(), found.unknown());
        if (own.isRead()) {
            known = new Known(own.text(), found.groups(), System.nanoTime());
        }
        return found.groups();
    }

    private static MemoryGroup read(Group group, long limit, long enoughBytes) {
        boolean two = group.isVersion2();
        long used = group.number(two ? "memory.current" : "memory.usage_in_bytes").orElse(0);
        long reclaimable =
                limit - used >= enoughBytes
                        ? 0
                        : group.sum("memory.stat", two ? RECLAIMABLE_2 : RECLAIMABLE_1);
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
