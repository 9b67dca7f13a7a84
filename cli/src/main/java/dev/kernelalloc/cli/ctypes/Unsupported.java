package dev.kernelalloc.cli.ctypes;

/** A struct that has no declaration in Java; the message names the member and the reason. */
public final class Unsupported extends Exception {

    private static final long serialVersionUID = 1;

    Unsupported(String message) {
        super(message);
    }
}
