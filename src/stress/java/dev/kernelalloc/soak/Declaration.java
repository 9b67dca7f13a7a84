package dev.kernelalloc.soak;

import dev.kernelalloc.soak.Shape.Field;
import dev.kernelalloc.soak.Shape.Kind;
import dev.kernelalloc.struct.StructType;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

import javax.tools.ToolProvider;

/** Shapes as Java source: an interface for each, and a record for each without a union. */
final class Declaration {

    private static final String PRELUDE =
            """
            import dev.kernelalloc.struct.*;
            import java.lang.foreign.MemorySegment;
            public final class Generated {
              public static java.lang.invoke.MethodHandles.Lookup lookup() {
                return java.lang.invoke.MethodHandles.lookup();
              }
              public enum Color { @EnumValue(1) RED, @EnumValue(-5) GREEN, @EnumValue(70000) BLUE }
            """;

    private Declaration() {}

    /** Returns the source of a class {@code Generated} that has all of them as members. */
    static String source(List<Shape> shapes) {
        StringBuilder text = new StringBuilder(PRELUDE);
        shapes.forEach(
                shape -> {
                    appendInterface(shape, text);
                    if (!shape.hasUnion()) {
                        appendRecord(shape, text);
                    }
                });
        return text.append("}\n").toString();
    }

    private static void appendInterface(Shape shape, StringBuilder text) {
        nested(shape).forEach(inner -> appendInterface(inner, text));
        List<Field> fields = shape.fields();
        String parent = "";
        if (shape.inherited() > 0) {
            parent = " extends P" + shape.name();
            text.append("  public interface P%s {%n".formatted(shape.name()));
            fields.subList(0, shape.inherited()).forEach(f -> appendAccessors(shape, f, text));
            text.append("  }\n");
        }
        text.append(annotations(shape));
        text.append("  public interface V%s%s {%n".formatted(shape.name(), parent));
        if (shape.repeats()) {
            // Only to document it: the place and the annotations are those of the first
            // declaration.
            text.append("    ").append(plain(type(fields.getFirst(), "V")));
            appendGetter(shape, fields.getFirst(), text);
        }
        fields.subList(shape.inherited(), fields.size())
                .forEach(field -> appendAccessors(shape, field, text));
        text.append("  }\n");
    }

    private static Stream<Shape> nested(Shape shape) {
        return shape.fields().stream()
                .filter(field -> field.kind() instanceof Kind.Nested)
                .map(field -> ((Kind.Nested) field.kind()).shape());
    }

    private static void appendAccessors(Shape shape, Field field, StringBuilder text) {
        String type = type(field, "V");
        text.append("    ").append(annotations(field)).append(type);
        appendGetter(shape, field, text);
        if (!(field.kind() instanceof Kind.Raw)) {
            List<String> parameters = new ArrayList<>(indexes(field));
            parameters.add(plain(type) + " value");
            text.append("    void ").append(shape.accessor(field, true));
            text.append('(').append(String.join(", ", parameters)).append(");\n");
        }
    }

    private static void appendGetter(Shape shape, Field field, StringBuilder text) {
        text.append(' ').append(shape.accessor(field, false));
        text.append('(').append(String.join(", ", indexes(field))).append(");\n");
    }

    private static List<String> indexes(Field field) {
        return IntStream.range(0, field.lengths().size()).mapToObj(i -> "int i" + i).toList();
    }

    /** Returns a type without its annotation. */
    private static String plain(String type) {
        return type.substring(type.lastIndexOf(' ') + 1);
    }

    private static void appendRecord(Shape shape, StringBuilder text) {
        nested(shape).forEach(inner -> appendRecord(inner, text));
        text.append(annotations(shape));
        text.append(
                shape.fields().stream()
                        .map(
                                field ->
                                        annotations(field)
                                                + type(field, "R")
                                                + "[]".repeat(field.lengths().size())
                                                + " "
                                                + field.name())
                        .collect(
                                Collectors.joining(
                                        ", ", "  public record R" + shape.name() + "(", ") {}\n")));
    }

    private static String annotations(Shape shape) {
        return "%s  @Struct(align = %d, packed = %b, order = Endian.%s)%n"
                .formatted(
                        shape.union() ? "  @Union\n" : "",
                        shape.alignment(),
                        shape.packed(),
                        shape.bigEndian() ? "BIG" : "NATIVE");
    }

    private static String annotations(Field field) {
        StringBuilder text = new StringBuilder();
        if (field.alignment() > 0) {
            text.append("@Align(%d) ".formatted(field.alignment()));
        }
        List<Integer> lengths = new ArrayList<>(field.lengths());
        switch (field.kind()) {
            case Kind.Bits bits ->
                    text.append(
                            "@Bits(value = %d, signed = %b) "
                                    .formatted(bits.width(), bits.signed()));
            case Kind.Text(int bytes) -> lengths.add(bytes);
            case Kind.Raw(int bytes) -> lengths.add(bytes);
            default -> {}
        }
        if (!lengths.isEmpty()) {
            text.append(
                    lengths.stream()
                            .map(String::valueOf)
                            .collect(Collectors.joining(", ", "@Length({", "}) ")));
        }
        return text.toString();
    }

    private static String type(Field field, String prefix) {
        return switch (field.kind()) {
            case Kind.One(Scalar scalar) -> scalar.java;
            case Kind.Bits(Scalar type, _, _) -> type.java;
            case Kind.Text _ -> "String";
            case Kind.Raw _ -> "MemorySegment";
            case Kind.Nested(Shape shape) -> prefix + shape.name();
        };
    }

    /** Compiles a source and hands its classes to an action; they are loaded no longer then. */
    static void compiled(String source, Use use) throws Exception {
        Path directory = Files.createTempDirectory("soak");
        try {
            Path file = Files.writeString(directory.resolve("Generated.java"), source);
            int code =
                    ToolProvider.getSystemJavaCompiler()
                            .run(
                                    null,
                                    null,
                                    null,
                                    "-proc:none",
                                    "-nowarn",
                                    "-cp",
                                    System.getProperty("java.class.path"),
                                    "-d",
                                    directory.toString(),
                                    file.toString());
            if (code != 0) {
                throw new IllegalStateException("javac has not compiled:\n" + source);
            }
            URL[] classes = {directory.toUri().toURL()};
            try (URLClassLoader loader =
                    new URLClassLoader(classes, StructType.class.getClassLoader())) {
                use.of(loader);
            }
        } finally {
            delete(directory);
        }
    }

    interface Use {
        void of(ClassLoader loader) throws Exception;
    }

    private static void delete(Path directory) throws IOException {
        try (Stream<Path> files = Files.walk(directory)) {
            files.sorted(Comparator.reverseOrder())
                    .forEach(
                            file -> {
                                try {
                                    Files.delete(file);
                                } catch (IOException e) {
                                    throw new UncheckedIOException(e);
                                }
                            });
        }
    }
}
