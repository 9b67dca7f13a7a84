package dev.kernelalloc.cli.ctypes;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIOException;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.SplittableRandom;

/** The structs that {@code cc -g} describes in DWARF are those of C. */
class DwarfTest {

    private static final String EVERYTHING =
            """
            enum color { RED, GREEN };
            enum sign { MINUS = -1, PLUS = 1 };
            struct everything;
            typedef unsigned int word;
            typedef struct { short low, high; } pair;
            typedef int (*callback)(struct everything *);
            struct inner { char tag; long value; };
            struct __attribute__((packed)) tight { char a; long b; int c : 7; int d : 30; };
            struct everything {
                unsigned int a : 3, : 5, b : 10;
                int negative : 4;
                _Bool flag : 1;
                unsigned long wide : 40;
                enum color color : 2;
                char letter : 6;
                enum sign sign;
                const volatile word * const word;
                const word words[2];
                struct everything **next;
                struct unknown *opaque;
                callback function;
                pair pairs[3];
                union { float f; struct { short x, y; }; unsigned bits : 5; };
                struct tight tight;
                char name[16];
                signed char bytes[5];
                char mark[0];
                double real __attribute__((aligned(64)));
                unsigned short tail[];
            };
            union both { long number; char text[8]; unsigned low : 3; };
            """;

