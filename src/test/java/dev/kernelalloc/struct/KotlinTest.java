package dev.kernelalloc.struct;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.List;

/** Structs written in Kotlin lie where C puts them, or are refused. */
class KotlinTest {

    private static final String SOURCE =
            """
            package kotlins

            import dev.kernelalloc.struct.*
            import java.lang.foreign.MemorySegment

            interface Counter {
                var value: Long
                val flags: Int
                @get:Bits(3) var low: Int
                var isOpen: Boolean
                @get:C(CType.UNSIGNED_INT) var truth: Boolean
                @get:Length(6) var name: String
                @get:Length(4) val data: MemorySegment
                var next: Pointer<Counter>
                var at: Point
                @get:Length(3) var counts: IntArray
                @Length(2) fun getPair(i: Int): Short
                fun setPair(i: Int, value: Short)
                @Atomic("value") fun getAndAddValue(delta: Long): Long
                fun twice() = 2 * value
            }

            interface More : Counter {
                /** Says more of a member. */
                override var value: Long
                override val flags: Int get() = 7
                var more: Int
            }

            @JvmRecord
            data class Point(val x: Int, @get:Align(16) val y: Short)

            @JvmRecord
            data class Named(
                @get:Length(8) val name: String,
                @get:Length(2) val pair: LongArray,
                @get:C(CType.UNSIGNED_CHAR) val level: Int)

            interface Unsigned { var value: UInt }

            interface TwoGetters { val isOpen: Boolean; val open: Boolean }

            interface Mixed { var value: Int; fun other(): Int }

            interface Hash { val id: Int; override fun hashCode(): Int }

            interface Notify { fun notify(): Int; fun notify(value: Int); fun after(): Int }

            class Uses {
                companion object {
                    @JvmStatic fun lookup() = java.lang.invoke.MethodHandles.lookup()

                    @JvmStatic fun use(counter: Counter): String {
                        counter.value = 7
                        counter.low = 5
                        counter.isOpen = true
                        counter.truth = true
                        counter.name = "abc"
                        counter.at = Point(3, 4)
                        counter.counts = intArrayOf(1, 2, 3)
                        counter.setPair(1, 9)
                        counter.getAndAddValue(1)
                        return "${counter.twice()} $counter"
                    }
                }
            }
            """;

    @TempDir private static Path directory;
    private static URLClassLoader loader;
    private static MethodHandles.Lookup lookup;

    @BeforeAll
    static void compile() throws Exception {
        loader = KotlinCompiler.compile(SOURCE, directory);
        lookup =
                (MethodHandles.Lookup)
                        loader.loadClass("kotlins.Uses").getMethod("lookup").invoke(null);
    }

    @AfterAll
    static void close() throws IOException {
        loader.close();
    }

    @Test
    @DisplayName("A property is one member, at the place that C gives it")
    void properties_areLaidOutAsTheCompilerDoes() throws Exception {
        List<String> offsets =
                CCompiler.run(
                        """
                        #include <stdio.h>
                        #include <stddef.h>
                        #include <stdint.h>
                        #include <stdbool.h>
                        struct point { int32_t x; int16_t y __attribute__((aligned(16))); };
                        struct counter {
                            int64_t value; int32_t flags; uint32_t low : 3; bool open;
                            unsigned truth; char name[6]; unsigned char data[4]; void *next;
                            struct point at; int32_t counts[3]; int16_t pair[2];
                        };
                        #define AT(member) printf("%zu\\n", offsetof(struct counter, member))
                        int main(void) {
                            printf("%zu\\n", sizeof(struct counter));
                            AT(value); AT(flags); AT(open); AT(truth); AT(name); AT(data);
                            AT(next); AT(at); AT(counts); AT(pair);
                            return 0;
                        }
                        """);
        StructType<?> type = type("Counter");
        assertThat(type.byteSize()).hasToString(offsets.getFirst());
        List<String> names =
                List.of(
                        "value", "flags", "open", "truth", "name", "data", "next", "at", "counts",
                        "pair");
        assertThat(names.stream().map(name -> String.valueOf(offset(type, name))))
                .containsExactlyElementsOf(offsets.subList(1, offsets.size()));
    }

