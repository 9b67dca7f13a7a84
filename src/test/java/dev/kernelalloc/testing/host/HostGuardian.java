package dev.kernelalloc.testing.host;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Changes settings of the machine and changes them back: at its close, and also when this JVM is
 * killed. It is a process of its own, the shell program {@code src/test/sh/host-guardian}, in a
 * session of its own, which undoes everything, last change first, when its input ends.
 *
 * <p>A test has one for itself, closed at its end. Needs the JDK alone, so that a child JVM can
 * have one too.
 */
public final class HostGuardian implements AutoCloseable {

    private static final long SECONDS_TO_UNDO = 300;

    private final Process process;
    private final Writer requests;
    private final BufferedReader answers;

    private HostGuardian(Process process) {
        this.process = process;
        this.requests = process.outputWriter(StandardCharsets.UTF_8);
        this.answers = process.inputReader(StandardCharsets.UTF_8);
    }

    /** A guardian of no changes yet. */
    public static HostGuardian start() {
        return start(
                Path.of(System.getProperty("project.basedir"), "src", "test", "sh", "host-guardian")
                        .toString());
    }

    /** The same in a child JVM, which is told where the program is. */
    public static HostGuardian start(String program) {
        try {
            return new HostGuardian(
                    new ProcessBuilder("setsid", program).redirectErrorStream(true).start());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /**
     * Writes a value to a file, for as long as this lives.
     *
     * @return what the file held before
     * @throws HostException when the file refuses
     */
    public String set(Path file, Object value) {
        return ask("set " + file + " " + value);
    }

    /**
     * Makes a directory of a cgroup hierarchy, for as long as this lives: its processes are killed
     * at the end.
     *
     * @throws HostException when it cannot be made
     */
    public void make(Path cgroup) {
        ask("make " + cgroup);
    }

    private String ask(String request) {
        try {
            requests.write(request + "\n");
            requests.flush();
            String answer = answers.readLine();
            if (answer == null || !answer.startsWith("ok")) {
                throw new HostException(request + ": " + answer);
            }
            return answer.substring("ok".length()).strip();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /**
     * Undoes every change.
     *
     * @throws HostException when one could not be undone; the message says what is left to do
     */
    @Override
    public void close() {
        try {
            requests.close();
            List<String> left = answers.readAllLines();
            if (!process.waitFor(SECONDS_TO_UNDO, TimeUnit.SECONDS)) {
                throw new HostException("not yet undone after " + SECONDS_TO_UNDO + " s");
            }
            if (!left.isEmpty()) {
                throw new HostException(String.join("\n", left));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    /** The first line of a file of the kernel. */
    public static String read(Path file) {
        try {
            return Files.readString(file).strip();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A number that a file of the kernel holds. */
    public static long number(Path file) {
        return Long.parseLong(read(file));
    }
}
