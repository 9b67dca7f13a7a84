package dev.kernelalloc.physical;

/**
 * A guarantee that memory had when it was handed out and has lost: other code of the process, or
 * its owner, has undone its basis. It does not return.
 *
 * @param guarantee the lost guarantee
 * @param virtualAddress the address of the first page that lacks it
 * @param pages the number of base pages that lack it
 * @param finding the finding, as text for people
 */
public record LostGuarantee(Guarantee guarantee, long virtualAddress, long pages, String finding) {}