    @Test
    @DisplayName("Properties, functions and operations reach their members")
    void accessors_ofKotlin_reachTheirMembers() throws Exception {
        StructType<?> type = type("Counter");
        MemorySegment memory = Arena.ofAuto().allocate(type.layout());
        Object view = type.get(memory);
        Object text =
                loader.loadClass("kotlins.Uses")
                        .getMethod("use", loader.loadClass("kotlins.Counter"))
                        .invoke(null, view);
        assertThat(text)
                .hasToString(
                        "16 Counter[value=8, flags=0, low=5, open=true, truth=true, name=\"abc\","
                                + " data=4 bytes, next=Counter * 0x0, at=Point[x=3, y=4],"
                                + " counts=[1, 2, 3], pair=[0, 9]]");
    }

    @Test
    @DisplayName("An overridden property keeps its place, with a body of its own too")
    void properties_overridden_keepTheirPlaces() throws Exception {
        StructType<?> type = type("More");
        StructType<?> base = type("Counter");
        assertThat(offset(type, "value")).isZero();
        assertThat(offset(type, "flags")).isEqualTo(offset(base, "flags"));
        assertThat(offset(type, "pair")).isEqualTo(offset(base, "pair"));
        assertThat(offset(type, "more")).isEqualTo(offset(base, "pair") + 4);
    }

    @Test
    @DisplayName("A record's annotations may stand on its getters")
    void records_annotatedOnGetters_areLaidOut() throws Exception {
        StructType<?> type = type("Named");
        assertThat(type.byteSize()).isEqualTo(32);
        assertThat(offset(type, "pair")).isEqualTo(8);
        assertThat(offset(type, "level")).isEqualTo(24);
        assertThat(type("Point").byteSize()).isEqualTo(32);
    }

    @Test
    @DisplayName("What is no member of a struct is refused by name")
    void declarations_thatAreNotUnderstood_areRefused() {
        assertThat(refusal("Unsigned")).contains("has a value class of Kotlin in its signature");
        assertThat(refusal("TwoGetters")).contains("are getters of one member");
        assertThat(refusal("Mixed"))
                .contains("Mixed.getValue: is named with get, set or is, and other is not");
        assertThat(refusal("Hash")).contains("Hash.hashCode: is a method of every object");
    }

    @Test
    @DisplayName("A member may have the name of a method that Java forbids")
    void members_namedLikeFinalMethodsOfObject_work() throws Exception {
        StructType<?> type = type("Notify");
        assertThat(type.layout().byteSize()).isEqualTo(8);
    }

    @Test
    @DisplayName("A function whose body is outside the interface is no member")
    void bodies_outsideTheInterface_areRefused(@TempDir Path other) throws Exception {
        String source =
                """
                package old
                interface Doubles { var value: Int; val half: Int get() = value / 2 }
                class Uses {
                    companion object {
                        @JvmStatic fun lookup() = java.lang.invoke.MethodHandles.lookup()
                    }
                }
                """;
        try (URLClassLoader old = KotlinCompiler.compile(source, other, "-jvm-default=disable")) {
            MethodHandles.Lookup there =
                    (MethodHandles.Lookup)
                            old.loadClass("old.Uses").getMethod("lookup").invoke(null);
            Class<?> doubles = old.loadClass("old.Doubles");
            StructDefinitionException e =
                    catchThrowableOfType(
                            StructDefinitionException.class, () -> StructType.of(there, doubles));
            assertThat(e).hasMessageContaining("Doubles.getHalf: has a body in Kotlin");
        }
    }

    private static StructType<?> type(String name) throws ClassNotFoundException {
        return StructType.of(lookup, loader.loadClass("kotlins." + name));
    }

    private static long offset(StructType<?> type, String member) {
        return type.layout().byteOffset(MemoryLayout.PathElement.groupElement(member));
    }

    private static String refusal(String name) {
        return catchThrowableOfType(StructDefinitionException.class, () -> type(name)).getMessage();
    }
}
