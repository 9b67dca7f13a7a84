package dev.kernelalloc.os;

import dev.kernelalloc.os.KernelFiles.Content;

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;

/**
 * The control groups that one controller counts this process in, as far as their files can be seen.
 *
 * @param groups the process's own and every visible ancestor, the own one first
 * @param unknown what could not be found out, one sentence each: a limit may be in force there
 * @param shortage whether a file could not be read only at this moment
 */
public record ControlGroups(List<Group> groups, List<String> unknown, boolean shortage) {

    static final String OWN = "/proc/self/cgroup";
    private static final String MOUNTS = "/proc/self/mountinfo";

    /** Without a limit version 1 reports slightly less than {@code Long.MAX_VALUE}. */
    private static final long UNLIMITED = 1L << 60;

    /**
     * The kernel has no longer path, so a file with one is damaged. With it the ancestors of a
     * group, each of which has a path, are bounded too.
     */
    private static final int PATH_MAX = 4096;

    /** The kernel appends this to the name of a removed group. */
    private static final String DELETED = " (deleted)";

    /**
     * A control group.
     *
     * @param files that it is read through
     * @param directory of its files, in bytes
     * @param isVersion2 whether they are named as in version 2
     */
    public record Group(KernelFiles files, String directory, boolean isVersion2) {

        /** The least of the limits in some files of it. */
        public Limit limit(String... names) {
            long least = UNLIMITED;
            Optional<String> unknown = Optional.empty();
            boolean shortage = false;
            for (String name : names) {
                String file = directory + "/" + name;
                Content content = files.readRecord(file);
                OptionalLong number = content.number();
                if (number.isPresent()) {
                    least = Math.min(least, number.getAsLong());
                } else if (!content.isAbsent() && !content.text().strip().equals("max")) {
                    unknown = Optional.of(unreadable(file, content));
                    shortage |= content.isTemporary();
                }
            }
            return new Limit(least < UNLIMITED ? least : Long.MAX_VALUE, unknown, shortage);
        }

        /** Whether its files are there. */
        public boolean isVisible() {
            return !files.read(directory + "/cgroup.procs", 1).isAbsent();
        }

        /** The number in one of its files; empty when there is none. */
        public OptionalLong number(String name) {
            return files.readRecord(directory + "/" + name).number();
        }

        /**
         * The sum of some counters in a file of lines {@code name number}; 0 for malformed ones.
         */
        public long sum(String name, List<String> counters) {
            Content content = files.readRecord(directory + "/" + name);
            long sum = 0;
            for (String counter : counters) {
                long value =
                        content.field(counter + " ")
                                .map(KernelFiles::number)
                                .orElse(OptionalLong.empty())
                                .orElse(0);
                sum = sum > Long.MAX_VALUE - value ? Long.MAX_VALUE : sum + value;
            }
            return sum;
        }

        /** Its directory for a message. */
        @Override
        public String toString() {
            return KernelFiles.shown(directory);
        }
    }

    /**
     * A limit of a group.
     *
     * @param bytes that it allows; {@link Long#MAX_VALUE} for any number
     * @param unknown why that may be wrong
     * @param shortage whether a file could not be read only at this moment
     */
    public record Limit(long bytes, Optional<String> unknown, boolean shortage) {

        /** Whether there is one. */
        public boolean isSet() {
            return bytes < Long.MAX_VALUE;
        }
    }

    /** The mount point of a hierarchy, and the part of it that is mounted; in bytes. */
    private record Mount(String root, String point) {

        /** A group as seen from here, without a slash at its beginning; empty when it is not. */
        Optional<String> below(String group) {
            String prefix = root.equals("/") ? "/" : root + "/";
            if (group.equals(root)) {
                return Optional.of("");
            }
            if (!group.startsWith(prefix)) {
                return Optional.empty();
            }
            String rest = group.substring(prefix.length());
            boolean outside = rest.equals("..") || rest.startsWith("../");
            return outside ? Optional.empty() : Optional.of(rest);
        }
    }

    /**
     * The groups of this process.
     *
     * @param controller for example {@code memory}
     */
    public static ControlGroups of(KernelFiles files, String controller) {
        Content own = files.read(OWN);
        List<String> hierarchies = new ArrayList<>();
        Content mounts =
                files.lines(
                        MOUNTS,
                        line -> {
                            if (line.contains(" - cgroup")) {
                                hierarchies.add(line);
                            }
                        });
        Search search = new Search(files, controller, hierarchies);
        if (!own.isRead()) {
            search.unread(OWN, own);
        } else if (!mounts.isRead()) {
            search.unread(MOUNTS, mounts);
        } else {
            search.run(own.lines());
        }
        return new ControlGroups(search.groups, search.unknown, search.shortage);
    }

