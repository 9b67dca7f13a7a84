package dev.kernelalloc.struct;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.struct.RandomStruct.Field;
import dev.kernelalloc.struct.RandomStruct.Flavour;
import dev.kernelalloc.struct.RandomStruct.Kind;
import dev.kernelalloc.struct.RandomStruct.Leaf;
import dev.kernelalloc.struct.RandomStruct.Scalar;

import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.ShrinkingMode;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.reflect.Method;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * The C compiler as oracle: random structs are declared in C and in Java, and must agree on size,
 * alignment, every offset, and every byte, whichever side writes. A try is a batch of structs, in
 * one C program and one Java source.
 */
class CompilerOracleTest {

    private static final int BATCH = 200;
    private static final int SCALE = Integer.getInteger("tests.scale", 1);

    @Property(tries = 1, shrinking = ShrinkingMode.OFF)
    void systemVStructsAreLaidOutAsTheCompilerDoes(@ForAll long seed) throws Exception {
        check(seed, 3 * SCALE, Flavour.SYSTEM_V);
    }

    @Property(tries = 1, shrinking = ShrinkingMode.OFF)
    void bigEndianStructsAreLaidOutAsTheCompilerDoes(@ForAll long seed) throws Exception {
        CCompiler.requireGcc();
        check(seed, SCALE, Flavour.BIG_ENDIAN);
    }

    @Property(tries = 1, shrinking = ShrinkingMode.OFF)
    void windowsStructsAreLaidOutAsTheCompilerDoes(@ForAll long seed) throws Exception {
        CCompiler.requireGcc();
        check(seed, 2 * SCALE, Flavour.MICROSOFT);
    }

    private static void check(long seed, int batches, Flavour flavour) throws Exception {
        Random random = new Random(seed);
        for (int i = 0; i < batches; i++) {
            List<RandomStruct> structs =
                    IntStream.range(0, BATCH)
                            .mapToObj(n -> RandomStruct.random(random, "S" + n, flavour))
                            .toList();
            check(structs, flavour);
        }
    }

    private static void check(List<RandomStruct> structs, Flavour flavour) throws Exception {
        List<String> reports = CCompiler.run(cProgram(structs, flavour));
        Path directory = Files.createTempDirectory("kernelalloc-java");
        try (URLClassLoader loader = compileJava(structs, directory)) {
            Class<?> host = loader.loadClass("Generated");
            MethodHandles.Lookup lookup =
                    (MethodHandles.Lookup) host.getMethod("lookup").invoke(null);
            List<String> differences = new ArrayList<>();
            for (int i = 0; i < structs.size(); i++) {
                try {
                    compare(
                            structs.get(i),
                            reports.get(2 * i),
                            reports.get(2 * i + 1),
                            lookup,
                            loader,
                            flavour);
                } catch (AssertionError | Exception e) {
                    differences.add(
                            structs.get(i).cDeclaration(flavour)
                                    + structs.get(i).javaInterface()
                                    + e);
                }
            }
            assertThat(
                            differences.size()
                                    + " differ: "
                                    + differences.stream()
                                            .limit(3)
                                            .collect(Collectors.joining("\n")))
                    .startsWith("0 differ");
        } finally {
            CCompiler.delete(directory);
        }
    }

