package dev.kernelalloc.physical;

import java.util.List;

/**
 * How the pages of a block were obtained, and why no better way was taken.
 *
 * @param way that was taken
 * @param declined the ways that were tried before it, in their order, or passed over for a reason
 */
public record Provenance(Way way, List<Declined> declined) {

    /** Keeps a copy of the list. */
    public Provenance {
        declined = List.copyOf(declined);
    }

    /**
     * A way that was not taken.
     *
     * @param way that was not
     * @param why not, for a person to read
     */
    public record Declined(Way way, String why) {

        @Override
        public String toString() {
            return way + ": " + why;
        }
    }

    @Override
    public String toString() {
        return declined.isEmpty() ? way.toString() : way + ", because " + declined;
    }
}
