package dev.kernelalloc.struct;

import java.io.File;
import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** The compiler of Kotlin, in a process of its own. */
final class KotlinCompiler {

    /** The directory into which the build copies the compiler and its libraries. */
    private static final Path COMPILER =
            Path.of(System.getProperty("project.basedir", "."), "target", "kotlin");

    private KotlinCompiler() {}

    private static Path standardLibrary() throws IOException {
        try (Stream<Path> jars = Files.list(COMPILER)) {
            return jars.filter(jar -> jar.getFileName().toString().startsWith("kotlin-stdlib"))
                    .findFirst()
                    .orElseThrow();
        }
    }

    /** Compiles a source, and returns a loader of its classes. */
    static URLClassLoader compile(String source, Path directory, String... options)
            throws IOException {
        Path file = Files.writeString(directory.resolve("Source.kt"), source);
        Path library =
                Path.of(
                        StructType.class
                                .getProtectionDomain()
                                .getCodeSource()
                                .getLocation()
                                .getPath());
        List<String> command =
                new ArrayList<>(
                        List.of(
                                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                                "-XX:TieredStopAtLevel=1",
                                "--enable-native-access=ALL-UNNAMED",
                                "--sun-misc-unsafe-memory-access=allow",
                                "-cp",
                                COMPILER.resolve("*").toString(),
                                "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler",
                                "-no-stdlib",
                                "-no-reflect",
                                "-nowarn",
                                "-jvm-target",
                                "25",
                                "-cp",
                                library + File.pathSeparator + standardLibrary(),
                                "-d",
                                directory.toString()));
        command.addAll(List.of(options));
        command.add(file.toString());
        CCompiler.execute(command);
        return new URLClassLoader(
                new URL[] {directory.toUri().toURL(), standardLibrary().toUri().toURL()},
                StructType.class.getClassLoader());
    }
}
