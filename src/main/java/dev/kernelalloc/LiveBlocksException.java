package dev.kernelalloc;

import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * Thrown if an allocator is closed while blocks of it are alive. The allocator is closed; the
 * blocks stay valid. The message has their number and the allocation sites of those that are
 * {@linkplain Tracking tracked}; {@link #groups} has the same for programs.
 */
public final class LiveBlocksException extends IllegalStateException {

    private static final long serialVersionUID = 1;

    /** More would hide the others. */
    private static final int MOST_GROUPS_SHOWN = 10;

    /**
     * Live owners of one kind with the same allocation site.
     *
     * @param kind the kind of the owners
     * @param place the allocation site, the nearest caller of the library first
     * @param owners the number of owners
     * @param bytes the bytes of all of them together
     */
    public record Group(
            LeakReport.Kind kind, List<StackTraceElement> place, long owners, long bytes) {

        private String shown() {
            return String.format(
                    Locale.ROOT,
                    "\n  %d × %s, %d bytes\n    made at %s",
                    owners,
                    kind.title(),
                    bytes,
                    LeakReport.shown(place));
        }
    }

    private final long blocks;
    private final long bytes;
    private final transient List<Group> groups;

    LiveBlocksException(
            String tag, long blocks, long bytes, Tracking tracking, List<Group> groups) {
        super(
                String.format(
                        Locale.ROOT,
                        "allocator '%s' is closed with %d live blocks (%d bytes): they stay valid"
                                + " until each is freed, or its box or arena closed. %s",
                        tag,
                        blocks,
                        bytes,
                        made(tracking, groups)));
        this.blocks = blocks;
        this.bytes = bytes;
        this.groups = List.copyOf(groups);
    }

    private static String made(Tracking tracking, List<Group> groups) {
        String known =
                groups.stream()
                        .limit(MOST_GROUPS_SHOWN)
                        .map(Group::shown)
                        .collect(Collectors.joining());
        String more =
                groups.size() > MOST_GROUPS_SHOWN
                        ? String.format(
                                Locale.ROOT,
                                "\n  and %d places more",
                                groups.size() - MOST_GROUPS_SHOWN)
                        : "";
        String tracked =
                switch (tracking) {
                    case ALL -> "Tracked are";
                    case SAMPLED -> "One in 1,024 is tracked, of these";
                    case OFF -> "Tracking is off, tracked are";
                };
        String advice =
                tracking == Tracking.ALL
                        ? ""
                        : String.format(
                                Locale.ROOT,
                                ": -D%s=all shows their allocation sites",
                                Tracking.PROPERTY);
        return groups.isEmpty() ? tracked + " none" + advice : tracked + ":" + known + more;
    }

    /**
     * Returns the number of live blocks.
     *
     * @return the number of blocks, at least 1
     */
    public long blocks() {
        return blocks;
    }

    /**
     * Returns the bytes of the live blocks.
     *
     * @return the number of bytes
     */
    public long bytes() {
        return bytes;
    }

    /**
     * Returns the tracked owners by kind and allocation site, most bytes first. An arena is one
     * owner of some blocks.
     *
     * @return the groups; empty if nothing is tracked, or if this exception was deserialized
     */
    public List<Group> groups() {
        return groups == null ? List.of() : groups;
    }
}
