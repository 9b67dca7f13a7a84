package dev.kernelalloc.core;

import dev.kernelalloc.LiveBlocksException;
import dev.kernelalloc.Tracking;
import dev.kernelalloc.leak.TrackingProperty;

import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/** The text of a {@link LiveBlocksException}. */
public final class LiveBlocksMessage {

    /** More would hide the others. */
    private static final int MOST_GROUPS_SHOWN = 10;

    private LiveBlocksMessage() {}

    static LiveBlocksException exception(
            String tag,
            long blocks,
            long bytes,
            Tracking tracking,
            List<LiveBlocksException.Group> groups) {
        String message =
                String.format(
                        Locale.ROOT,
                        "allocator '%s' is closed with %d live blocks (%d bytes): they stay valid"
                                + " until each is freed, or its box or arena closed. %s",
                        tag,
                        blocks,
                        bytes,
                        made(tracking, groups));
        return new LiveBlocksException(message, blocks, bytes, groups);
    }

    private static String made(Tracking tracking, List<LiveBlocksException.Group> groups) {
        String known =
                groups.stream()
                        .limit(MOST_GROUPS_SHOWN)
                        .map(group -> "\n  " + group)
                        .collect(Collectors.joining());
        String more =
                groups.size() > MOST_GROUPS_SHOWN
                        ? String.format(
                                Locale.ROOT,
                                "\n  and %d more sites",
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
                                TrackingProperty.NAME);
        return groups.isEmpty() ? tracked + " none" + advice : tracked + ":" + known + more;
    }
}
