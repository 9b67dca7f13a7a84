package dev.kernelalloc.testing.host;

import static org.junit.jupiter.api.Assumptions.abort;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The kernel's merging of equal pages (KSM), for mappings that ask for it: those of a test alone,
 * which is skipped where others merge already.
 */
public final class Merging {

    private static final Path KSM = Path.of("/sys/kernel/mm/ksm");
    private static final int PAGES_AT_ONCE = 50_000;
    private static final int PR_SET_MEMORY_MERGE = 67;

    private Merging() {}

    /** Switches it on, and fast, until the guardian is closed. */
    public static void start(HostGuardian guardian) {
        if (!Files.isWritable(KSM.resolve("run")) || isOn()) {
            System.out.println("skipped: this kernel cannot merge pages, or does so for others");
            abort("skipped: this kernel cannot merge pages, or does so for others");
        }
        guardian.set(KSM.resolve("pages_to_scan"), PAGES_AT_ONCE);
        guardian.set(KSM.resolve("sleep_millisecs"), 1);
        guardian.set(KSM.resolve("run"), 1);
    }

    /** Whether the kernel merges now. */
    public static boolean isOn() {
        return HostGuardian.number(KSM.resolve("run")) == 1;
    }

    /** How often all has been scanned. */
    public static long fullScans() {
        return HostGuardian.number(KSM.resolve("full_scans"));
    }

    /** Asks for the merging of all mappings of this process that can be, now and later. */
    @SuppressWarnings("restricted")
    public static void ofThisProcess() {
        Linker linker = Linker.nativeLinker();
        MethodHandle prctl =
                linker.downcallHandle(
                        linker.defaultLookup().findOrThrow("prctl"),
                        FunctionDescriptor.of(
                                JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG),
                        Linker.Option.firstVariadicArg(1));
        try {
            if ((int) prctl.invokeExact(PR_SET_MEMORY_MERGE, 1L, 0L, 0L, 0L) != 0) {
                throw new AssertionError("prctl: a kernel before 6.4, or without KSM");
            }
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }
}
