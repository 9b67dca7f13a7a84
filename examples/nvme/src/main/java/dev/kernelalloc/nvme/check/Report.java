package dev.kernelalloc.nvme.check;

/** Prints findings with their times, and ends a check at the first error. */
final class Report {

    private final String check;
    private final long start = System.nanoTime();

    Report(String check) {
        this.check = check;
    }

    void note(String text) {
        IO.println("%s %5.1f s: %s".formatted(check, (System.nanoTime() - start) / 1e9, text));
    }

    void check(String text, boolean holds) {
        if (!holds) {
            throw new IllegalStateException(check + ": wrong: " + text);
        }
        note(text);
    }
}
