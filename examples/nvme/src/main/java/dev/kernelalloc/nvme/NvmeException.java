package dev.kernelalloc.nvme;

import java.util.Locale;

/** Thrown when the controller has refused a command or could not execute it. */
public final class NvmeException extends RuntimeException {

    private static final long serialVersionUID = 1;

    private final int status;

    /**
     * Creates an exception.
     *
     * @param status the status field, section 4.6.1, without the phase: bits 7 to 0 are the code,
     *     bits 10 to 8 the type
     */
    public NvmeException(int status) {
        super(
                String.format(
                        Locale.ROOT,
                        "the command failed: type=%d code=0x%02x (%s)",
                        status >>> 8 & 7,
                        status & 0xff,
                        explain(status)));
        this.status = status;
    }

    /**
     * Returns the status field.
     *
     * @return as given to the constructor
     */
    public int status() {
        return status;
    }

    /**
     * Throws unless a command succeeded.
     *
     * @param status the status field
     * @throws NvmeException unless it is 0
     */
    public static void requireSuccess(int status) {
        if (status != 0) {
            throw new NvmeException(status);
        }
    }

    /** Returns the text for a code of 4.6.1 that a correct driver may encounter. */
    private static String explain(int status) {
        return switch (status & 0x7ff) {
            case 0x001 -> "invalid command opcode";
            case 0x002 -> "invalid field in command";
            case 0x004 -> "data transfer error";
            case 0x005 -> "aborted by loss of power";
            case 0x006 -> "internal error";
            case 0x007 -> "aborted by request";
            case 0x008 -> "aborted, its submission queue was deleted";
            case 0x00b -> "invalid namespace or format";
            case 0x013 -> "invalid offset of a PRP";
            case 0x080 -> "beyond the last logical block";
            case 0x082 -> "namespace not ready";
            case 0x101 -> "invalid queue identifier";
            case 0x102 -> "invalid queue size";
            case 0x280 -> "write fault";
            case 0x281 -> "unrecovered read error";
            default -> "see section 4.6.1 of the specification";
        };
    }
}
