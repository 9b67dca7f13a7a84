package dev.kernelalloc;

import java.util.List;
import java.util.Locale;

/**
 * Thrown if an allocator is closed while blocks of it are alive. The allocator is closed; the
 * blocks stay valid. The message has their number and the allocation sites of those that are
 * {@linkplain Tracking tracked}; {@link #groups} has the same for programs.
 */
public final class LiveBlocksException extends IllegalStateException {

    private static final long serialVersionUID = 1;

    /**
     * Live owners of one kind with the same allocation site.
     *
     * @param kind the kind of the owners
     * @param site the allocation site, the nearest caller of the library first
     * @param owners the number of owners
     * @param bytes the bytes of all of them together
     */
    public record Group(
            LeakReport.Kind kind, List<StackTraceElement> site, long owners, long bytes) {

        /** Returns the owners and their allocation site, in several lines. */
        @Override
        public String toString() {
            return String.format(
                    Locale.ROOT,
                    "%d × %s, %d bytes\n    made at %s",
                    owners,
                    kind.title(),
                    bytes,
                    LeakReport.shown(site));
        }
    }

    private final long blocks;
    private final long bytes;
    private final transient List<Group> groups;

    /**
     * Creates an exception.
     *
     * @param message the values and the remedy, for people
     * @param blocks the number of live blocks
     * @param bytes their total size in bytes
     * @param groups the tracked owners of these blocks
     */
    public LiveBlocksException(String message, long blocks, long bytes, List<Group> groups) {
        super(message);
        this.blocks = blocks;
        this.bytes = bytes;
        this.groups = List.copyOf(groups);
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
