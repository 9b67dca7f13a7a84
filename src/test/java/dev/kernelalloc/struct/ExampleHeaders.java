package dev.kernelalloc.struct;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.foreign.GroupLayout;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.UnionLayout;
import java.lang.reflect.Field;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Compares what an example says about the kernel's interface with the installed headers, which a C
 * compiler reads. The example is compiled and its types are made, but it is not run.
 *
 * <p>A member is the C member of the same name, written with underscores: {@code ringMask} is
 * {@code ring_mask}.
 */
public final class ExampleHeaders {

    private static final Path PROJECT = Path.of(System.getProperty("project.basedir"));

    private final String example;
    private final List<String> headers;

    /** Compares {@code examples/<example>.java} with headers such as {@code linux/kvm.h}. */
    public ExampleHeaders(String example, List<String> headers) {
        this.example = example;
        this.headers = headers;
    }

    /**
     * Compares offset and size of every member of some structs, and their sizes and alignments.
     *
     * @param structs the C type of each constant of the example that is a {@link StructType}
     * @param unnamed members that have no name in C, whose members C finds one level up
     */
    public void compareStructs(Map<String, String> structs, List<String> unnamed)
            throws IOException {
        Map<String, String> ours = new LinkedHashMap<>();
        StringBuilder questions = new StringBuilder();
        withClasses(
                loader ->
                        structs.forEach(
                                (name, type) -> {
                                    GroupLayout layout = layout(loader, name);
                                    String whole = layout.byteSize() + " " + layout.byteAlignment();
                                    ours.put(type, whole);
                                    questions.append(
                                            "printf(\"%1$s=%%zu %%zu\\n\", sizeof(%1$s), _Alignof(%1$s));\n"
                                                    .formatted(type));
                                    members(layout, "", 0, unnamed)
                                            .forEach(
                                                    (member, place) -> {
                                                        ours.put(type + " " + member, place);
                                                        questions.append(ask(type, member));
                                                    });
                                }));
        assertThat(ours).hasSizeGreaterThan(structs.size());
        assertThat(ours).isEqualTo(answers(questions));
    }

    /** Compares every constant of a nested type with the macro of its name. */
    public void compareConstants(String holder) throws IOException {
        Map<String, String> ours = new LinkedHashMap<>();
        StringBuilder questions = new StringBuilder();
        withClasses(
                loader -> {
                    for (Field field : nested(loader, holder).getDeclaredFields()) {
                        String name = field.getName();
                        ours.put(name, value(field));
                        questions.append(
                                "printf(\"%1$s=%%lld\\n\", (long long) (%2$s) (%1$s));\n"
                                        .formatted(
                                                name,
                                                field.getType() == int.class
                                                        ? "int"
                                                        : "long long"));
                    }
                });
        assertThat(ours).isNotEmpty().isEqualTo(answers(questions));
    }

    private interface Body {
        void accept(ClassLoader loader);
    }

    private void withClasses(Body body) throws IOException {
        Path directory = Files.createTempDirectory("kernelalloc-example");
        try {
            CCompiler.execute(
                    List.of(
                            Path.of(System.getProperty("java.home"), "bin", "javac").toString(),
                            "--class-path",
                            PROJECT.resolve("target/classes").toString(),
                            "-d",
                            directory.toString(),
                            PROJECT.resolve("examples/" + example + ".java").toString()));
            URL[] classes = {directory.toUri().toURL()};
            try (URLClassLoader loader =
                    new URLClassLoader(classes, ExampleHeaders.class.getClassLoader())) {
                body.accept(loader);
            }
        } finally {
            CCompiler.delete(directory);
        }
    }

    private Class<?> nested(ClassLoader loader, String name) {
        try {
            return Class.forName(example + "$" + name, false, loader);
        } catch (ClassNotFoundException e) {
            throw new AssertionError(e);
        }
    }

    private GroupLayout layout(ClassLoader loader, String constant) {
        try {
            Class<?> program = Class.forName(example, true, loader);
            ExampleHeaders.class.getModule().addReads(program.getModule());
            Field field = program.getDeclaredField(constant);
            field.setAccessible(true);
            return ((StructType<?>) field.get(null)).layout();
        } catch (ReflectiveOperationException e) {
            throw new AssertionError(e);
        }
    }

    private static String value(Field field) {
        try {
            ExampleHeaders.class.getModule().addReads(field.getDeclaringClass().getModule());
            field.setAccessible(true);
            return field.get(null).toString();
        } catch (IllegalAccessException e) {
            throw new AssertionError(e);
        }
    }

    private static Map<String, String> members(
            GroupLayout group, String prefix, long base, List<String> unnamed) {
        Map<String, String> members = new LinkedHashMap<>();
        long next = base;
        for (MemoryLayout member : group.memberLayouts()) {
            long offset = group instanceof UnionLayout ? base : next;
            next += member.byteSize();
            if (member.name().isPresent()) {
                String name = member.name().get();
                boolean named = !unnamed.contains(name);
                String path = prefix + underscored(name);
                if (named) {
                    members.put(path, offset + " " + member.byteSize());
                }
                if (member instanceof GroupLayout inner) {
                    members.putAll(members(inner, named ? path + "." : prefix, offset, unnamed));
                }
            }
        }
        return members;
    }

    private static String underscored(String name) {
        return name.replaceAll("([A-Z])", "_$1").toLowerCase(Locale.ROOT);
    }

    private static String ask(String type, String member) {
        return "printf(\"%1$s %2$s=%%zu %%zu\\n\", offsetof(%1$s, %2$s), sizeof(((%1$s *) 0)->%2$s));\n"
                .formatted(type, member);
    }

    private Map<String, String> answers(CharSequence questions) {
        StringBuilder program =
                new StringBuilder("#define _GNU_SOURCE\n#include <stdio.h>\n#include <stddef.h>\n");
        headers.forEach(header -> program.append("#include <" + header + ">\n"));
        program.append("int main(void) {\n").append(questions).append("}\n");
        Map<String, String> answers = new LinkedHashMap<>();
        for (String line : CCompiler.run(program.toString())) {
            String[] parts = line.split("=");
            answers.put(parts[0], parts[1]);
        }
        return answers;
    }
}
