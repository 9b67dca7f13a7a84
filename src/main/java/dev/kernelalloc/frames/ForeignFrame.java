package dev.kernelalloc.frames;

import dev.kernelalloc.physical.FrameFlag;
import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.physical.PhysicalAddressException.Reason;

import java.util.Locale;

/**
 * The record of a frame that the page map shows for a page but that is not the page's own: merged
 * with equal pages, broken, offline, or mapped elsewhere as well. The page map cannot show this: it
 * reports a merged frame as exclusive while a single page is left in it.
 *
 * @param flags the flags of the frame, from kpageflags
 * @param count the number of mappings, from kpagecount
 */
record ForeignFrame(long flags, long count) {

    /** A frame with one of these is not a live page of ours. */
    private static final long FOREIGN =
            bit(FrameFlag.BUDDY)
                    | bit(FrameFlag.NOPAGE)
                    | bit(FrameFlag.ZERO_PAGE)
                    | bit(FrameFlag.KSM)
                    | bit(FrameFlag.HWPOISON)
                    | bit(FrameFlag.OFFLINE);

    static long bit(FrameFlag flag) {
        return 1L << flag.bit();
    }

    /**
     * Returns whether a frame with that record is not its page's own.
     *
     * @param ofNobodyElse whether no other mapping is allowed
     */
    static boolean isForeign(long flags, long count, boolean ofNobodyElse) {
        return (flags & FOREIGN) != 0 || ofNobodyElse && count != 1;
    }

    String finding() {
        return String.format(
                Locale.ROOT,
                "its frame is not its own: kpageflags 0x%x, mapped %d times (kpagecount)",
                flags,
                count);
    }

    /** Explains why the page has no address that can be relied upon. */
    PhysicalAddressException absenceOf(long pageAddress) {
        return new PhysicalAddressException(
                reason(),
                String.format(
                        Locale.ROOT,
                        "no physical address: the page at 0x%x was audited, and %s",
                        pageAddress,
                        finding()));
    }

    private Reason reason() {
        if ((flags & bit(FrameFlag.ZERO_PAGE)) != 0) {
            return Reason.ZERO_PAGE;
        }
        boolean shared = (flags & FOREIGN & ~bit(FrameFlag.KSM)) == 0;
        return shared ? Reason.SHARED : Reason.NOT_PRESENT;
    }
}
