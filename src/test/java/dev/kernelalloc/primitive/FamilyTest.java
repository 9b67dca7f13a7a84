package dev.kernelalloc.primitive;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The classes of arrays differ in their primitive type alone. {@code NativeLongArray} is written by
 * hand; a change there is carried over by {@code -Dprimitives.write=true}, which writes the others,
 * and then the formatter.
 */
class FamilyTest {

    private static final Path SOURCES =
            Path.of(
                    System.getProperty("project.basedir"),
                    "src/main/java/dev/kernelalloc/primitive");

    @ParameterizedTest
    @CsvSource({
        "Byte, byte, Byte, JAVA_BYTE, 0",
        "Short, short, Short, JAVA_SHORT_UNALIGNED, 1",
        "Int, int, Integer, JAVA_INT_UNALIGNED, 2",
        "Float, float, Float, JAVA_FLOAT_UNALIGNED, 2",
        "Double, double, Double, JAVA_DOUBLE_UNALIGNED, 3"
    })
    @DisplayName("Every class is the one of long with another type")
    void source_ofEveryClass_isDerivedFromThatOfLong(
            String name, String type, String box, String layout, int shift) throws IOException {
        String derived = derive(Files.readString(source("Long")), name, type, box, layout, shift);
        if (Boolean.getBoolean("primitives.write")) {
            Files.writeString(source(name), derived);
        }
        assertThat(compact(Files.readString(source(name)))).isEqualTo(compact(derived));
    }

    private static Path source(String name) {
        return SOURCES.resolve("Native" + name + "Array.java");
    }

    private static String derive(
            String ofLong, String name, String type, String box, String layout, int shift) {
        boolean floating = type.equals("float") || type.equals("double");
        String stream = floating ? "DoubleStream" : "IntStream";
        String imports = "import java.util.stream.LongStream;\n";
        String imported = "import java.util.stream." + stream + ";\n";
        return ofLong.replace("NativeLongArray", "Native" + name + "Array")
                .replace("JAVA_LONG_UNALIGNED", layout)
                .replace("3, false", shift + ", " + floating)
                .replace(imports, floating ? imported + imports : imported + imports)
                .replace(
                        ".map(this::get)",
                        floating ? ".mapToDouble(this::get)" : ".mapToInt(this::get)")
                .replace("public LongStream", "public " + stream)
                .replace("Long#BYTES", box + "#BYTES")
                .replace("Long.BYTES", box + ".BYTES")
                .replace("search(value)", "search(" + bits(type) + ")")
                .replace("fillBits(value)", "fillBits(" + bits(type).replace("To", "ToRaw") + ")")
                .replace("{@code long", "{@code " + type)
                .replace("long... ", type + "... ")
                .replace("long[", type + "[")
                .replace("public long get(", "public " + type + " get(")
                .replace("long value)", type + " value)");
    }

    private static String bits(String type) {
        return switch (type) {
            case "float" -> "Float.floatToIntBits(value)";
            case "double" -> "Double.doubleToLongBits(value)";
            default -> "value";
        };
    }

    /** Returns a source without line breaks and the order of wrapped lines. */
    private static String compact(String source) {
        return source.replaceAll("\\n\\s*\\* ?", " ").replaceAll("\\s+", "");
    }
}