    @TempDir Path directory;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "-gdwarf-4",
                "-gdwarf-5",
                "-gdwarf-4 -gstrict-dwarf",
                "-gdwarf-5 -gstrict-dwarf",
                "-gdwarf-5 -gdwarf64",
                "-gdwarf-5 -gz=zlib",
                "-gdwarf-5 -O2 -shared -fPIC",
                "-gdwarf-4 -shared -fPIC"
            })
    @DisplayName("Structs in DWARF 4 and 5 are those that the same compiler describes in BTF")
    void find_everything_isAsInBtf(String options) throws Exception {
        String variables = "struct everything x; struct inner y; struct tight z; union both w;";
        Path program = compile(EVERYTHING + variables, options);
        Dwarf dwarf = Dwarf.read(program);
        Btf btf = Btf.read(compile(EVERYTHING + variables, "-gbtf"));
        assertThat(dwarf.names()).containsExactlyElementsOf(btf.names());
        for (String name : List.of("everything", "inner", "tight", "both")) {
            Declaration one = DeclarationWriter.write(dwarf.find(name).orElseThrow());
            Declaration other = DeclarationWriter.write(btf.find(name).orElseThrow());
            assertThat(one.members()).as(name).isEqualTo(other.members());
            assertThat(one.bytes()).as(name).isEqualTo(other.bytes());
            assertThat(one.source()).as(name).isEqualTo(other.source());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"-gdwarf-4", "-gdwarf-5"})
    @DisplayName("Random structs have the offsets and sizes that the compiler computes for them")
    void write_randomStructs_haveTheOffsetsOfTheCompiler(String version) throws Exception {
        long seed = new Random().nextLong();
        SplittableRandom random = new SplittableRandom(seed);
        List<RandomStruct> structs = new ArrayList<>();
        StringBuilder source = new StringBuilder("#include <stddef.h>\n");
        for (int i = 0; i < 100; i++) {
            RandomStruct struct = RandomStruct.of(random, i);
            structs.add(struct);
            source.append(struct.source());
            source.append("const unsigned long at").append(i).append("[] = {sizeof(struct s");
            source.append(i).append(")");
            for (String member : struct.members()) {
                source.append(", offsetof(struct s").append(i).append(", ").append(member);
                source.append(")");
            }
            source.append("};\nstruct s").append(i).append(" v").append(i).append(";\n");
        }
        source.append("#include <stdio.h>\nint main() {\n");
        for (int i = 0; i < structs.size(); i++) {
            source.append("for (int i = 0; i < ").append(structs.get(i).members().size() + 1);
            source.append("; i++) printf(\"%lu\\n\", at").append(i).append("[i]);\n");
        }
        Path program = compile(source.append("}\n").toString(), version + " -o");
        List<Long> truth = numbers(program);
        Dwarf dwarf = Dwarf.read(program);
        int at = 0;
        List<Declaration> declared = new ArrayList<>();
        for (int i = 0; i < structs.size(); i++) {
            Declaration one = DeclarationWriter.write(dwarf.find("s" + i).orElseThrow());
            declared.add(one);
            assertThat(one.bytes()).as("seed %d, %s", seed, one.source()).isEqualTo(truth.get(at));
            for (String member : structs.get(i).members()) {
                at++;
                long expected = truth.get(at) * Byte.SIZE;
                assertThat(one.members())
                        .as("seed %d, %s of %s", seed, member, one.source())
                        .anyMatch(m -> m.path().equals(member) && m.bitOffset() == expected);
            }
            at++;
        }
        try (Compiled compiled = Compiled.compile(declared)) {
            for (Declaration one : declared) {
                assertThat(LayoutCheck.differences(compiled.type(one), one))
                        .as("seed %d, %s", seed, one.source())
                        .isEmpty();
            }
        }
    }

    private record RandomStruct(String source, List<String> members) {

        private static final List<String> TYPES =
                List.of("char", "short", "int", "long", "float", "double", "void *", "_Bool");

        private static final List<String> INTEGERS = List.of("unsigned char", "short", "int");

        /** A struct; the members listed are those that are no bit-fields. */
        static RandomStruct of(SplittableRandom random, int index) {
            StringBuilder text = new StringBuilder("struct ");
            text.append(random.nextInt(4) == 0 ? "__attribute__((packed)) " : "");
            text.append('s').append(index).append(" {\n");
            List<String> members = new ArrayList<>();
            int count = 1 + random.nextInt(9);
            for (int i = 0; i < count; i++) {
                String name = "m" + i;
                int kind = random.nextInt(10);
                if (kind < 3) {
                    String type = INTEGERS.get(random.nextInt(INTEGERS.size()));
                    int bits = 1 + random.nextInt(8);
                    text.append(type).append(' ').append(name).append(" : ").append(bits);
                } else if (kind < 4 && index > 0) {
                    text.append("struct s").append(random.nextInt(index)).append(' ').append(name);
                    members.add(name);
                } else {
                    text.append(TYPES.get(random.nextInt(TYPES.size()))).append(' ').append(name);
                    text.append(kind < 6 ? "[" + (1 + random.nextInt(5)) + "]" : "");
                    members.add(name);
                }
                text.append(";\n");
            }
            return new RandomStruct(text.append("};\n").toString(), members);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"-gdwarf-4", "-gdwarf-5"})
    @DisplayName("Arrays keep the order of their lengths; a complex number is two numbers")
    void write_arrays_keepTheOrderOfLengths(String version) throws Exception {
        String source = "struct s { int a[2][3][4]; _Complex float z; char text[5][6]; } x;";
        Dwarf dwarf = Dwarf.read(compile(source, version));
        assertThat(DeclarationWriter.write(dwarf.find("s").orElseThrow()).source())
                .contains("@Length({2, 3, 4})\n    int a(int i, int j, int k);")
                .contains("@Length(2)\n    float z(int index); // complex float, offset 96")
                .contains("@Length({5, 6})\n    String text(int index);");
    }

    @Test
    @DisplayName("What no declaration expresses is refused by its name")
    void write_inexpressible_isRefusedByName() throws Exception {
        for (String member : List.of("__int128 m", "long double m", "_Decimal64 m")) {
            Dwarf dwarf = Dwarf.read(compile("struct s { int a; " + member + "; } x;", "-g"));
            CType.Compound struct = dwarf.find("s").orElseThrow();
            assertThatExceptionOfType(Unsupported.class)
                    .isThrownBy(() -> DeclarationWriter.write(struct))
                    .withMessageContaining("m at bit");
        }
    }

    @Test
    @DisplayName("A name that two units define differently is refused; the units are named")
    void find_differentDefinitions_areNamed() throws Exception {
        Path one =
                Files.writeString(
                        directory.resolve("one.c"),
                        "struct s { int a; } x; struct t { int i; } p;");
        Path two =
                Files.writeString(
                        directory.resolve("two.c"),
                        "struct s { long a; } y; struct t { int i; } q;");
        Path both = directory.resolve("both.so");
        run("cc", "-g", "-shared", "-fPIC", "-o", both.toString(), one.toString(), two.toString());
        Dwarf dwarf = Dwarf.read(both);
        assertThat(dwarf.find("t")).isPresent();
        assertThat(dwarf.find("u")).isEmpty();
        assertThatExceptionOfType(IOException.class)
                .isThrownBy(() -> dwarf.find("s"))
                .withMessageContaining("4 bytes in ")
                .withMessageContaining("one.c, 8 bytes in ")
                .withMessageContaining("name an object file");
    }

    @Test
    @DisplayName("Without DWARF, with an old version, split or in type units: the remedy is named")
    void read_unreadable_namesRemedy() throws Exception {
        String source = "struct s { int a; } x; int main() { return x.a; }";
        assertRefused(compile(source, "-g0"), "cc -g");
        assertRefused(compile(source, "-gdwarf-2"), "version=2", "-gdwarf-5");
        assertRefused(compile(source, "-gdwarf-5 -gsplit-dwarf"), ".dwo", "-gsplit-dwarf");
        assertRefused(compile(source, "-gdwarf-4 -gsplit-dwarf"), ".dwo", "-gsplit-dwarf");
        assertRefused(Files.writeString(directory.resolve("text"), "no program"), "no ELF file");
        assertRefused(Files.write(directory.resolve("empty"), new byte[0]), "no ELF file");
        Path stripped = compile(source, "-g -o");
        Path debug = directory.resolve("separate");
        run("objcopy", "--only-keep-debug", stripped.toString(), debug.toString());
        run("strip", "--strip-debug", stripped.toString());
        assertRefused(stripped, "cc -g", "name the file with its debug information");
        assertThat(Dwarf.read(debug).find("s")).isPresent();
    }

    private static void assertRefused(Path file, String... texts) {
        assertThatExceptionOfType(IOException.class)
                .isThrownBy(() -> Dwarf.read(file).find("s"))
                .withMessageContainingAll(file.toString(), texts[0], texts[texts.length - 1]);
    }

    @ParameterizedTest
    @ValueSource(strings = {"-gdwarf-4", "-gdwarf-5", "-gbtf", "-gdwarf-5 -gz=zlib"})
    @DisplayName("Damaged and truncated files end in an error or a struct, never in a loop")
    void read_damagedFile_endsInAnError(String options) throws Exception {
        byte[] whole = Files.readAllBytes(compile(EVERYTHING + "struct everything *x;", options));
        long seed = new Random().nextLong();
        SplittableRandom random = new SplittableRandom(seed);
        Path file = directory.resolve("damaged");
        int refused = 0;
        for (int i = 0; i < 400; i++) {
            byte[] damaged = random.nextInt(10) > 0 ? whole.clone() : truncated(whole, random);
            for (int j = random.nextInt(8); j >= 0; j--) {
                damaged[random.nextInt(damaged.length)] = (byte) random.nextInt();
            }
            Files.write(file, damaged);
            try {
                DebugTypes types = options.equals("-gbtf") ? Btf.read(file) : Dwarf.read(file);
                Optional<CType.Compound> found = types.find("everything");
                if (found.isPresent()) {
                    DeclarationWriter.write(found.get());
                }
            } catch (IOException | Unsupported e) {
                refused++;
                assertThat(e.getMessage()).as("seed %d, round %d", seed, i).isNotBlank();
            } catch (RuntimeException | Error e) {
                throw new AssertionError("seed " + seed + ", round " + i, e);
            }
        }
        assertThat(refused).as("seed %d", seed).isPositive();
    }

    @ParameterizedTest
    @ValueSource(strings = {"-gdwarf-4", "-gdwarf-5", "-gbtf"})
    @DisplayName("A struct with 2 to the power of 28 or 40 members in it is found, and refused")
    void write_manyMembersInsideEachOther_isRefused(String options) throws Exception {
        int levels = options.equals("-gbtf") ? 28 : 40; // BTF has places of 32 bits
        DebugTypes types = types(levels(levels, "one, two"), options);
        CType.Compound found = types.find("s" + levels).orElseThrow();
        assertThat(found.bytes()).isEqualTo(1L << levels);
        assertThatExceptionOfType(Unsupported.class)
                .isThrownBy(() -> DeclarationWriter.write(found))
                .withMessageContaining("members, with those of the structs inside it");
    }

    @ParameterizedTest
    @ValueSource(strings = {"-gdwarf-4", "-gdwarf-5", "-gbtf"})
    @DisplayName("Structs 100 levels deep are declared, each once")
    void write_deepStruct_isDeclared(String options) throws Exception {
        Declaration one =
                DeclarationWriter.write(
                        types(levels(100, "one"), options).find("s100").orElseThrow());
        assertThat(one.bytes()).isOne();
        assertThat(one.members()).hasSize(101);
        assertThat(one.source()).containsOnlyOnce("interface S50 {");
    }

    @Test
    @DisplayName("Equal structs of two units are one, different ones are refused, however deep")
    void find_deepStructsOfTwoUnits_areCompared() throws Exception {
        Path one = Files.writeString(directory.resolve("one.c"), levels(40, "one, two"));
        Path same =
                Files.writeString(
                        directory.resolve("same.c"), levels(40, "one, two").replace("*x", "*y"));
        Path other =
                Files.writeString(
                        directory.resolve("other.c"),
                        levels(40, "one, two")
                                .replace("*x", "*y")
                                .replace("char last", "signed char last"));
        assertThat(Dwarf.read(linked(one, same)).find("s40")).isPresent();
        Dwarf different = Dwarf.read(linked(one, other));
        assertThatIOException()
                .isThrownBy(() -> different.find("s40"))
                .withMessageContaining("one.c, 1099511627776 bytes in ");
    }

    @Test
    @DisplayName("An array of more dimensions than C has is refused, also through typedefs")
    void find_manyDimensions_isRefused() throws Exception {
        StringBuilder source = new StringBuilder("typedef char t0;");
        for (int i = 1; i <= 50; i++) {
            String dimensions = "[1][1][1][1][1]";
            source.append("typedef t%d t%d%s;".formatted(i - 1, i, dimensions));
        }
        source.append("struct s { t39 a; } x; struct t { t50 a; } y;");
        Dwarf dwarf = Dwarf.read(compile(source.toString(), "-gdwarf-5"));
        assertThat(dwarf.find("s")).isPresent();
        assertThatIOException()
                .isThrownBy(() -> dwarf.find("t"))
                .withMessageContaining("dimension");
    }

    /** Structs inside each other, {@code s0} in {@code s1} and so on, each as these members. */
    private static String levels(int levels, String members) {
        StringBuilder source = new StringBuilder("struct s0 { char last; };\n");
        for (int i = 1; i <= levels; i++) {
            source.append("struct s%d { struct s%d %s; };\n".formatted(i, i - 1, members));
        }
        return source.append("struct s%d *x;\n".formatted(levels)).toString();
    }

    private DebugTypes types(String source, String options) throws Exception {
        Path file = compile(source, options);
        return options.equals("-gbtf") ? Btf.read(file) : Dwarf.read(file);
    }

    private Path linked(Path one, Path other) throws Exception {
        Path both = directory.resolve("both.so");
        run("ld", "-r", "-o", both.toString(), object(one), object(other));
        return both;
    }

    private static String object(Path source) throws Exception {
        String object = source + ".o";
        run("cc", "-g", "-c", "-o", object, source.toString());
        return object;
    }

    @Test
    @DisplayName("A unit whose length overflows ends in an error, not in a loop")
    void read_lengthThatOverflows_isRefused() {
        ByteBuffer info = ByteBuffer.allocate(64).order(ByteOrder.LITTLE_ENDIAN);
        info.putInt(-1).putLong(Long.MAX_VALUE - 11).putShort((short) 4).clear();
        assertThatIOException()
                .isThrownBy(() -> DwarfUnit.read(info, 0, ByteBuffer.allocate(1), new HashMap<>()))
                .withMessageContaining("damaged");
    }

    @Test
    @DisplayName("Names in a supplementary file, as dwz moves them there, are refused")
    void find_namesInAnotherFile_areRefused() throws Exception {
        Path whole = compile("struct a_long_name { int another_long_name; } x;", "-gdwarf-5");
        byte[] bytes = Files.readAllBytes(whole);
        byte[] shapes = new byte[Elf.map(whole).section(".debug_abbrev").orElseThrow().remaining()];
        Elf.map(whole).section(".debug_abbrev").orElseThrow().get(shapes);
        String text = new String(bytes, StandardCharsets.ISO_8859_1);
        int start = text.indexOf(new String(shapes, StandardCharsets.ISO_8859_1));
        for (int i = start; i < start + shapes.length - 1; i++) {
            if (bytes[i] == 0x03 && bytes[i + 1] == 0x0E) { // DW_AT_name, DW_FORM_strp
                bytes[i + 1] = 0x1D; // DW_FORM_strp_sup
            }
        }
        Path moved = Files.write(directory.resolve("moved"), bytes);
        assertThatIOException()
                .isThrownBy(() -> Dwarf.read(moved).find("a_long_name"))
                .withMessageContaining("supplementary file");
    }

    private static byte[] truncated(byte[] whole, SplittableRandom random) {
        return Arrays.copyOf(whole, 1 + random.nextInt(whole.length));
    }

    /** Compiles to an object file; with {@code -shared} or a last option {@code -o}, links. */
    private Path compile(String source, String options) throws Exception {
        Path input = Files.writeString(directory.resolve("source.c"), source);
        Path output = directory.resolve("output");
        List<String> command = new ArrayList<>(List.of("cc", "-w"));
        command.addAll(List.of(options.split(" ")));
        boolean links = command.remove("-o") || command.contains("-shared");
        if (!links) {
            command.add("-c");
        }
        command.addAll(List.of("-o", output.toString(), input.toString()));
        run(command.toArray(String[]::new));
        return output;
    }

    private static void run(String... command) throws Exception {
        int status;
        try {
            status = new ProcessBuilder(command).inheritIO().start().waitFor();
        } catch (IOException e) {
            assumeTrue(false, "skipped: needs " + command[0]);
            throw e;
        }
        assumeTrue(status == 0, "skipped: needs " + String.join(" ", command));
    }

    private static List<Long> numbers(Path program) throws Exception {
        Process process = new ProcessBuilder(program.toString()).start();
        List<Long> numbers =
                new String(process.getInputStream().readAllBytes(), StandardCharsets.US_ASCII)
                        .lines()
                        .map(Long::parseLong)
                        .toList();
        assertThat(process.waitFor()).isZero();
        return numbers;
    }
}