    private static String unreadable(String file, Content content) {
        return KernelFiles.shown(file)
                + (content.isRead() ? " is malformed" : " cannot be read: " + content.failure());
    }

    private static final class Search {

        private final KernelFiles files;
        private final String controller;
        private final List<String> mounts;
        private final List<Group> groups = new ArrayList<>();
        private final List<String> unknown = new ArrayList<>();
        private final Set<String> seen = new HashSet<>();
        private boolean shortage;

        Search(KernelFiles files, String controller, List<String> mounts) {
            this.files = files;
            this.controller = controller;
            this.mounts = mounts;
        }

        private void unread(String file, Content content) {
            unknown.add(unreadable(file, content));
            shortage |= content.isTemporary();
        }

        /**
         * Version 2 has no limits for a controller that is mounted in version 1. The kernel lists
         * each hierarchy once.
         */
        private void run(List<String> own) {
            for (String line : own) {
                String[] parts = line.split(":", 3); // hierarchy, controllers, path
                if (parts.length == 3 && List.of(parts[1].split(",")).contains(controller)) {
                    add(false, parts[2]);
                    return;
                }
            }
            for (String line : own) {
                if (line.startsWith("0::")) {
                    add(true, line.substring("0::".length()));
                    return;
                }
            }
        }

        private void add(boolean version2, String name) {
            String group =
                    name.endsWith(DELETED)
                            ? name.substring(0, name.length() - DELETED.length())
                            : name;
            if (group.length() > PATH_MAX) {
                unknown.add(
                        String.format(
                                Locale.ROOT,
                                "%s is malformed: path of %d bytes",
                                OWN,
                                group.length()));
                return;
            }
            Collection<Mount> candidates = mounts(version2);
            boolean found = false;
            for (Mount mount : candidates) {
                Optional<String> below = mount.below(group);
                if (below.isPresent()) {
                    found = true;
                    addUpwards(mount, below.get(), version2);
                }
            }
            if (found) {
                return;
            }
            unknown.add(
                    String.format(
                            Locale.ROOT,
                            "this process is in the control group %s, of which %s: its limits are"
                                    + " unknown",
                            KernelFiles.shown(group),
                            candidates.isEmpty()
                                    ? "no hierarchy is mounted"
                                    : "nothing is mounted, so what is mounted stands for" + " it"));
            for (Mount mount : candidates) {
                addUpwards(mount, "", version2);
            }
        }

        /** Adds a group and its ancestors, each once even if two mounts show it. */
        private void addUpwards(Mount mount, String below, boolean version2) {
            String rest = below;
            while (true) {
                String directory = rest.isEmpty() ? mount.point : mount.point + "/" + rest;
                if (seen.add((mount.root.equals("/") ? "" : mount.root) + "/" + rest)) {
                    groups.add(new Group(files, directory, version2));
                }
                if (rest.isEmpty()) {
                    return;
                }
                rest = rest.substring(0, Math.max(0, rest.lastIndexOf('/')));
            }
        }

        /** Returns the first mount of each part of the hierarchy: a second one shows the same. */
        private Collection<Mount> mounts(boolean version2) {
            Map<String, Mount> found = new LinkedHashMap<>();
            for (String line : mounts) {
                // 36 35 98:0 /root/of/mount /mount/point options … - type source super-options
                String[] halves = line.split(" - ", 2);
                String[] left = halves[0].split(" ");
                if (halves.length == 2 && left.length >= 5 && isOf(version2, halves[1])) {
                    String root = unescaped(left[3]);
                    String point = unescaped(left[4]);
                    if (root.length() <= PATH_MAX && point.length() <= PATH_MAX) {
                        found.putIfAbsent(root, new Mount(root, point));
                    }
                }
            }
            return found.values();
        }

        private boolean isOf(boolean version2, String typeAndOptions) {
            String[] words = typeAndOptions.split(" ");
            return version2
                    ? words[0].equals("cgroup2")
                    : words[0].equals("cgroup")
                            && List.of(words[words.length - 1].split(",")).contains(controller);
        }

        /** Decodes white space and backslashes, which mountinfo writes as octal numbers. */
        private static String unescaped(String path) {
            StringBuilder unescaped = new StringBuilder();
            for (int i = 0; i < path.length(); i++) {
                if (path.startsWith("\\", i) && isOctal(path, i + 1)) {
                    unescaped.append((char) Integer.parseInt(path, i + 1, i + 4, 8));
                    i += 3;
                } else {
                    unescaped.append(path.charAt(i));
                }
            }
            return unescaped.toString();
        }

        private static boolean isOctal(String path, int from) {
            return from + 3 <= path.length()
                    && path.charAt(from) <= '3'
                    && path.substring(from, from + 3)
                            .chars()
                            .allMatch(digit -> digit >= '0' && digit <= '7');
        }
    }
}
