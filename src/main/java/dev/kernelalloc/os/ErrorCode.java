package dev.kernelalloc.os;

/**
 * A system error code with its name.
 *
 * @param number the value of {@code errno} or {@code GetLastError}
 * @param name its symbolic name, for example {@code "ENOMEM"}
 */
public record ErrorCode(int number, String name) {

    @Override
    public String toString() {
        return name + " (" + number + ")";
    }
}
