package dev.kernelalloc.struct;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.kernelalloc.struct.RandomStruct.Flavour;
import dev.kernelalloc.struct.RandomStruct.Leaf;

import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Label;
import net.jqwik.api.Property;
import net.jqwik.api.ShrinkingMode;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * The C compiler as oracle for calls: structs go by value into C functions, out of them and into
 * Java, and every scalar arrives. The linker refuses some layouts; it never gets a wrong one.
 */
@SuppressWarnings("restricted") // calls C
class ByValueOracleTest {

    private static final int SMALL = 250;
    private static final int ANY = 50;

    @Property(tries = 1, shrinking = ShrinkingMode.OFF)
    @Label("What the linker takes arrives whole, whichever way it goes")
    void structs_passedByValue_arriveWhole(@ForAll long seed) throws Throwable {
        Random random = new Random(seed);
        List<RandomStruct> structs =
                Stream.concat(
                                IntStream.range(0, SMALL)
                                        .mapToObj(n -> RandomStruct.small(random, "V" + n)),
                                IntStream.range(0, ANY)
                                        .mapToObj(
                                                n ->
                                                        RandomStruct.random(
                                                                random, "W" + n, Flavour.SYSTEM_V)))
                        .filter(struct -> !struct.hasFlexible())
                        .toList();
        Path directory = Files.createTempDirectory("kernelalloc-by-value");
        try (URLClassLoader loader = CompilerOracleTest.compileJava(structs, directory);
                Arena arena = Arena.ofConfined()) {
            StringBuilder c = new StringBuilder(RandomStruct.cPrelude(Flavour.SYSTEM_V));
            structs.forEach(s -> c.append(s.cDeclaration(Flavour.SYSTEM_V)).append(s.cByValue()));
            Path library = CCompiler.library(c.toString(), directory);
            SymbolLookup symbols = SymbolLookup.libraryLookup(library, arena);
            MethodHandles.Lookup lookup =
                    (MethodHandles.Lookup)
                            loader.loadClass("Generated").getMethod("lookup").invoke(null);
            int passed = 0;
            for (RandomStruct struct : structs) {
                Class<?> view = loader.loadClass("Generated$" + struct.name());
                if (passes(struct, StructType.of(lookup, view), symbols)) {
                    passed++;
                }
            }
            assertThat(passed).isGreaterThan(SMALL / 2);
        } finally {
            CCompiler.delete(directory);
        }
    }

