package dev.kernelalloc.physical;

import java.util.List;
import java.util.Optional;

/**
 * Which backing served a block, and why no better one did.
 *
 * @param way the backing
 * @param declined the backings that were tried before it, in their order, or passed over for a
 *     reason
 * @param pin what holds the pages that were pinned; empty if none were, and for pages that never
 *     move without a pin
 */
public record Provenance(Way way, List<Declined> declined, Optional<PinMethod> pin) {

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
        String backing = way + pin.map(one -> ", pinned by " + one).orElse("");
        return declined.isEmpty() ? backing : backing + ", because " + declined;
    }
}
