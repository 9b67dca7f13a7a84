package dev.kernelalloc.struct;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.struct.SystemStructs.Declared;

import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** Structs of the installed headers, compared with their Java descriptions field by field. */
class SystemHeadersTest {

    private static final List<Class<?>> STRUCTS =
            Arrays.stream(SystemStructs.class.getDeclaredClasses())
                    .filter(c -> c.isAnnotationPresent(Declared.class))
                    .sorted(Comparator.comparing(Class::getName))
                    .toList();

    /** What the compiler says, by struct and fact. */
    private static final Map<String, String> FROM_C = new LinkedHashMap<>();

    @BeforeAll
    static void askTheCompiler() {
        assumeTrue(
                System.getProperty("os.name").equals("Linux")
                        && System.getProperty("os.arch").equals("amd64"),
                "skipped: these descriptions are of Linux on x86-64");
        StringBuilder program =
                new StringBuilder(
                        "#define _GNU_SOURCE\n"
                                + "#include <stdio.h>\n"
                                + "#include <stddef.h>\n"
                                + "#include <string.h>\n");
        STRUCTS.stream()
                .map(c -> c.getAnnotation(Declared.class).in())
                .distinct()
                .sorted()
                .forEach(header -> program.append("#include <").append(header).append(">\n"));
        program.append("int main(void) {\n");
        for (Class<?> struct : STRUCTS) {
            String c = struct.getAnnotation(Declared.class).as();
            facts(type(struct).model(), "", 0)
                    .forEach(fact -> program.append(fact.question(struct, c)));
            program.append(
                    "printf(\"%s size %%zu\\n\", sizeof(%s));"
                            .formatted(struct.getSimpleName(), c));
            program.append(
                    "printf(\"%s alignment %%zu\\n\", _Alignof(%s));\n"
                            .formatted(struct.getSimpleName(), c));
        }
        for (String line : CCompiler.run(program.append("}\n").toString())) {
            int value = line.lastIndexOf(' ');
            FROM_C.put(line.substring(0, value), line.substring(value + 1));
        }
    }

    @TestFactory
    Stream<DynamicTest> isLaidOutAsItsHeaderSays() {
        return STRUCTS.stream()
                .map(
                        c ->
                                DynamicTest.dynamicTest(
                                        c.getAnnotation(Declared.class).as(), () -> compare(c)));
    }

    @Test
    void atLeastTwentyFiveStructsAreCompared() {
        assertThat(STRUCTS).hasSizeGreaterThanOrEqualTo(25);
    }

    private static void compare(Class<?> struct) throws Throwable {
        StructType<?> type = type(struct);
        Map<String, String> expected = new LinkedHashMap<>();
        Map<String, String> actual = new LinkedHashMap<>();
        String name = struct.getSimpleName();
        actual.put(name + " size", Long.toString(type.byteSize()));
        actual.put(name + " alignment", Long.toString(type.byteAlignment()));
        for (Fact fact : facts(type.model(), "", 0)) {
            actual.put(name + " " + fact.path, fact.answer(type));
        }
        actual.keySet().forEach(fact -> expected.put(fact, FROM_C.get(fact)));
        assertThat(actual).isEqualTo(expected);
    }

    private static StructType<?> type(Class<?> struct) {
        return StructType.of(MethodHandles.lookup(), struct);
    }

    /** One member: where it lies and how large it is; of a bit-field, which bits it has. */
    private record Fact(String path, Member member, long base) {

        String question(Class<?> struct, String c) {
            String name = struct.getSimpleName();
            if (member.bits() > 0) {
                return "{ %s s; memset(&s, 0, sizeof s); s.%s = ~0; printf(\"%s %s \"); for (size_t i = 0; i < sizeof s; i++) printf(\"%%02x\", ((unsigned char *) &s)[i]); puts(\"\"); }\n"
                        .formatted(c, path, name, path);
            }
            String size =
                    member.flexible() ? "(size_t) 0" : "sizeof(((%s *) 0)->%s)".formatted(c, path);
            return "printf(\"%s %s %%zu+%%zu\\n\", offsetof(%s, %s), %s);\n"
                    .formatted(name, path, c, path, size);
        }

        String answer(StructType<?> type) throws Throwable {
            if (member.bits() == 0) {
                return (base + member.offset()) + "+" + member.byteSize();
            }
            MemorySegment ones = Arena.ofAuto().allocate(type.layout());
            MethodHandles.explicitCastArguments(
                            type.setter(path),
                            MethodType.methodType(
                                    void.class, MemorySegment.class, long.class, long.class))
                    .invoke(ones, 0L, -1L >>> 64 - member.bits());
            return HexFormat.of().formatHex(ones.toArray(ValueLayout.JAVA_BYTE));
        }
    }

    private static List<Fact> facts(StructModel struct, String prefix, long base) {
        List<Fact> facts = new ArrayList<>();
        for (Member member : struct.members()) {
            boolean unnamed = member.name().startsWith("anon");
            if (!unnamed) {
                facts.add(new Fact(prefix + member.name(), member, base));
            }
            if (member.element() instanceof Element.Nested nested && !member.isArray()) {
                String inner = unnamed ? prefix : prefix + member.name() + ".";
                facts.addAll(facts(nested.model(), inner, base + member.offset()));
            }
        }
        return facts;
    }
}
