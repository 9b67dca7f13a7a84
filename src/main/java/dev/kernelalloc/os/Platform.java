package dev.kernelalloc.os;

/** The operating system this process runs on, chosen once. */
public final class Platform {

    private Platform() {}

    /**
     * The system; a constant for the JIT.
     *
     * @throws IllegalCallerException if this JVM denies native access to the library, telling the
     *     flag that grants it
     */
    public static OperatingSystem current() {
        if (!NativeAccess.GRANTED) {
            throw NativeAccess.denied();
        }
        return Chosen.SYSTEM;
    }

    private static final class Chosen {

        static final OperatingSystem SYSTEM = choose(System.getProperty("os.name"));

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
    }
}