    /** Whether the linker takes it; then it arrives. */
    private static boolean passes(RandomStruct struct, StructType<?> type, SymbolLookup symbols)
            throws Throwable {
        MemoryLayout layout;
        MethodHandle in;
        MethodHandle out;
        MethodHandle call;
        try {
            layout = type.linkerLayout();
            in =
                    handle(
                            symbols.findOrThrow("in_" + struct.name()),
                            FunctionDescriptor.of(
                                    ValueLayout.JAVA_INT,
                                    ValueLayout.JAVA_INT,
                                    layout,
                                    ValueLayout.JAVA_DOUBLE,
                                    ValueLayout.JAVA_INT,
                                    ValueLayout.ADDRESS));
            out =
                    handle(
                            symbols.findOrThrow("out_" + struct.name()),
                            FunctionDescriptor.of(
                                    layout,
                                    ValueLayout.JAVA_INT,
                                    ValueLayout.ADDRESS,
                                    ValueLayout.JAVA_DOUBLE));
            call =
                    handle(
                            symbols.findOrThrow("call_" + struct.name()),
                            FunctionDescriptor.of(
                                    ValueLayout.JAVA_INT,
                                    ValueLayout.ADDRESS,
                                    ValueLayout.ADDRESS));
        } catch (IllegalArgumentException | UnsupportedOperationException e) {
            return false; // the linker's own limits
        }
        assertThat(layout.byteSize()).isEqualTo(type.byteSize());
        assertThat(layout.byteAlignment()).isEqualTo(type.byteAlignment());
        String what = struct.cDeclaration(Flavour.SYSTEM_V) + layout;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment written = arena.allocate(type.layout());
            for (Leaf leaf : struct.leaves()) {
                CompilerOracleTest.access(type.get(written), leaf, true);
            }
            MemorySegment received = arena.allocate(type.layout());
            assertThat((int) in.invoke(1, written, 2.0, 3, received)).as(what).isEqualTo(321);
            check(struct, type, received, what);

            MemorySegment returned =
                    (MemorySegment) out.invoke((SegmentAllocator) arena, 1, written, 2.0);
            check(struct, type, returned, what);

            Callback callback = new Callback(arena.allocate(type.layout()));
            MemorySegment stub =
                    Linker.nativeLinker()
                            .upcallStub(
                                    Callback.RECEIVE.bindTo(callback),
                                    FunctionDescriptor.of(
                                            ValueLayout.JAVA_INT,
                                            ValueLayout.JAVA_INT,
                                            layout,
                                            ValueLayout.JAVA_DOUBLE,
                                            ValueLayout.JAVA_INT),
                                    arena);
            assertThat((int) call.invoke(stub, written)).as(what).isEqualTo(321);
            check(struct, type, callback.received, what);
        }
        return true;
    }

    private static MethodHandle handle(MemorySegment function, FunctionDescriptor descriptor) {
        return Linker.nativeLinker().downcallHandle(function, descriptor);
    }

    private static void check(
            RandomStruct struct, StructType<?> type, MemorySegment memory, String what)
            throws Exception {
        try {
            for (Leaf leaf : struct.leaves()) {
                CompilerOracleTest.access(type.get(memory), leaf, false);
            }
        } catch (AssertionError e) {
            throw new AssertionError(what, e);
        }
    }

    private record Callback(MemorySegment received) {

        private static final MethodHandle RECEIVE;

        static {
            try {
                RECEIVE =
                        MethodHandles.lookup()
                                .findVirtual(
                                        Callback.class,
                                        "receive",
                                        MethodType.methodType(
                                                int.class,
                                                int.class,
                                                MemorySegment.class,
                                                double.class,
                                                int.class));
            } catch (ReflectiveOperationException e) {
                throw new ExceptionInInitializerError(e);
            }
        }

        int receive(int a, MemorySegment struct, double b, int c) {
            received.copyFrom(struct);
            return a + 10 * (int) b + 100 * c;
        }
    }

    // ---- the limits -----------------------------------------------------------------------------

    @Struct(packed = true, align = 4)
    record Crossing(byte a, byte b, byte c, @Bits(20) int d) {}

    @Union
    interface Real {
        @Length(3)
        float real(int index);
    }

    interface RealThenBits {
        Real real();

        @Bits(20)
        long bits();
    }

    record NoBits(int a, double b) {}

    record Nested(RandomBits bits, float after) {}

    record RandomBits(@Bits(5) int r, @Bits(6) int g, @Bits(5) int b) {}

    @Example
    void linkerLayout_withoutBitFields_isTheLayout() {
        StructType<NoBits> type = StructType.of(MethodHandles.lookup(), NoBits.class);
        assertThat(type.linkerLayout()).isSameAs(type.layout());
    }

    @Example
    void linkerLayout_ofNestedBitFields_hasIntegersForThem() {
        StructType<Nested> type = StructType.of(MethodHandles.lookup(), Nested.class);
        assertThat(type.linkerLayout())
                .hasToString("[[i4](RandomBits)f4](Nested)")
                .isNotEqualTo(type.layout());
    }

    @Example
    void linkerLayout_thatCannotBe_isRefusedByName() {
        List<Class<?>> impossible = new ArrayList<>(List.of(Crossing.class, RealThenBits.class));
        for (Class<?> type : impossible) {
            StructType<?> struct = StructType.of(MethodHandles.lookup(), type);
            assertThatExceptionOfType(UnsupportedOperationException.class)
                    .isThrownBy(struct::linkerLayout)
                    .withMessageMatching("(?s)(d crosses|RealThenBits: a bit-field shares).*");
        }
    }
}