    private static void compare(
            RandomStruct struct,
            String facts,
            String bytes,
            MethodHandles.Lookup lookup,
            ClassLoader loader,
            Flavour flavour)
            throws Exception {
        List<Long> expected = Arrays.stream(facts.split(" ")).map(Long::valueOf).toList();
        Class<?> view = loader.loadClass("Generated$" + struct.name());
        StructType<?> type = StructType.of(lookup, view, flavour.abi);
        assertThat(facts(struct, type)).as("size, alignment, offsets").isEqualTo(expected);
        for (String style : List.of("B", "H")) {
            Class<?> same = loader.loadClass("Generated$" + style + struct.name());
            StructType<?> other = StructType.of(lookup, same, flavour.abi);
            assertThat(facts(struct, other)).as("written as %s", style).isEqualTo(expected);
            assertThat(other.layout().memberLayouts()).isEqualTo(type.layout().memberLayouts());
            useEveryLeaf(struct, other, bytes);
        }

        useEveryLeaf(struct, type, bytes);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment read =
                    arena.allocate(type.layout())
                            .copyFrom(MemorySegment.ofArray(HexFormat.of().parseHex(bytes)));
            if (!struct.hasUnion() && !struct.hasFlexible()) {
                copyRecord(struct, read, bytes, lookup, loader, flavour);
            }
        }
    }

    /** Every leaf is read as C wrote it, and all that Java writes are C's bytes. */
    private static void useEveryLeaf(RandomStruct struct, StructType<?> type, String bytes)
            throws Exception {
        byte[] fromC = HexFormat.of().parseHex(bytes);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment written = arena.allocate(type.layout()).fill((byte) 0xA5);
            MemorySegment read =
                    arena.allocate(type.layout()).copyFrom(MemorySegment.ofArray(fromC));
            for (Leaf leaf : struct.leaves()) {
                access(type.get(read), leaf, false);
                access(type.get(written), leaf, true);
            }
            assertThat(hex(written)).as("Java writes").isEqualTo(bytes);
        }
    }

    /** A record reads what C wrote and writes it elsewhere: the same bytes. */
    private static void copyRecord(
            RandomStruct struct,
            MemorySegment read,
            String bytes,
            MethodHandles.Lookup lookup,
            ClassLoader loader,
            Flavour flavour)
            throws Exception {
        Class<?> copy = loader.loadClass("Generated$R" + struct.name());
        copyBytes(StructType.of(lookup, copy, flavour.abi), read, bytes);
    }

    private static <T> void copyBytes(StructType<T> type, MemorySegment read, String bytes) {
        MemorySegment written = Arena.ofAuto().allocate(type.layout()).fill((byte) 0xA5);
        type.set(written, type.get(read));
        assertThat(hex(written)).as("a record copies").isEqualTo(bytes);
    }

    private static String hex(MemorySegment segment) {
        return HexFormat.of().formatHex(segment.toArray(ValueLayout.JAVA_BYTE));
    }

    private static List<Long> facts(RandomStruct struct, StructType<?> type) {
        List<Long> facts = new ArrayList<>(List.of(type.byteSize(), type.byteAlignment()));
        for (Field field : struct.fields()) {
            if (!(field.kind() instanceof Kind.BitRun)) {
                facts.add(
                        type.layout()
                                .byteOffset(MemoryLayout.PathElement.groupElement(field.name())));
            }
        }
        assertThat(type.layout().byteSize()).isEqualTo(type.byteSize());
        assertThat(type.layout().byteAlignment()).isEqualTo(type.byteAlignment());
        return facts;
    }

    /** Walks the views to a leaf, and reads and compares it, or writes it. */
    static void access(Object root, Leaf leaf, boolean write) throws Exception {
        Object view = root;
        for (int i = 0; i < leaf.path().size() - 1; i++) {
            view = call(view, leaf.path().get(i).name(), leaf.indexes().get(i), null);
        }
        Object value = value(leaf);
        List<Integer> indexes = leaf.indexes().getLast();
        String name = leaf.last().name();
        if (leaf.last().kind() instanceof Kind.Raw) {
            MemorySegment raw = (MemorySegment) call(view, name, indexes, null);
            if (write) {
                raw.fill((Byte) value);
            } else {
                assertThat(raw.toArray(ValueLayout.JAVA_BYTE)).containsOnly((Byte) value);
            }
        } else if (write) {
            call(view, name, indexes, value);
        } else {
            assertThat(call(view, name, indexes, null))
                    .as("Java reads %s", name)
                    .hasToString(value.toString());
        }
    }

    private static Object call(Object view, String name, List<Integer> indexes, Object value)
            throws Exception {
        int arguments = indexes.size() + (value == null ? 0 : 1);
        Class<?> declared =
                Arrays.stream(view.getClass().getInterfaces())
                        .filter(i -> i != StructView.class)
                        .findFirst()
                        .orElseThrow();
        for (Method method : declared.getMethods()) {
            boolean setter = method.getReturnType() == void.class;
            if (isNamed(method, name)
                    && setter == (value != null)
                    && method.getParameterCount() == arguments) {
                List<Object> all = new ArrayList<>(indexes);
                if (value != null) {
                    all.add(
                            setter
                                            && value instanceof String s
                                            && method.getParameterTypes()[arguments - 1].isEnum()
                                    ? constant(method.getParameterTypes()[arguments - 1], s)
                                    : value);
                }
                return method.invoke(view, all.toArray());
            }
        }
        throw new AssertionError(name);
    }

    /** As the member, or with get, set or is in front. */
    private static boolean isNamed(Method method, String name) {
        String bean = "F" + name.substring(1);
        return method.getName().equals(name)
                || List.of("get" + bean, "set" + bean, "is" + bean).contains(method.getName());
    }

    private static Object constant(Class<?> type, String name) {
        return Arrays.stream(type.getEnumConstants())
                .filter(c -> c.toString().equals(name))
                .findFirst()
                .orElseThrow();
    }

    private static Object value(Leaf leaf) {
        return switch (leaf.last().kind()) {
            case Kind.One one ->
                    switch (one.scalar()) {
                        case FLOAT -> (float) RandomStruct.real(leaf);
                        case DOUBLE -> RandomStruct.real(leaf);
                        case COLOR -> RandomStruct.color(leaf);
                        case POINTER ->
                                MemorySegment.ofAddress(RandomStruct.integer(leaf, 47, false));
                        case C_UINT, C_LONG, C_ULONG, C_SIZE ->
                                RandomStruct.integer(leaf, one.scalar().bits, false);
                        case C_UCHAR, C_USHORT, C_WCHAR ->
                                (int) RandomStruct.integer(leaf, one.scalar().bits, false);
                        default ->
                                carry(
                                        one.scalar(),
                                        RandomStruct.integer(
                                                leaf, one.scalar().bits, one.scalar().signed));
                    };
            case Kind.BitRun run -> {
                boolean signed = run.signed() || run.bits() == run.type().bits && run.type().signed;
                yield carry(run.type(), RandomStruct.integer(leaf, run.bits(), signed));
            }
            case Kind.Chars chars -> RandomStruct.text(leaf, chars);
            case Kind.Raw _ -> (byte) leaf.seed();
            case Kind.Inner _ -> throw new AssertionError();
        };
    }

    private static Object carry(Scalar type, long value) {
        return switch (type) {
            case BOOL, BOOL8, BOOL32 -> value != 0;
            case BYTE -> (byte) value;
            case SHORT -> (short) value;
            case CHAR -> (char) value;
            case INT -> (int) value;
            case LONG -> value;
            default -> throw new AssertionError(type);
        };
    }

    // ---- both programs --------------------------------------------------------------------------

    private static String cProgram(List<RandomStruct> structs, Flavour flavour) {
        StringBuilder text = new StringBuilder(RandomStruct.cPrelude(flavour));
        structs.forEach(
                struct -> text.append(struct.cDeclaration(flavour)).append(struct.cReport()));
        text.append("int main(void) {\n");
        structs.forEach(struct -> text.append("  report_").append(struct.name()).append("();\n"));
        return text.append("  return 0;\n}\n").toString();
    }

    static URLClassLoader compileJava(List<RandomStruct> structs, Path directory)
            throws IOException {
        StringBuilder text =
                new StringBuilder(
                        """
                        import dev.kernelalloc.struct.*;
                        import java.lang.foreign.MemorySegment;
                        public final class Generated {
                          public static java.lang.invoke.MethodHandles.Lookup lookup() {
                            return java.lang.invoke.MethodHandles.lookup();
                          }
                          public enum Color { @EnumValue(1) RED, @EnumValue(-5) GREEN, @EnumValue(70000) BLUE }
                        """);
        for (RandomStruct struct : structs) {
            text.append(struct.javaInterface());
            text.append(struct.javaBean());
            text.append(struct.javaHierarchy(new Random(struct.hashCode())));
            if (!struct.hasUnion() && !struct.hasFlexible()) {
                text.append(struct.javaRecord());
            }
        }
        return compileJava("Generated", text.append("}\n").toString(), directory);
    }

    /** A loader of the classes that a source file declares, however deep they nest. */
    static URLClassLoader compileJava(String name, String text, Path directory) throws IOException {
        Path source = Files.writeString(directory.resolve(name + ".java"), text);
        Path javac = Path.of(System.getProperty("java.home"), "bin", "javac");
        Path classes = Path.of(URL_OF_LIBRARY.getPath());
        CCompiler.execute(
                List.of(
                        javac.toString(),
                        "-J-Xss16m",
                        "-proc:none",
                        "-nowarn",
                        "-cp",
                        classes.toString(),
                        "-d",
                        directory.toString(),
                        source.toString()));
        return new URLClassLoader(
                new URL[] {directory.toUri().toURL()}, StructType.class.getClassLoader());
    }

    private static final URL URL_OF_LIBRARY =
            StructType.class.getProtectionDomain().getCodeSource().getLocation();
}
