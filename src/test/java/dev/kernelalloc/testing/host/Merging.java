package dev.kernelalloc.testing.host;

import static org.junit.jupiter.api.Assumptions.abort;

import dev.kernelalloc.testing.ProcessSettings;

import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The kernel's merging of equal pages (KSM), for mappings that ask for it: those of a test alone,
 * which is skipped where others merge already.
 */
public final class Merging {

    private static final Path KSM = Path.of("/sys/kernel/mm/ksm");
    private static final int PAGES_AT_ONCE = 50_000;

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
    public static void ofThisProcess() {
        if (!ProcessSettings.mergeEverything()) {
            throw new AssertionError("prctl: a kernel before 6.4, or without KSM");
        }
    }
}
