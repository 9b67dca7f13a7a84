package dev.kernelalloc.physical;

/** What holds the pages of pinned memory, in the order in which the methods are tried. */
public enum PinMethod {
    /** A buffer registered with an io_uring of the process. */
    IO_URING("a registered io_uring buffer"),
    /** Memory registered with an AF_XDP socket, one for each pin of at most 1 GiB. */
    AF_XDP("memory registered with an AF_XDP socket");

    private final String text;

    PinMethod(String text) {
        this.text = text;
    }

    @Override
    public String toString() {
        return text;
    }
}
