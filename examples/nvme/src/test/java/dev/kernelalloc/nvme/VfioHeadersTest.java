package dev.kernelalloc.nvme;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.struct.StructType;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.reflect.Field;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/** Compares numbers and structs with the installed header, which a C compiler reads. */
class VfioHeadersTest {

    private static final Path HEADER = Path.of("/usr/include/linux/vfio.h");

    @TempDir private Path directory;

    @Test
    @DisplayName("every number and the place of every member are those of linux/vfio.h")
    void constantsAndOffsets_areThoseOfTheHeader() throws Exception {
        assumeTrue(
                Files.exists(HEADER) && Files.isExecutable(Path.of("/usr/bin/cc")),
                "skipped: needs a C compiler and " + HEADER);
        Map<String, Long> ours = new TreeMap<>();
        for (Field constant : Vfio.class.getDeclaredFields()) {
            if (constant.getType() == int.class) {
                ours.put(constant.getName(), (long) constant.getInt(null));
            } else {
                members((StructType<?>) constant.get(null), ours);
            }
        }
        assertThat(ours).hasSizeGreaterThan(30).isEqualTo(answers(ours));
    }

    /** Adds members under their C names, {@code offsetof(struct vfio_region_info, cap_offset)}. */
    private static void members(StructType<?> type, Map<String, Long> ours) {
        String struct = "struct " + underscored(type.type().getSimpleName());
        for (MemoryLayout member : type.layout().memberLayouts()) {
            if (member.name().isPresent()) {
                String name = member.name().get();
                ours.put(
                        "offsetof(%s, %s)".formatted(struct, underscored(name)),
                        type.layout().byteOffset(PathElement.groupElement(name)));
            }
        }
    }

    private static String underscored(String name) {
        String text = name.replaceAll("([A-Z])", "_$1").toLowerCase(Locale.ROOT);
        return text.startsWith("_") ? text.substring(1) : text;
    }

    private Map<String, Long> answers(Map<String, Long> questions)
            throws IOException, InterruptedException {
        StringBuilder program =
                new StringBuilder(
                        """
                        #include <stddef.h>
                        #include <stdio.h>
                        #include <linux/vfio.h>
                        int main(void) {
                        """);
        for (String question : questions.keySet()) {
            program.append("printf(\"%1$s=%%lld\\n\", (long long) (%1$s));\n".formatted(question));
        }
        Path source = Files.writeString(directory.resolve("ask.c"), program.append("}\n"));
        Path binary = directory.resolve("ask");
        output(List.of("/usr/bin/cc", "-o", binary.toString(), source.toString()));
        Map<String, Long> answers = new TreeMap<>();
        for (String line : output(List.of(binary.toString())).lines().toList()) {
            int equals = line.lastIndexOf('=');
            answers.put(line.substring(0, equals), Long.valueOf(line.substring(equals + 1)));
        }
        return answers;
    }

    private static String output(List<String> command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes());
        assertThat(process.waitFor()).as(output).isZero();
        return output;
    }
}
