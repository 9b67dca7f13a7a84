package dev.kernelalloc;

import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * A report about memory whose owner can no longer be closed, passed to {@link
 * PoolAllocator.Builder#onLeak listeners}. The memory stays allocated; it is never freed
 * implicitly.
 *
 * @param kind the kind of owner
 * @param tag the tag of its allocator
 * @param address the address of the memory; of an arena its first block, 0 if there is none
 * @param bytes the requested size; of an arena all its blocks together
 * @param site the allocation site, the nearest caller of the library first: all callers, or with
 *     {@link Tracking#SAMPLED} at most four
 * @param thread the name of the last owner's thread
 * @param threadId that thread's {@link Thread#threadId}
 * @param threadEnded whether that thread has ended
 */
public record LeakReport(
        Kind kind,
        String tag,
        long address,
        long bytes,
        List<StackTraceElement> site,
        String thread,
        long threadId,
        boolean threadEnded) {

    private static final int MOST_CALLERS_SHOWN = 8;

    /** The kinds of owners. */
    public enum Kind {
        /** A {@link NativeBox}. */
        BOX("box", true, "close it with try, or detach() it and pass it on"),
        /** The result of {@link NativeBox#detach} or {@link SharedBox#detach}. */
        HANDOFF("hand-off", false, "attach(), share() or discard() the result of detach()"),
        /** A {@link SharedBox}. */
        SHARED_BOX("shared box", false, "close it, and every lease of it"),
        /** A {@link Lease}; its memory is that of the shared box, which the lease keeps alive. */
        LEASE("lease", true, "close it with try: the memory of its shared box stays until then"),
        /**
         * A {@link NativeArray}, {@link NativeVec} or {@link NativeString}, or a builder of one.
         */
        CONTAINER("array, vec or string", true, "close it with try"),
        /** An arena of {@link KernelAllocator#arena}. */
        ARENA("arena", true, "close it with try"),
        /** An arena of {@link KernelAllocator#sharedArena}. */
        SHARED_ARENA("shared arena", false, "close it when no thread uses it"),
        /** A raw block; reported only when its allocator is closed. */
        RAW_BLOCK("raw block", false, "free() it"),
        /**
         * A {@link PoolAllocator} or {@link PhysicalAllocator}; its bytes are all that it has taken
         * from the system. Memory without a live block is returned when the report is made.
         */
        ALLOCATOR("allocator", false, "close() it");

        private final String title;

        /** Whether no other thread than its owner can end it. */
        private final boolean confined;

        private final String remedy;

        Kind(String title, boolean confined, String remedy) {
            this.title = title;
            this.confined = confined;
            this.remedy = remedy;
        }

        /**
         * Returns whether only one thread can end such an owner.
         *
         * @return false if any thread can
         */
        public boolean isConfined() {
            return confined;
        }

        /**
         * Returns the name of the kind, for people.
         *
         * @return a noun, such as {@code box}
         */
        public String title() {
            return title;
        }
    }

    /**
     * Describes for people what was lost, its allocation site, and the remedy.
     *
     * @return some lines, the last without a line separator
     */
    @Override
    public String toString() {
        return String.format(
                Locale.ROOT,
                "lost: %s\n    made at %s\n    remedy: %s",
                what(),
                shown(site),
                kind.remedy);
    }

    /** The nearest callers, a line for each. */
    static String shown(List<StackTraceElement> site) {
        String callers =
                site.stream()
                        .limit(MOST_CALLERS_SHOWN)
                        .map(Object::toString)
                        .collect(Collectors.joining("\n            "));
        int more = site.size() - MOST_CALLERS_SHOWN;
        return callers
                + (more > 0
                        ? String.format(Locale.ROOT, "\n            and %d callers more", more)
                        : "");
    }

    private String what() {
        return String.format(
                Locale.ROOT,
                "%s of '%s', %s%d bytes, %s %s",
                kind.title,
                tag,
                address == 0 ? "" : String.format(Locale.ROOT, "at 0x%x, ", address),
                bytes,
                threadEnded && kind.confined
                        ? "can no longer be closed: its thread has ended,"
                        : "was dropped without being closed, last owned by",
                String.format(
                        Locale.ROOT, "%s (#%d)", thread.isEmpty() ? "a thread" : thread, threadId));
    }
}
