package dev.kernelalloc;

import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * Memory that nobody will give back, and who took it: what {@link PoolAllocator.Builder#onLeak
 * listeners} are told. The memory stays as it is; it is never freed behind anybody's back.
 *
 * @param kind what owned the memory
 * @param tag of its allocator
 * @param address where it starts; of an arena its first block, 0 where there is none
 * @param bytes how much it is, as asked for; of an arena all its blocks together
 * @param place the callers of the library that made it, the nearest first: all of them, or with
 *     {@link Tracking#SAMPLED} at most four
 * @param thread the name of the thread that owned it last
 * @param threadId that thread's {@link Thread#threadId}
 * @param threadEnded whether that thread has ended
 */
public record LeakReport(
        Kind kind,
        String tag,
        long address,
        long bytes,
        List<StackTraceElement> place,
        String thread,
        long threadId,
        boolean threadEnded) {

    private static final int MOST_CALLERS_SHOWN = 8;

    /** What can own memory. */
    public enum Kind {
        /** A {@link NativeBox}. */
        BOX("box", true, "close it with try, or detach() it and pass it on"),
        /** What {@link NativeBox#detach} or {@link SharedBox#detach} has returned. */
        HANDOFF("hand-off", false, "attach(), share() or discard() what detach() returns"),
        /** A {@link SharedBox}. */
        SHARED_BOX("shared box", false, "close it, and every lease of it"),
        /** A {@link Lease}; its memory is that of the shared box, which stays for it. */
        LEASE("lease", true, "close it with try: the memory of its shared box stays until then"),
        /**
         * A {@link NativeArray}, {@link NativeVec} or {@link NativeString}, or a builder of one.
         */
        CONTAINER("array, vec or string", true, "close it with try"),
        /** An arena of {@link KernelAllocator#arena}. */
        ARENA("arena", true, "close it with try"),
        /** An arena of {@link KernelAllocator#sharedArena}. */
        SHARED_ARENA("shared arena", false, "close it when no thread uses it any more"),
        /** A raw block; reported only when its allocator is closed. */
        RAW_BLOCK("raw block", false, "free() it"),
        /**
         * A {@link PoolAllocator} or {@link PhysicalAllocator}; its bytes are all that it has taken
         * from the system. What holds no live block of them goes back when the report is made.
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

        /** Whether its memory is counted among the live blocks of an allocator. */
        boolean ownsBlocks() {
            return this != LEASE && this != ALLOCATOR;
        }

        /** Whether it owns memory that a thread uses, rather than serving others with it. */
        boolean ownsMemory() {
            return this != ALLOCATOR;
        }

        boolean isConfined() {
            return confined;
        }

        String title() {
            return title;
        }
    }

    /**
     * For people: what was lost, who has made it, and what to do.
     *
     * @return some lines, the last without an end
     */
    @Override
    public String toString() {
        return String.format(
                Locale.ROOT,
                "lost: %s\n    made at %s\n    remedy: %s",
                what(),
                shown(place),
                kind.remedy);
    }

    /** The nearest callers, a line for each. */
    static String shown(List<StackTraceElement> place) {
        String callers =
                place.stream()
                        .limit(MOST_CALLERS_SHOWN)
                        .map(Object::toString)
                        .collect(Collectors.joining("\n            "));
        int more = place.size() - MOST_CALLERS_SHOWN;
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
                        ? "can be closed by nobody: its thread has ended,"
                        : "was dropped without being closed, last owned by",
                String.format(
                        Locale.ROOT, "%s (#%d)", thread.isEmpty() ? "a thread" : thread, threadId));
    }
}
