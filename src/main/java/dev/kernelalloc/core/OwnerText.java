package dev.kernelalloc.core;

import java.lang.foreign.MemorySegment;
import java.util.Locale;
import java.util.function.Supplier;

/** Descriptions of owners for people: of those that cannot be read, the location of the memory. */
public final class OwnerText {

    private static final String WAS = "closed, was ";

    private OwnerText() {}

    /**
     * Describes an owner as the calling thread sees it.
     *
     * @param name the name of the owner
     * @param type the type in it, named where the contents are not; empty for none
     * @param segment a segment that lives as long as the owner
     * @param contents called only if they may be read
     * @param location the address, the size and the guarantee of the memory
     */
    public static String of(
            String name,
            String type,
            MemorySegment segment,
            Supplier<String> contents,
            String location) {
        if (!segment.scope().isAlive()) {
            return closed(name, type, location);
        }
        return segment.isAccessibleBy(Thread.currentThread())
                ? open(name, contents.get(), location)
                : ofAnotherThread(name, type, location);
    }

    /**
     * Describes the memory of an owner.
     *
     * @param guarantee of its pages; empty for none
     */
    public static String location(long address, long bytes, String guarantee) {
        String location = String.format(Locale.ROOT, "at 0x%x, %d bytes", address, bytes);
        return guarantee.isEmpty() ? location : location + ", " + guarantee;
    }

    /** Describes an owner that can be read. */
    public static String open(String name, String contents, String location) {
        return String.format(Locale.ROOT, "%s[%s, %s]", name, contents, location);
    }

    /** Describes an owner that has ended. */
    public static String closed(String name, String type, String location) {
        return String.format(Locale.ROOT, "%s[%s%s]", named(name, type), WAS, location);
    }

    /** Describes an owner that the calling thread must not read. */
    public static String ofAnotherThread(String name, String type, String location) {
        return String.format(Locale.ROOT, "%s[of another thread, %s]", named(name, type), location);
    }

    /**
     * Describes an owner whose memory is leased.
     *
     * @param closed whether it has ended
     * @param leases the leases that are open
     */
    public static String shared(
            String name, String contents, boolean closed, String location, long leases) {
        return String.format(
                Locale.ROOT,
                "%s[%s, %s%s, %d leases]",
                name,
                contents,
                closed ? WAS : "",
                location,
                leases);
    }

    /**
     * Describes an owner whose memory is leased and whose location is not shown.
     *
     * @param lease takes a lease and ends it, or throws {@link IllegalStateException}
     * @param leases the leases that are open
     */
    public static String shared(String name, String contents, Runnable lease, long leases) {
        String state = "";
        try {
            lease.run();
        } catch (IllegalStateException _) {
            state = "closed, ";
        }
        return String.format(Locale.ROOT, "%s[%s, %s%d leases]", name, contents, state, leases);
    }

    private static String named(String name, String type) {
        return type.isEmpty() ? name : name + '<' + type + '>';
    }
}
