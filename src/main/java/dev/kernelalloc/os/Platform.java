package dev.kernelalloc.os;

import dev.kernelalloc.bulk.Headroom;

import org.jspecify.annotations.Nullable;

import java.util.Objects;

/** The operating system this process runs on, chosen once. */
public final class Platform {

    /** Chosen outside a static initializer, so that what fails once can be tried again. */
    private static volatile @Nullable OperatingSystem chosen;

    private Platform() {}

    /**
     * The system; a constant for the JIT.
     *
     * @throws IllegalCallerException if this JVM denies native access to the library, telling the
     *     flag that grants it
     * @throws StackOverflowError at the first use, when there is no room for it; nothing has
     *     changed then
     * @throws OutOfMemoryError in the same way
     */
    public static OperatingSystem current() {
        if (chosen == null) {
            choose();
        }
        return Chosen.SYSTEM;
    }

    /**
     * Makes sure at the first use that there is room for what it initialises; otherwise as {@link
     * #current()}, without a look at native access.
     */
    public static void requireHeadroom() {
        if (chosen == null) {
            Headroom.require();
        }
    }

    private static synchronized void choose() {
        if (chosen == null) {
            Headroom.require();
            if (!NativeAccess.isGranted()) {
                throw NativeAccess.denied();
            }
            chosen = choose(System.getProperty("os.name"));
        }
    }

    private static OperatingSystem choose(String name) {
        if (name.equals("Linux")) {
            return new Linux();
        }
        if (name.startsWith("Mac")) {
            return new MacOs();
        }
        if (name.startsWith("Windows")) {
            return new Windows();
        }
        return new HeapOnly();
    }

    private static final class Chosen {
        static final OperatingSystem SYSTEM = Objects.requireNonNull(chosen);
    }
}
