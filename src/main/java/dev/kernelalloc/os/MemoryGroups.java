package dev.kernelalloc.os;

import dev.kernelalloc.os.OperatingSystem.MemoryGroup;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Optional;

/**
 * The memory cgroups of this process, of version 1 or 2: its own and every ancestor that it can
 * see, as far as their memory is limited. What cannot be read limits nothing that is known.
 */
final class MemoryGroups {

    /** What version 1 shows instead of no limit is just below, a multiple of the page size. */
    private static final long UNLIMITED = 1L << 60;

    private enum Version {
        ONE(
                List.of("memory.limit_in_bytes"),
                "memory.usage_in_bytes",
                List.of("total_inactive_file ", "total_active_file ")),
        /** Beyond {@code memory.high} a process that cannot give memory back comes to a halt. */
        TWO(
                List.of("memory.max", "memory.high"),
                "memory.current",
                List.of("inactive_file ", "active_file "));

        private final List<String> limits;
        private final String usage;
        private final List<String> reclaimable;

        Version(List<String> limits, String usage, List<String> reclaimable) {
            this.limits = limits;
            this.usage = usage;
            this.reclaimable = reclaimable;
        }
    }

    private MemoryGroups() {}

    /**
     * The groups that are limited, the process's own first.
     *
     * @param root of the file system
     */
    static List<MemoryGroup> read(Path root) {
        List<MemoryGroup> groups = new ArrayList<>();
        List<String> mounts = lines(root.resolve("proc/self/mountinfo"));
        for (String line : lines(root.resolve("proc/self/cgroup"))) {
            String[] parts = line.split(":", 3); // hierarchy, controllers, path
            if (parts.length == 3 && parts[0].equals("0")) {
                addAll(groups, root, mounts, Version.TWO, parts[2]);
            } else if (parts.length == 3 && List.of(parts[1].split(",")).contains("memory")) {
                addAll(groups, root, mounts, Version.ONE, parts[2]);
            }
        }
        return groups;
    }

    private static void addAll(
            List<MemoryGroup> groups,
            Path root,
            List<String> mounts,
            Version version,
            String path) {
        for (String mount : mounts) {
            // 36 35 98:0 /root/of/mount /mount/point options … - type source super-options
            String[] halves = mount.split(" - ", 2);
            String[] left = halves[0].split(" ");
            if (halves.length < 2 || left.length < 5 || !isOf(version, halves[1])) {
                continue;
            }
            Path top = root.resolve(left[4].substring(1));
            Path own = top.resolve(below(left[3], path)).normalize();
            for (Path group = own; group.startsWith(top); group = group.getParent()) {
                read(group, version).ifPresent(groups::add);
            }
            return;
        }
    }

    private static boolean isOf(Version version, String typeAndOptions) {
        String[] words = typeAndOptions.split(" ");
        return switch (version) {
            case ONE ->
                    words[0].equals("cgroup")
                            && List.of(words[words.length - 1].split(",")).contains("memory");
            case TWO -> words[0].equals("cgroup2");
        };
    }

    /**
     * A path as seen from a mount that shows a part of the hierarchy; its top where it does not.
     */
    private static String below(String mountRoot, String path) {
        if (mountRoot.equals("/")) {
            return path.substring(1);
        }
        return path.startsWith(mountRoot + "/") ? path.substring(mountRoot.length() + 1) : "";
    }

    private static Optional<MemoryGroup> read(Path group, Version version) {
        long limit = UNLIMITED;
        for (String file : version.limits) {
            limit = Math.min(limit, number(group.resolve(file), UNLIMITED));
        }
        if (limit >= UNLIMITED) {
            return Optional.empty();
        }
        long reclaimable = 0;
        for (String line : lines(group.resolve("memory.stat"))) {
            for (String key : version.reclaimable) {
                if (line.startsWith(key)) {
                    reclaimable += Long.parseLong(line.substring(key.length()));
                }
            }
        }
        long used = number(group.resolve(version.usage), 0);
        return Optional.of(new MemoryGroup(group.toString(), limit, used, reclaimable));
    }

    /** {@code max} and what cannot be read are the other value. */
    private static long number(Path file, long otherwise) {
        try {
            return Long.parseLong(lines(file).getFirst());
        } catch (NumberFormatException | NoSuchElementException absent) {
            return otherwise;
        }
    }

    private static List<String> lines(Path file) {
        try {
            return Files.readAllLines(file);
        } catch (IOException absent) {
            return List.of();
        }
    }
}
