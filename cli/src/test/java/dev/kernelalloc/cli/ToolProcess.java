package dev.kernelalloc.cli;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * The built jar in a process of its own, as a user starts it: {@code java -jar}. A child compiles
 * little, because it soon ends; {@link #withoutFlags} leaves that out too.
 */
final class ToolProcess {

    private static final Duration TIME_LIMIT = Duration.ofMinutes(10);
    private static final String JAVA = System.getProperty("java.home") + "/bin/java";

    private final List<String> prefix = new ArrayList<>();
    private final List<String> flags =
            new ArrayList<>(List.of("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"));
    private final Map<String, String> environment = new HashMap<>();
    private Optional<Moment> interruption = Optional.empty();

    /** When the program is interrupted. */
    interface Moment {
        boolean isReached(Process process, Path out) throws IOException;
    }

    /** What came of it. */
    record Result(int exitCode, String out, String err) {

        List<String> lines() {
            return out.lines().toList();
        }
    }

    static Result run(String... arguments) {
        return new ToolProcess().start(arguments);
    }

    /** The same in this process, for what ends before anything is done. */
    static Result runHere(String... arguments) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        int exitCode =
                Tool.commandLine()
                        .setOut(new PrintWriter(out, true))
                        .setErr(new PrintWriter(err, true))
                        .execute(arguments);
        return new Result(exitCode, out.toString(), err.toString());
    }

    static Path jar() {
        return Path.of(System.getProperty("project.basedir", "."), "target/kernel-alloc-cli.jar");
    }

    static boolean isRoot() {
        return System.getProperty("user.name").equals("root");
    }

    /** A program that runs java, with its arguments. */
    ToolProcess under(String... command) {
        prefix.addAll(List.of(command));
        return this;
    }

    ToolProcess withoutFlags() {
        flags.clear();
        return this;
    }

    ToolProcess with(String... javaFlags) {
        flags.addAll(List.of(javaFlags));
        return this;
    }

    ToolProcess environment(String variable, String value) {
        environment.put(variable, value);
        return this;
    }

    /** Another user, who has no rights at all. */
    ToolProcess unprivileged() {
        if (!isRoot()) {
            return this;
        }
        assumeTrue(isInstalled("setpriv"), "skipped: needs setpriv (util-linux)");
        return under(
                "setpriv",
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
                "--inh-caps=-all",
                "--bounding-set=-all");
    }

    /**
     * Ends the program once by SIGTERM, which the JVM treats as it does Ctrl-C. SIGINT itself is
     * ignored in the children of a shell's background job.
     */
    ToolProcess interruptedWhen(Moment moment) {
        interruption = Optional.of(moment);
        return this;
    }

    static boolean isInstalled(String program) {
        return List.of(System.getenv("PATH").split(":")).stream()
                .anyMatch(directory -> Files.isExecutable(Path.of(directory, program)));
    }

    /** As a shell has it: words that stand for java and the jar. */
    String command(Path readableJar, String arguments) {
        return "%s %s -jar %s %s".formatted(JAVA, String.join(" ", flags), readableJar, arguments);
    }

    Result start(String... arguments) {
        return inReadableDirectory(
                directory -> {
                    List<String> command = new ArrayList<>(prefix);
                    command.add(JAVA);
                    command.addAll(flags);
                    command.addAll(List.of("-jar", directory.resolve("tool.jar").toString()));
                    command.addAll(List.of(arguments));
                    return start(command, directory);
                });
    }

    /** Runs a shell's command line, in which {@code TOOL} stands for the program. */
    Result shell(String line) {
        return inReadableDirectory(
                directory -> {
                    List<String> command = new ArrayList<>(prefix);
                    String tool = command(directory.resolve("tool.jar"), "").strip();
                    command.addAll(List.of("bash", "-c", line.replace("TOOL", tool)));
                    return start(command, directory);
                });
    }

    private interface Body {
        Result in(Path directory) throws IOException, InterruptedException;
    }

    private static Result inReadableDirectory(Body body) {
        try {
            Path directory =
                    Files.createTempDirectory(
                            "kernel-alloc-cli",
                            PosixFilePermissions.asFileAttribute(
                                    PosixFilePermissions.fromString("rwxr-xr-x")));
            try {
                Path copy = Files.copy(jar(), directory.resolve("tool.jar"));
                Files.setPosixFilePermissions(copy, PosixFilePermissions.fromString("rw-r--r--"));
                return body.in(directory);
            } finally {
                try (var files = Files.list(directory)) {
                    for (Path file : files.toList()) {
                        Files.delete(file);
                    }
                }
                Files.delete(directory);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private Result start(List<String> command, Path directory)
            throws IOException, InterruptedException {
        Path out = directory.resolve("out");
        Path err = directory.resolve("err");
        ProcessBuilder builder =
                new ProcessBuilder(command)
                        .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
                        .redirectOutput(out.toFile())
                        .redirectError(err.toFile());
        builder.environment().keySet().removeAll(List.of("NO_COLOR", "CLICOLOR_FORCE"));
        builder.environment().keySet().removeAll(List.of("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS"));
        builder.environment().put("TERM", "xterm");
        builder.environment().putAll(environment);
        Process process = builder.start();
        if (interruption.isPresent()) {
            while (!interruption.get().isReached(process, out)
                    && !process.waitFor(10, TimeUnit.MILLISECONDS)) {
                // not yet
            }
            process.destroy();
        }
        if (!process.waitFor(TIME_LIMIT.toSeconds(), TimeUnit.SECONDS)) {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly().waitFor();
            throw new AssertionError(
                    "still running after %s: %s%n%s".formatted(TIME_LIMIT, command, read(out)));
        }
        return new Result(process.exitValue(), read(out), read(err));
    }

    private static String read(Path file) throws IOException {
        return new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
    }
}
