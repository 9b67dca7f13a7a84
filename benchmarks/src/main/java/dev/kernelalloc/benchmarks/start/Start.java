package dev.kernelalloc.benchmarks.start;

import dev.kernelalloc.benchmarks.Figure;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.stream.Stream;

/** Starts a small program repeatedly, and reports the median time of the processes. */
public final class Start {

    /** The archives of an earlier run. */
    public enum Archive {
        /** Nothing but the archive of the JDK's own classes that every JDK has. */
        NONE,
        /** Application class data sharing, -XX:SharedArchiveFile: parsed classes. */
        CDS,
        /** The cache of JEP 483 and 514, -XX:AOTCache: classes linked, lambdas and profiles. */
        AOT
    }

    private static final Map<String, Class<?>> PROGRAMS =
            Map.of(
                    "nothing", Nothing.class,
                    "ffm-pair", FfmPair.class,
                    "first-block", FirstBlock.class,
                    "ffm-struct", FfmStruct.class,
                    "first-box", FirstBox.class,
                    "netty-buffer", NettyBuffer.class);

    private static final int MOST_STARTS = 15;
    private static final int MOST_TRAININGS = 5;

    /** The number of processes by measuring time, so that a smoke test is short. */
    private static final int MILLIS_OF_A_START = 25;

    private final Class<?> program;
    private final Path directory;
    private final String classPath;

    private Start(Class<?> program, Path directory) throws IOException {
        this.program = program;
        this.directory = directory;
        this.classPath = jar() + System.getProperty("path.separator") + libraries();
    }

    /** Prints the figure of one program. */
    public static void run(String program, Archive archive, int millis)
            throws IOException, InterruptedException {
        Path directory = Files.createTempDirectory("start");
        try {
            Start start = new Start(PROGRAMS.get(program), directory);
            List<String> flags = start.flags(archive);
            start.process(flags); // reads the files of all later ones
            double[] starts = new double[Math.clamp(millis / MILLIS_OF_A_START, 1, MOST_STARTS)];
            for (int i = 0; i < starts.length; i++) {
                long began = System.nanoTime();
                start.process(flags);
                starts[i] = (System.nanoTime() - began) / 1e6;
            }
            Arrays.sort(starts);
            System.out.println(Figure.START.name() + " " + starts[starts.length / 2]);
        } finally {
            delete(directory);
        }
    }

    private List<String> flags(Archive archive) throws IOException, InterruptedException {
        Path file = directory.resolve("archive");
        switch (archive) {
            case NONE -> {
                return List.of();
            }
            case CDS -> {
                train(List.of("-XX:ArchiveClassesAtExit=" + file));
                return List.of("-XX:SharedArchiveFile=" + file);
            }
            case AOT -> {
                train(List.of("-XX:AOTCacheOutput=" + file));
                return List.of("-XX:AOTCache=" + file);
            }
        }
        throw new AssertionError(archive);
    }

    /**
     * Writes an archive. HotSpot 25 may crash where a daemon thread links a lambda while the
     * archive is written: then once more.
     */
    private void train(List<String> flags) throws IOException, InterruptedException {
        for (int attempt = 1; ; attempt++) {
            try {
                process(flags);
                return;
            } catch (IOException e) {
                if (attempt == MOST_TRAININGS) {
                    throw e;
                }
            }
        }
    }

    private void process(List<String> flags) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.add("--enable-native-access=ALL-UNNAMED");
        command.add("-Dio.netty.leakDetection.level=disabled");
        command.addAll(flags);
        command.addAll(List.of("-cp", classPath, program.getName()));
        Process process =
                new ProcessBuilder(command)
                        .redirectErrorStream(true)
                        .redirectOutput(directory.resolve("output").toFile())
                        .start();
        if (process.waitFor() != 0) {
            throw new IOException(
                    command + " failed: " + Files.readString(directory.resolve("output")));
        }
    }

    /** The programs alone: an archive takes classes from jars, not from directories. */
    private Path jar() throws IOException {
        Path jar = directory.resolve("programs.jar");
        List<Class<?>> types = new ArrayList<>(PROGRAMS.values());
        types.add(FirstBox.Point.class);
        try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(jar))) {
            for (Class<?> type : types) {
                String entry = type.getName().replace('.', '/') + ".class";
                out.putNextEntry(new JarEntry(entry));
                try (InputStream code = Start.class.getResourceAsStream("/" + entry)) {
                    code.transferTo(out);
                }
            }
        }
        return jar;
    }

    /** All jars that this JVM has, in the same order for every program. */
    private static String libraries() {
        String separator = System.getProperty("path.separator");
        return Stream.of(System.getProperty("java.class.path").split(separator))
                .filter(path -> path.endsWith(".jar"))
                .reduce((all, path) -> all + separator + path)
                .orElseThrow();
    }

    private static void delete(Path directory) throws IOException {
        try (Stream<Path> files = Files.walk(directory)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }
}
