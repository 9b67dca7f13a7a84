package dev.kernelalloc.soak;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A setting of the machine, which is changed back. */
final class Setting implements AutoCloseable {

    private final Path file;
    private final String before;

    Setting(String file) {
        this.file = Path.of(file);
        this.before = read();
    }

    static boolean isWritable(String file) {
        return Files.isWritable(Path.of(file));
    }

    long number() {
        return Long.parseLong(read());
    }

    private String read() {
        try {
            return Files.readString(file).strip();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    void set(long value) {
        set(Long.toString(value));
    }

    private void set(String value) {
        try {
            Files.writeString(file, value);
        } catch (IOException e) {
            throw new IllegalStateException(file + "=" + value, e);
        }
    }

    @Override
    public void close() {
        set(before);
    }
}
