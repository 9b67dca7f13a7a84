package dev.kernelalloc.struct;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * Structs in programs of their own: in a module that opens and exports nothing, and on the class
 * path, where native access is denied to all but the library.
 */
class IsolationTest {

    private static final String PROGRAM =
            """
            package user;

            import dev.kernelalloc.struct.*;
            import java.lang.foreign.*;
            import java.lang.invoke.MethodHandles;

            public final class Program {
                private enum Color { @EnumValue(3) RED }
                private record Point(int x, int y) {}
                private interface Node {
                    Point at(); void at(Point value);
                    Color color(); void color(Color value);
                    @Bits(3) int bits(); void bits(int value);
                    @Length(8) String name(); void name(String value);
                    Pointer<Node> next(); void next(Pointer<Node> value);
                    @Access(AccessMode.VOLATILE) int state(); void state(int value);
                    @Atomic("state") int getAndAddState(int delta);
                    @Length(2) Point[] points(); void points(Point[] value);
                }
                private record All(Point point, Color color, Node node, Pointer<All> next) {}

                public static void main(String[] args) {
                    StructType<Node> type = StructType.of(MethodHandles.lookup(), Node.class);
                    StructType<All> all = StructType.of(MethodHandles.lookup(), All.class);
                    try (Arena arena = Arena.ofConfined()) {
                        Node node = type.get(arena.allocate(type.layout()));
                        node.at(new Point(1, 2));
                        node.color(Color.RED);
                        node.bits(5);
                        node.name("abc");
                        node.next(Pointer.to(type, ((StructView) node).asSegment()));
                        node.getAndAddState(7);
                        node.points(new Point[] {new Point(3, 4), new Point(5, 6)});
                        MemorySegment memory = arena.allocate(all.layout());
                        all.set(memory, new All(new Point(7, 8), Color.RED, node, Pointer.nullPointer(all)));
                        all.set(memory, all.get(memory));
                        System.out.println(all.get(memory).node().name() + node.next().get().state());
                        System.out.println(Program.class.getModule());
                    }
                }
            }
            """;

    @TempDir private Path directory;

    @Test
    void aNamedModuleThatOpensNothing() throws IOException {
        Path source = sources();
        Files.writeString(
                source.resolve("module-info.java"), "module user { requires dev.kernelalloc; }");
        Path classes = directory.resolve("classes");
        List<Path> sources =
                List.of(source.resolve("module-info.java"), source.resolve("user/Program.java"));
        compile(
                sources,
                "--module-path",
                LIBRARY + File.pathSeparator + annotations(),
                "-d",
                classes.toString());
        String modulePath = LIBRARY + File.pathSeparator + classes;
        assertThat(
                        java(
                                "--enable-native-access=dev.kernelalloc",
                                "--module-path",
                                modulePath,
                                "--module",
                                "user/user.Program"))
                .containsExactly("abc7", "module user");
    }

    @Test
    void theClassPath() throws IOException {
        Path source = sources();
        Path classes = directory.resolve("classes");
        compile(
                List.of(source.resolve("user/Program.java")),
                "-cp",
                LIBRARY,
                "-d",
                classes.toString());
        assertThat(
                        java(
                                "--enable-native-access=ALL-UNNAMED",
                                "-cp",
                                LIBRARY + File.pathSeparator + classes,
                                "user.Program"))
                .hasSize(2)
                .startsWith("abc7");
    }

    private static final String LIBRARY =
            Path.of(StructType.class.getProtectionDomain().getCodeSource().getLocation().getPath())
                    .toString();

    /**
     * The jar of the annotations that the library is compiled with; a program needs it to compile,
     * not to run.
     */
    private static String annotations() {
        return Stream.of("jdk.module.path", "java.class.path", "surefire.test.class.path")
                .map(property -> System.getProperty(property, ""))
                .flatMap(path -> Stream.of(path.split(File.pathSeparator)))
                .filter(entry -> entry.contains("jspecify"))
                .findFirst()
                .orElseThrow();
    }

    private Path sources() throws IOException {
        Path source = Files.createDirectories(directory.resolve("source/user")).getParent();
        Files.writeString(source.resolve("user/Program.java"), PROGRAM);
        return source;
    }

    private static void compile(List<Path> sources, String... options) throws IOException {
        List<String> command = new ArrayList<>(List.of(tool("javac")));
        command.addAll(List.of(options));
        sources.forEach(source -> command.add(source.toString()));
        CCompiler.execute(command);
    }

    private static List<String> java(String... options) throws IOException {
        List<String> command =
                new ArrayList<>(List.of(tool("java"), "--illegal-native-access=deny"));
        command.addAll(List.of(options));
        return CCompiler.execute(command);
    }

    private static String tool(String name) {
        return Path.of(System.getProperty("java.home"), "bin", name).toString();
    }
}
