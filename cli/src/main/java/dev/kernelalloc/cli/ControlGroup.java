package dev.kernelalloc.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A control group that this process is in, by itself or by a descendant.
 *
 * @param host that it is of
 * @param directory of its files
 * @param isVersion2 whether they are named as in version 2
 */
record ControlGroup(Host host, String directory, boolean isVersion2) {

    /** What version 1 shows instead of no limit is just below, a multiple of the page size. */
    private static final long UNLIMITED = 1L << 60;

    /**
     * The process's own group and every ancestor that it can see, the own one first.
     *
     * @param controller of version 1; in version 2 all stand in one hierarchy
     */
    static List<ControlGroup> visible(Host host, String controller) {
        List<ControlGroup> groups = new ArrayList<>();
        for (String line : host.lines("/proc/self/cgroup")) {
            String[] parts = line.split(":", 3); // hierarchy, controllers, path
            boolean version2 = parts[0].equals("0");
            if (parts.length == 3
                    && (version2 || List.of(parts[1].split(",")).contains(controller))) {
                addAncestors(groups, host, version2, controller, parts[2]);
            }
        }
        return groups;
    }

    private static void addAncestors(
            List<ControlGroup> groups,
            Host host,
            boolean version2,
            String controller,
            String path) {
        for (String mount : host.lines("/proc/self/mountinfo")) {
            // 36 35 98:0 /root/of/mount /mount/point options ... - type source super-options
            String[] halves = mount.split(" - ", 2);
            String[] left = halves[0].split(" ");
            String[] right = halves.length < 2 ? new String[] {""} : halves[1].split(" ");
            boolean matches =
                    version2
                            ? right[0].equals("cgroup2")
                            : right[0].equals("cgroup")
                                    && List.of(right[right.length - 1].split(","))
                                            .contains(controller);
            if (!matches || left.length < 5) {
                continue;
            }
            Path top = Path.of(left[4]);
            Path own = top.resolve(below(left[3], path)).normalize();
            for (Path group = own;
                    group != null && group.startsWith(top);
                    group = group.getParent()) {
                groups.add(new ControlGroup(host, group.toString(), version2));
            }
            return;
        }
    }

    /** A path as seen from a mount that shows a part of the hierarchy. */
    private static String below(String mountRoot, String path) {
        if (mountRoot.equals("/")) {
            return path.substring(1);
        }
        return path.startsWith(mountRoot + "/") ? path.substring(mountRoot.length() + 1) : "";
    }

    long memoryLimit() {
        return isVersion2
                ? Math.min(limit("memory.max"), limit("memory.high"))
                : limit("memory.limit_in_bytes");
    }

    long memoryUsed() {
        return host.number(directory + (isVersion2 ? "/memory.current" : "/memory.usage_in_bytes"))
                .orElse(0);
    }

    /**
     * Of pages of a pool.
     *
     * @param size as control groups write it, for example {@code 2MB}
     */
    long poolLimit(String size) {
        return limit("hugetlb.%s.%s".formatted(size, isVersion2 ? "max" : "limit_in_bytes"));
    }

    /** {@code Long.MAX_VALUE} when there is none, or it cannot be read. */
    private long limit(String file) {
        long limit = host.number(directory + "/" + file).orElse(Long.MAX_VALUE);
        return limit >= UNLIMITED ? Long.MAX_VALUE : limit;
    }

    boolean isTold() {
        return host.has(directory);
    }

    /** The name of the file that limits memory. */
    String memoryFile() {
        return directory + (isVersion2 ? "/memory.max" : "/memory.limit_in_bytes");
    }
}
