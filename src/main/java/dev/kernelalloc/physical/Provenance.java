package dev.kernelalloc.physical;

import java.util.List;

/**
 * Which backing served a block, and why no better one did.
 *
 * @param way the backing
 * @param declined the backings that were tried before it, in their order, or passed over for a
 *     reason
 */
public record Provenance(Way way, List<Declined> declined) {

    /** Copies the list. */
    public Provenance {
        declined = List.copyOf(declined);
    }

    /**
     * A backing that was not taken.
     *
     * @param way the backing
     * @param why the reason, for people
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
