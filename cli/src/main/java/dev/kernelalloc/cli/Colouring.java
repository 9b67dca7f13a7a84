package dev.kernelalloc.cli;

import java.util.Locale;

/** By what the runs of a picture get their colours. */
enum Colouring {
    /** How many bytes lie side by side. */
    LENGTH,
    /** The NUMA node. */
    NODE,
    /** The guarantees. */
    GUARANTEE;

    private static final long BASE_PAGE = 4L << 10;
    private static final long SMALL = 64L << 10;
    private static final long HUGE = 2L << 20;
    private static final long GIGANTIC = 1L << 30;

    /** Returns the property that runs of the same colour share. */
    String of(Run run) {
        return switch (this) {
            case LENGTH -> length(run.bytes());
            case NODE -> run.nodeText();
            case GUARANTEE -> run.guarantees();
        };
    }

    private static String length(long bytes) {
        if (bytes >= GIGANTIC) {
            return "1 GiB or longer";
        }
        if (bytes >= HUGE) {
            return "2 MiB or longer";
        }
        if (bytes >= SMALL) {
            return "64 KiB or longer";
        }
        return bytes > BASE_PAGE ? "shorter than 64 KiB" : "4 KiB or less";
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
