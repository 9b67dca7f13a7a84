package dev.kernelalloc.benchmarks;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** How every measured JVM is started: the same for the library and for its peers. */
final class Jvm {

    static final List<String> ARGUMENTS =
            List.of(
                    "-Xms512m",
                    "-Xmx512m",
                    "--enable-native-access=ALL-UNNAMED",
                    "--sun-misc-unsafe-memory-access=allow", // for JMH itself, and for LWJGL
                    "-Dio.netty.leakDetection.level=disabled");

    private Jvm() {}

    /** Up to the name of the main class. */
    static List<String> command() {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(ARGUMENTS);
        command.addAll(List.of("-cp", System.getProperty("java.class.path")));
        return command;
    }
}
