package dev.kernelalloc.physical;

import java.util.List;
import java.util.Optional;

/**
 * What a look at the page map has found, compared with what was resolved before.
 *
 * @param checkedPages how many pages of the base size were compared
 * @param drifts the pages that differ
 * @param unverifiable why pages could not be compared; empty when all were
 */
public record Verification(long checkedPages, List<Drift> drifts, Optional<String> unverifiable) {

    /** Keeps a copy of the list. */
    public Verification {
        drifts = List.copyOf(drifts);
    }

    /** What is known now. */
    public enum Verdict {
        /** Every page was compared, and lies where it did. */
        CONFIRMED,
        /** A page does not. */
        DRIFTED,
        /** The right to see frames is missing, in part or as a whole: nothing is known. */
        NOT_VERIFIABLE
    }

    /**
     * The short answer.
     *
     * @return the verdict; {@link Verdict#DRIFTED} also where other pages could not be compared
     */
    public Verdict verdict() {
        if (!drifts.isEmpty()) {
            return Verdict.DRIFTED;
        }
        return unverifiable.isPresent() ? Verdict.NOT_VERIFIABLE : Verdict.CONFIRMED;
    }
}
