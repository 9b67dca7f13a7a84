package dev.kernelalloc.process;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.NativeArray;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.NativeString;
import dev.kernelalloc.NativeVec;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.struct.StructType;
import dev.kernelalloc.testing.ChildJvm;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Texts of the library and the tool are the same in every locale: digits are ASCII. */
class LocaleTest {

    private static final Path ROOT = Path.of(System.getProperty("project.basedir", "."));

    /** What formats or changes case in the locale of the process. */
    private static final Pattern OF_THE_PROCESS =
            Pattern.compile(
                    "\\.formatted\\("
                            + "|String\\.format\\(\\s*+(?!Locale\\.)"
                            + "|\\.printf\\(\\s*+(?!Locale\\.)"
                            + "|\\.format\\(\\s*\""
                            + "|new Formatter\\(\\)"
                            + "|\\.to(Upper|Lower)Case\\(\\)"
                            + "|java\\.text\\.");

    @DisplayName("Every format of the library and the tool names its locale")
    @ParameterizedTest
    @ValueSource(strings = {"src/main/java", "cli/src/main/java"})
    void everyFormat_namesItsLocale(String sources) throws IOException {
        List<String> found = new ArrayList<>();
        int files = 0;
        try (Stream<Path> all = Files.walk(ROOT.resolve(sources))) {
            for (Path file : all.filter(path -> path.toString().endsWith(".java")).toList()) {
                files++;
                String code = Files.readString(file);
                OF_THE_PROCESS
                        .matcher(code)
                        .results()
                        .forEach(
                                use ->
                                        found.add(
                                                file.getFileName()
                                                        + ":"
                                                        + line(code, use.start())
                                                        + " "
                                                        + use.group()));
            }
        }
        assertThat(files).isGreaterThan(20);
        assertThat(found).as("use String.format(Locale.ROOT, …)").isEmpty();
    }

    private static long line(String code, int at) {
        return 1 + code.substring(0, at).chars().filter(c -> c == '\n').count();
    }

    @DisplayName("Texts have ASCII digits where the locale has others")
    @Test
    void texts_inALocaleWithOtherDigits_haveAsciiDigits() throws Exception {
        String output =
                ChildJvm.onModulePath()
                        .withNativeAccess()
                        .with("-Duser.language=ar", "-Duser.country=EG")
                        .with("-Dstdout.encoding=UTF-8") // also under LC_ALL=C
                        .outputOf(Texts.class);
        assertThat(output.lines().toList()).hasSizeGreaterThan(10).startsWith("the locale's: ١٢٣");
        assertThat(output.lines().skip(1))
                .allMatch(
                        line -> line.chars().noneMatch(c -> c > 127 && Character.isDigit(c)),
                        "only ASCII digits");
    }

    static final class Texts {

        private record Pair(long first, int second) {}

        private Texts() {}

        static void main(String[] arguments) {
            IO.println("the locale's: " + "%d".formatted(123));
            StructType<Pair> type = StructType.of(MethodHandles.lookup(), Pair.class);
            PoolAllocator pool = PoolAllocator.builder().tag("texts").limit(8 << 20).build();
            IO.println(type.describe());
            IO.println(pool.stats().describe());
            IO.println(pool);
            try (NativeBox<Pair> box = NativeBox.zeroed(pool, type);
                    NativeArray<Pair> array = NativeArray.zeroed(pool, type, 5);
                    NativeVec<Pair> vec = NativeVec.withCapacity(pool, type, 5);
                    NativeString text = NativeString.of(pool, "text")) {
                IO.println(box);
                IO.println(array);
                IO.println(vec);
                IO.println(text.describe());
                print(() -> array.get(12));
                print(() -> array.copyFrom(new Pair[3]));
            }
            print(() -> pool.allocate(100 << 20, 8));
            print(() -> pool.allocate(10, 3));
            print(() -> pool.allocate(-1, 8));
            print(() -> pool.free(MemorySegment.ofAddress(0x1234)));
            print(() -> NativeString.of("a\ud800"));
        }

        private static void print(Runnable refused) {
            try {
                refused.run();
            } catch (RuntimeException e) {
                IO.println(e.getMessage());
            }
        }
    }
}
