package dev.kernelalloc.physical;

import java.util.List;
import java.util.Optional;

/**
 * Which backing served a block, and why no better one did.
 *
 * @param backing the backing
 * @param declined the backings that were tried before it, in their order, or passed over for a
 *     reason
 * @param pin what holds the pages that were pinned; empty if none were, and for pages that never
 *     move without a pin
 */
public record Provenance(Backing backing, List<Declined> declined, Optional<PinMethod> pin) {

    /** Copies the list. */
    public Provenance {
        declined = List.copyOf(declined);
    }

    /**
     * A backing that was not taken.
     *
     * @param backing the backing
     * @param reason the reason, for people
     */
    public record Declined(Backing backing, String reason) {

        @Override
        public String toString() {
            return backing + ": " + reason;
        }
    }

    @Override
    public String toString() {
        String served = backing + pin.map(one -> ", pinned by " + one).orElse("");
        return declined.isEmpty() ? served : served + ", because " + declined;
    }
}
