package dev.kernelalloc.benchmarks;

import java.io.IOException;
import java.io.Serial;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** A process that is waited for, but not for ever: what does not end is a result too. */
final class Subprocess {

    /** Several times what the slowest of them takes on a loaded machine. */
    private static final long LIMIT_SECONDS = 180;

    private Subprocess() {}

    /** Returns the output of the process. Its error output goes to ours. */
    static List<String> lines(List<String> command, Map<String, String> environment)
            throws IOException, InterruptedException {
        return lines(command, environment, ProcessBuilder.Redirect.INHERIT);
    }

    /** The same of a process whose complaints are expected. */
    static List<String> linesOfProbe(List<String> command, Map<String, String> environment)
            throws IOException, InterruptedException {
        return lines(command, environment, ProcessBuilder.Redirect.DISCARD);
    }

    private static List<String> lines(
            List<String> command,
            Map<String, String> environment,
            ProcessBuilder.Redirect complaints)
            throws IOException, InterruptedException {
        Path output = Files.createTempFile("benchmark", ".txt");
        try {
            ProcessBuilder builder = new ProcessBuilder(command);
            builder.environment().putAll(environment);
            builder.redirectOutput(output.toFile()).redirectError(complaints);
            await(start(builder), command);
            return Files.readAllLines(output, StandardCharsets.UTF_8);
        } finally {
            Files.deleteIfExists(output);
        }
    }

    private static Process start(ProcessBuilder builder) throws CannotStart {
        try {
            return builder.start();
        } catch (IOException e) {
            throw new CannotStart(e);
        }
    }

    private static void await(Process process, List<String> command)
            throws IOException, InterruptedException {
        try {
            if (!process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)) {
                throw new IOException(
                        "did not end in %d s: %s"
                                .formatted(LIMIT_SECONDS, String.join(" ", command)));
            }
        } finally {
            process.destroyForcibly();
        }
        if (process.exitValue() != 0) {
            throw new IOException(
                    "exit value %d: %s".formatted(process.exitValue(), String.join(" ", command)));
        }
    }

    /** There is no such program. */
    static final class CannotStart extends IOException {
        @Serial private static final long serialVersionUID = 1;

        CannotStart(IOException cause) {
            super(cause.getMessage(), cause);
        }
    }
}
