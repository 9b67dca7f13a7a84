package dev.kernelalloc.physical;

/**
 * A guarantee that memory had when it was handed out, and does not have any more: other code of the
 * process, or its owner, has undone what made it hold. It does not come back.
 *
 * @param guarantee that was lost
 * @param virtualAddress of the first page that lacks it
 * @param pages how many pages lack it, of the base size
 * @param finding what was found, for a person to read
 */
public record LostGuarantee(Guarantee guarantee, long virtualAddress, long pages, String finding) {}
