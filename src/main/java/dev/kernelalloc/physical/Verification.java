package dev.kernelalloc.physical;

import java.util.List;
import java.util.Optional;

/**
 * What an audit of memory has found: where its pages lie, compared with what was resolved before,
 * and whether each guarantee still holds.
 *
 * @param checkedPages how many pages of the base size were compared
 * @param drifts the pages that differ
 * @param lost the guarantees that do not hold any more, those found lost before included
 * @param unverifiable why pages or guarantees could not be checked; empty when all were
 */
public record Verification(
        long checkedPages,
        List<Drift> drifts,
        List<LostGuarantee> lost,
        Optional<String> unverifiable) {

    /** Keeps copies of the lists. */
    public Verification {
        drifts = List.copyOf(drifts);
        lost = List.copyOf(lost);
    }

    /** What is known now. */
    public enum Verdict {
        /** Every page was compared and lies where it did, and every guarantee holds. */
        CONFIRMED,
        /** A page does not lie where it did; every guarantee that could be checked holds. */
        DRIFTED,
        /** A guarantee was lost, now or before. */
        BROKEN,
        /** Nothing wrong was found, but something could not be checked. */
        NOT_VERIFIABLE
    }

    /**
     * Returns the short answer.
     *
     * @return the first that applies: {@link Verdict#BROKEN}, {@link Verdict#DRIFTED}, {@link
     *     Verdict#NOT_VERIFIABLE}, {@link Verdict#CONFIRMED}
     */
    public Verdict verdict() {
        if (!lost.isEmpty()) {
            return Verdict.BROKEN;
        }
        if (!drifts.isEmpty()) {
            return Verdict.DRIFTED;
        }
        return unverifiable.isPresent() ? Verdict.NOT_VERIFIABLE : Verdict.CONFIRMED;
    }
}
