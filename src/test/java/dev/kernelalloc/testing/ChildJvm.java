package dev.kernelalloc.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * Runs a main class of the tests in a Java of its own, for what only a process can show: flags,
 * limits, user ids, crashes.
 *
 * <p>The child gets copies of the compiled classes that every user may read, and nothing else on
 * its path; so a main class uses the library and the JDK alone. Streams are merged, and what the
 * child prints is what {@link Result#output} holds.
 */
public final class ChildJvm {

    private static final Duration TIME_LIMIT = Duration.ofMinutes(10);
    private static final String MODULE = "dev.kernelalloc";

    private final boolean onModulePath;
    private final List<String> prefix = new ArrayList<>();
    private final List<String> flags = new ArrayList<>();

    private ChildJvm(boolean onModulePath) {
        this.onModulePath = onModulePath;
    }

    /** A child that has the library on its module path, as a named module. */
    public static ChildJvm onModulePath() {
        return new ChildJvm(true);
    }

    /** A child that has the library on its class path, in the unnamed module. */
    public static ChildJvm onClassPath() {
        return new ChildJvm(false);
    }

    /** A program that runs the child, such as prlimit(1), with its arguments. */
    public ChildJvm under(String... command) {
        prefix.addAll(List.of(command));
        return this;
    }

    /** Flags for java. */
    public ChildJvm with(String... javaFlags) {
        flags.addAll(List.of(javaFlags));
        return this;
    }

    /** Grants the library native access, by the flag that fits its path. */
    public ChildJvm withNativeAccess() {
        return with("--enable-native-access=" + (onModulePath ? MODULE : "ALL-UNNAMED"));
    }

    /**
     * Drops all rights: another user, and no capabilities. Root does that with setpriv(1), or the
     * test reports itself skipped; a user who has none needs nothing.
     */
    public ChildJvm unprivileged() {
        if (!System.getProperty("user.name").equals("root")) {
            assumeTrue(!LinuxProcess.seesFrames(), "skipped: needs root to drop capabilities");
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

    /** Whether a program stands on the search path. */
    public static boolean isInstalled(String program) {
        return Stream.of(System.getenv("PATH").split(File.pathSeparator))
                .anyMatch(directory -> Files.isExecutable(Path.of(directory, program)));
    }

    /** Runs {@code main} to its end, or kills it at the time limit. */
    public Result run(Class<?> main, String... arguments) throws InterruptedException {
        return inOwnDirectory(directory -> run(command(main, arguments), directory));
    }

    /** Returns what {@code main} printed, which ends by itself with exit code 0. */
    public String outputOf(Class<?> main, String... arguments) throws InterruptedException {
        Result result = run(main, arguments);
        assertThat(result.exitCode).as(result.output).isZero();
        return result.output;
    }

    /** Runs a source file of the project, which sees the library and the JDK, as {@link #run}. */
    public Result runSource(String source, String... arguments) throws InterruptedException {
        return inOwnDirectory(
                directory -> {
                    Path project = Path.of(System.getProperty("project.basedir"));
                    Path copy = directory.resolve(Path.of(source).getFileName());
                    copyReadable(project.resolve(source), copy);
                    List<String> command = launcher();
                    command.addAll(List.of("--class-path", Build.CLASSES.toString()));
                    command.add(copy.toString());
                    command.addAll(List.of(arguments));
                    return run(command, directory);
                });
    }

    private interface Body {
        Result run(Path directory) throws IOException, InterruptedException;
    }

    private static Result inOwnDirectory(Body body) throws InterruptedException {
        try {
            Path directory = Files.createTempDirectory("child-jvm");
            try {
                allowEveryone(directory);
                return body.run(directory);
            } finally {
                delete(directory);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The copies, for all children of this process; they are deleted when it ends. */
    private static final class Build {

        private static final Path DIRECTORY = copy();
        static final Path CLASSES = DIRECTORY.resolve("classes");
        static final Path TEST_CLASSES = DIRECTORY.resolve("test-classes");

        private static Path copy() {
            try {
                Path directory = Files.createTempDirectory("child-jvm-classes");
                Runtime.getRuntime().addShutdownHook(new Thread(() -> deleted(directory)));
                allowEveryone(directory);
                Path build = Path.of(System.getProperty("project.basedir"), "target");
                for (String classes : List.of("classes", "test-classes")) {
                    copyReadable(build.resolve(classes), directory.resolve(classes));
                }
                return directory;
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        private static void deleted(Path directory) {
            try {
                delete(directory);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    private List<String> launcher() {
        List<String> command = new ArrayList<>(prefix);
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(flags);
        return command;
    }

    private List<String> command(Class<?> main, String... arguments) {
        List<String> command = launcher();
        if (onModulePath) {
            command.addAll(
                    List.of(
                            "--module-path",
                            Build.CLASSES.toString(),
                            "--patch-module",
                            MODULE + "=" + Build.TEST_CLASSES));
            command.addAll(List.of("--module", MODULE + "/" + main.getName()));
        } else {
            command.addAll(
                    List.of(
                            "--class-path",
                            Build.CLASSES + File.pathSeparator + Build.TEST_CLASSES,
                            main.getName()));
        }
        command.addAll(List.of(arguments));
        return command;
    }

    private static Result run(List<String> command, Path directory)
            throws IOException, InterruptedException {
        Path output = directory.resolve("output");
        Process child =
                new ProcessBuilder(command)
                        .directory(directory.toFile())
                        .redirectErrorStream(true)
                        .redirectOutput(output.toFile())
                        .start();
        if (!child.waitFor(TIME_LIMIT.toSeconds(), TimeUnit.SECONDS)) {
            child.destroyForcibly().waitFor();
            throw new AssertionError(
                    "no end after "
                            + TIME_LIMIT
                            + ": "
                            + String.join(" ", command)
                            + "\n"
                            + Files.readString(output));
        }
        return new Result(child.exitValue(), Files.readString(output, StandardCharsets.UTF_8));
    }

    private static Path copyReadable(Path from, Path to) throws IOException {
        Files.walkFileTree(
                from,
                new SimpleFileVisitor<>() {
                    @Override
                    public FileVisitResult preVisitDirectory(
                            Path directory, BasicFileAttributes attributes) throws IOException {
                        Path copy =
                                Files.createDirectory(
                                        to.resolve(from.relativize(directory).toString()));
                        allowEveryone(copy);
                        return FileVisitResult.CONTINUE;
                    }

                    @Override
                    public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
                            throws IOException {
                        Path copy = Files.copy(file, to.resolve(from.relativize(file).toString()));
                        allowEveryone(copy);
                        return FileVisitResult.CONTINUE;
                    }
                });
        return to;
    }

    /** To read, and to enter directories; the owner alone may by default. */
    private static void allowEveryone(Path path) {
        File file = path.toFile();
        boolean allowed =
                file.setReadable(true, false) && (file.isFile() || file.setExecutable(true, false));
        if (!allowed) {
            throw new IllegalStateException("cannot make readable: " + file);
        }
    }

    private static void delete(Path directory) throws IOException {
        try (Stream<Path> files = Files.walk(directory)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }

    /**
     * How a child ended.
     *
     * @param exitCode its exit code; 128 and more for a signal
     * @param output what it printed, standard output and error in the order of printing
     */
    public record Result(int exitCode, String output) {}
}
