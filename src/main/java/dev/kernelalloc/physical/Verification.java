package dev.kernelalloc.physical;

import java.util.List;
import java.util.Optional;

/**
 * The findings of an audit: the addresses of pages, compared with those resolved before, and
 * whether each guarantee still holds.
 *
 * @param checkedPages the number of base pages compared
 * @param drifts the pages that differ
 * @param lost the guarantees that no longer hold, including those found lost before
 * @param unverifiable why pages or guarantees could not be checked; empty if all were
 */
public record Verification(
        long checkedPages,
        List<Drift> drifts,
        List<LostGuarantee> lost,
        Optional<String> unverifiable) {

    /** Copies the lists. */
    public Verification {
        drifts = List.copyOf(drifts);
        lost = List.copyOf(lost);
    }

    /** The verdict of an audit. */
    public enum Verdict {
        /** Every page was compared and has not moved, and every guarantee holds. */
        CONFIRMED,
        /** A page has moved; every guarantee that could be checked holds. */
        DRIFTED,
        /** A guarantee was lost, now or before. */
        BROKEN,
        /** Nothing wrong was found, but something could not be checked. */
        NOT_VERIFIABLE
    }

    /**
     * Returns the verdict.
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
