package dev.kernelalloc.testing.host;

/** The machine does not let itself be changed that way, or changed back. */
public final class HostException extends RuntimeException {

    private static final long serialVersionUID = 1;

    HostException(String message) {
        super(message);
    }
}
