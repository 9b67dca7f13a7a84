package dev.kernelalloc.cli.ctypes;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;

/** The declaration of a C struct has the layout of that struct. */
class DeclarationTest {

    private static final int STRUCTS = 300;

    @TempDir Path directory;

    @Test
    @DisplayName("Hundreds of structs of the kernel are laid out as its debug information says")
    void write_structsOfTheKernel_compileToTheSameOffsets() throws IOException {
        assumeTrue(Files.isReadable(Btf.KERNEL), "skipped: the kernel was built without BTF");
        Btf kernel = Btf.read(Btf.KERNEL);
        List<String> names = new ArrayList<>(kernel.names());
        long seed = new Random().nextLong();
        Collections.shuffle(names, new Random(seed));
        names.addAll(
                0, List.of("io_uring_sqe", "io_uring_cqe", "sk_buff", "page", "tcphdr", "iphdr"));
        List<Declaration> declared = new ArrayList<>();
        Map<String, String> refused = new TreeMap<>();
        Set<String> typeNames = new HashSet<>();
        for (String name : names) {
            try {
                Declaration one = DeclarationWriter.write(kernel.find(name).orElseThrow());
                if (one.bytes() > 0 && typeNames.add(one.typeName())) {
                    declared.add(one);
                }
            } catch (Unsupported e) {
                refused.put(name, e.getMessage());
            }
            if (declared.size() == STRUCTS) {
                break;
            }
        }
        System.out.println(
                declared.size() + " structs declared, " + refused.size() + " refused: " + refused);
        assertThat(declared).as("seed %d", seed).hasSize(STRUCTS);
        assertThat(refused.values())
                .as("seed %d", seed)
                .hasSizeLessThan(STRUCTS / 4)
                .allMatch(why -> why.matches("(?s).*(no Java type for|place it at|take).*"));
        try (Compiled compiled = Compiled.compile(declared)) {
            for (Declaration one : declared) {
                assertThat(LayoutCheck.differences(compiled.type(one), one))
                        .as("seed %d, %s", seed, one.source())
                        .isEmpty();
            }
        }
    }

    @Test
    @DisplayName("Bit-fields, packing, holes, unions and names of Java are declared as C has them")
    void write_header_hasTheOffsetsOfTheCompiler() throws Exception {
        Btf types =
                compile(
                        """
                        struct inner { char tag; long value; };
                        struct everything {
                            unsigned int a : 3, : 5, b : 10;
                            int negative : 4;
                            _Bool flag : 1;
                            unsigned long wide : 40;
                            char class;
                            struct inner wait[2][3];
                            union { float f; struct { short low, high; }; };
                            char name[16];
                            unsigned char bytes[2][5];
                            void *pointers[3];
                            double real __attribute__((aligned(64)));
                            unsigned short tail[];
                        };
                        struct __attribute__((packed)) tight { char a; long b; int c : 7; int d : 30; };
                        struct flexible { unsigned n; unsigned long items[]; };
                        struct holder { int a; struct flexible inner; };
                        struct marked { char a; char mark[0] __attribute__((aligned(64))); int b; };
                        struct everything *x; struct tight *y; struct holder *z; struct marked *w;
                        """);
        for (String name :
                List.of("everything", "tight", "inner", "flexible", "holder", "marked")) {
            Declaration one = DeclarationWriter.write(types.find(name).orElseThrow());
            try (Compiled compiled = Compiled.compile(List.of(one))) {
                assertThat(LayoutCheck.differences(compiled.type(one), one))
                        .as(one.source())
                        .isEmpty();
            }
        }
        Declaration everything = DeclarationWriter.write(types.find("everything").orElseThrow());
        assertThat(everything.source())
                .contains("byte class_();", "@Flexible\n", "@Bits(value = 4, signed = true)")
                .contains("@Length(16)\n    String name();", "@Offset(")
                .contains("Inner wait_(int i, int j); // struct inner");
    }

    @Test
    @DisplayName("What no declaration expresses is refused by its name")
    void write_inexpressible_isRefusedByName() throws Exception {
        Btf types = compile("struct big { int a; __int128 huge; } *x;");
        assertThatExceptionOfType(Unsupported.class)
                .isThrownBy(() -> DeclarationWriter.write(types.find("big").orElseThrow()))
                .withMessageContaining("huge")
                .withMessageContaining("16 bytes");
        assertThat(types.find("none")).isEmpty();
    }

    @Test
    @DisplayName("A difference is found: of size, of an offset, of a bit-field")
    void differences_anotherStruct_areNamed() throws Exception {
        Btf one = compile("struct s { int a; long b; unsigned c : 3, d : 4; } *x;");
        Btf other = compile("struct s { int a; int b; unsigned c : 3, e : 1, d : 4; } *x;");
        Declaration declared = DeclarationWriter.write(one.find("s").orElseThrow());
        Declaration truth = DeclarationWriter.write(other.find("s").orElseThrow());
        try (Compiled compiled = Compiled.compile(List.of(declared))) {
            assertThat(LayoutCheck.differences(compiled.type(declared), truth))
                    .anyMatch(line -> line.startsWith("size: 24 in Java, 12 in C"))
                    .anyMatch(line -> line.startsWith("b: 8 bytes at 8 in Java, 4 bytes at 4"))
                    .anyMatch(line -> line.startsWith("e: not in Java"))
                    .anyMatch(line -> line.startsWith("d: {"));
            assertThat(LayoutCheck.differencesByPlace(compiled.type(declared), declared)).isEmpty();
            assertThat(LayoutCheck.differencesByPlace(compiled.type(declared), truth))
                    .anyMatch(line -> line.startsWith("b: 4 bytes at 4 in C, nothing in Java"));
        }
    }

    @Test
    @DisplayName("A file that is no type information is refused")
    void read_anotherFile_isRefused() throws IOException {
        for (byte[] bytes : new byte[][] {{}, new byte[100], {(byte) 0x9F, (byte) 0xEB, 1, 0}}) {
            Path file = Files.write(directory.resolve("other"), bytes);
            assertThatExceptionOfType(IOException.class).isThrownBy(() -> Btf.read(file));
        }
    }

    private Btf compile(String header) throws Exception {
        Path input = Files.writeString(directory.resolve("header.c"), header);
        Path output = directory.resolve("header.o");
        Process cc;
        try {
            cc =
                    new ProcessBuilder(
                                    "cc", "-gbtf", "-c", input.toString(), "-o", output.toString())
                            .inheritIO()
                            .start();
        } catch (IOException e) {
            assumeTrue(false, "skipped: needs cc");
            throw e;
        }
        assumeTrue(cc.waitFor() == 0, "skipped: needs cc with -gbtf");
        return Btf.read(output);
    }
}
