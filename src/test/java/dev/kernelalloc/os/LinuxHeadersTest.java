package dev.kernelalloc.os;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

import java.lang.foreign.ValueLayout;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** A C compiler reads this system's headers: they decide what every constant is. */
@EnabledOnOs(OS.LINUX)
class LinuxHeadersTest {

    private static final String UNKNOWN = "unknown";

    @TempDir private Path directory;

    @Test
    void everyConstantIsTheHeaders() throws Exception {
        Map<String, String> ours =
                constants(
                        Posix.class,
                        Linux.class,
                        MemfdSecret.class,
                        MemfdSecretCalls.class,
                        Proc.class);
        Map<String, String> theirs =
                headers(ours.keySet().stream().map(LinuxHeadersTest::printMacro));

        assertThat(ours)
                .containsKeys(
                        "PROT_READ", "MAP_ANONYMOUS", "MADV_POPULATE_WRITE", "O_CLOEXEC", "ENOMEM");
        theirs.forEach(
                (name, value) -> {
                    if (value.equals(UNKNOWN)) {
                        System.out.println(
                                "not checked, these headers are too old for it: " + name);
                        ours.remove(name);
                    }
                });
        theirs.values().removeIf(UNKNOWN::equals);
        assertThat(ours).isEqualTo(theirs);
    }

    @Test
    void everyErrorHasItsName() throws Exception {
        Map<String, String> ours = new TreeMap<>();
        Linux.ERRORS.forEach((number, name) -> ours.put(name, number.toString()));

        assertThat(headers(ours.keySet().stream().map(LinuxHeadersTest::printMacro)))
                .isEqualTo(ours);
    }

    @Test
    void theTypesInDescriptorsHaveTheirSizes() throws Exception {
        Stream<String> types =
                Stream.of("int", "size_t", "ssize_t", "off_t", "void *")
                        .map(LinuxHeadersTest::printSize);

        String wide = String.valueOf(ValueLayout.JAVA_LONG.byteSize());
        assertThat(headers(types))
                .isEqualTo(
                        Map.of(
                                "int", "4", "size_t", wide, "ssize_t", wide, "off_t", wide,
                                "void *", wide));
    }

    /** Every {@code int} or {@code long} constant that a class does not keep to itself. */
    private static Map<String, String> constants(Class<?>... types) throws IllegalAccessException {
        Map<String, String> constants = new TreeMap<>();
        for (Class<?> type : types) {
            for (Field field : type.getDeclaredFields()) {
                boolean isNumber = field.getType() == int.class || field.getType() == long.class;
                if (isNumber
                        && Modifier.isStatic(field.getModifiers())
                        && !Modifier.isPrivate(field.getModifiers())) {
                    constants.put(field.getName(), field.get(null).toString());
                }
            }
        }
        return constants;
    }

    private static String printMacro(String name) {
        return """
        #ifdef %1$s
            printf("%1$s=%%lld\\n", (long long) %1$s);
        #else
            printf("%1$s=%2$s\\n");
        #endif
        """
                .formatted(name, UNKNOWN);
    }

    private static String printSize(String type) {
        return "    printf(\"%1$s=%%zu\\n\", sizeof(%1$s));\n".formatted(type);
    }

    /** What a program of these statements prints. */
    private Map<String, String> headers(Stream<String> statements) throws Exception {
        Optional<Path> compiler = compiler();
        assumeTrue(compiler.isPresent(), "no C compiler (cc, gcc or clang) on PATH");
        Path source = directory.resolve("headers.c");
        Path program = directory.resolve("headers");
        Files.writeString(
                source,
                """
                #define _GNU_SOURCE
                #include <errno.h>
                #include <fcntl.h>
                #include <stdio.h>
                #include <sys/mman.h>
                #include <sys/syscall.h>
                #include <sys/types.h>
                #include <linux/capability.h>
                #include <linux/mman.h>
                int main(void) {
                %s
                    return 0;
                }
                """
                        .formatted(statements.collect(Collectors.joining())));
        run(List.of(compiler.get().toString(), "-o", program.toString(), source.toString()));
        return run(List.of(program.toString()))
                .lines()
                .map(line -> line.split("="))
                .collect(
                        Collectors.toMap(
                                parts -> parts[0], parts -> parts[1], (a, b) -> a, TreeMap::new));
    }

    private static String run(List<String> command) throws Exception {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes());
        assertThat(process.waitFor()).as(output).isZero();
        return output;
    }

    private static Optional<Path> compiler() {
        return Stream.of("cc", "gcc", "clang")
                .flatMap(
                        name ->
                                Stream.of(System.getenv("PATH").split(":"))
                                        .map(directory -> Path.of(directory, name)))
                .filter(Files::isExecutable)
                .findFirst();
    }
}
