package dev.kernelalloc.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.cli.ctypes.Btf;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

import javax.tools.ToolProvider;

class StructTest {

    private static final String PACKAGE = "package org.example; ";

    @TempDir Path classes;

    @Test
    @DisplayName("A struct of the kernel is printed, in a package on request")
    void struct_ofTheKernel_isPrinted() {
        requireBtf();
        ToolProcess.Result result =
                ToolProcess.runHere("struct", "--package", "org.example", "io_uring_cqe");
        assertThat(result.err()).isEmpty();
        assertThat(result.exitCode()).isEqualTo(Tool.DONE);
        assertThat(result.out())
                .startsWith("package org.example;\n")
                .contains("interface IoUringCqe {", "long user_data(); // __u64, offset 0");
    }

    @Test
    @DisplayName("A declaration is compared with the kernel's struct; its mistakes are named")
    void check_declaration_namesDifferences() throws IOException {
        requireBtf();
        compile("record Cqe(long userData, int result, int flags) {}");
        compile("interface Wrong { long userData(); short result(); int flags(); }");
        ToolProcess.Result right = check("Cqe");
        assertThat(right.exitCode()).as(right.out() + right.err()).isEqualTo(Tool.DONE);
        assertThat(right.out()).contains("every member is where C has it");
        ToolProcess.Result wrong = check("Wrong");
        assertThat(wrong.exitCode()).isEqualTo(Tool.NOT_HAD);
        assertThat(wrong.out()).contains("res: 4 bytes at 8 in C, nothing in Java");
    }

    @Test
    @DisplayName("What does not exist is an error with its name")
    void struct_unknown_isAnError() {
        requireBtf();
        ToolProcess.Result result = ToolProcess.runHere("struct", "no_such_struct");
        assertThat(result.exitCode()).isEqualTo(Tool.NOT_HAD);
        assertThat(result.out()).isEmpty();
        assertThat(result.err()).contains("no_such_struct");
        ToolProcess.Result noFile = ToolProcess.runHere("struct", "--btf", "/no/file", "page");
        assertThat(noFile.exitCode()).isEqualTo(Tool.NOT_HAD);
        assertThat(noFile.err()).contains("/no/file", "--header");
    }

    @Test
    @DisplayName("A header and what was compiled from it give the same declaration")
    void struct_ofHeaderAndOfDwarf_areTheSame() throws Exception {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/cc")), "skipped: needs cc");
        Path header = classes.resolve("point.h");
        Files.writeString(header, "struct point { short x[2][3]; int y : 5; };");
        Path source = classes.resolve("point.c");
        Files.writeString(
                source,
                """
                #include "point.h"
                int main(void) { struct point p = {}; return p.y; }
                """);
        Path program = classes.resolve("point");
        Process cc =
                new ProcessBuilder("cc", "-g", "-o", program.toString(), source.toString())
                        .inheritIO()
                        .start();
        assertThat(cc.waitFor()).isZero();
        ToolProcess.Result ofHeader =
                ToolProcess.runHere("struct", "--header", header.toString(), "point");
        ToolProcess.Result ofProgram =
                ToolProcess.runHere("struct", "--dwarf", program.toString(), "point");
        assertThat(ofHeader.err() + ofProgram.err()).isEmpty();
        assertThat(ofHeader.out())
                .contains("@Length({2, 3})\n    short x(int i, int j);", "@Bits(value = 5")
                .isEqualTo(ofProgram.out());
        ToolProcess.Result none =
                ToolProcess.runHere("struct", "--dwarf", program.toString(), "line");
        assertThat(none.exitCode()).isEqualTo(Tool.NOT_HAD);
        assertThat(none.err()).contains("there is no struct line");
    }

    private ToolProcess.Result check(String type) {
        return ToolProcess.runHere(
                "struct",
                "--check",
                "org.example." + type,
                "--class-path",
                classes.toString(),
                "io_uring_cqe");
    }

    private void compile(String declaration) throws IOException {
        Path source = Files.writeString(classes.resolve("Declared.java"), PACKAGE + declaration);
        int status =
                ToolProvider.getSystemJavaCompiler()
                        .run(null, null, null, "-d", classes.toString(), source.toString());
        assertThat(status).isZero();
    }

    private static void requireBtf() {
        assumeTrue(Files.isReadable(Btf.KERNEL), "skipped: the kernel was built without BTF");
    }
}
