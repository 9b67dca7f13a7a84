package dev.kernelalloc.process;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.NativeArray;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.NativeString;
import dev.kernelalloc.NativeVec;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.struct.StructType;
import dev.kernelalloc.testing.ChildJvm;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.reflect.Field;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A first use that meets the end of the stack or of the Java heap fails, and the next one works.
 * Each attempt is a first use, as it has the library in a class loader of its own.
 */
class FirstUseAgainTest {

    record Pair(long first, long second) {}

    private static final Pattern COPY_FOR_A_STRUCT =
            Pattern.compile(
                    "^dev\\.kernelalloc\\.((Array|Lease|Slice|Vec)Of|process\\.Pair\\$(Box|Struct))[/+]0x");

    /** What a program may do first. */
    enum Use {
        POOL(
                () -> {
                    try (PoolAllocator pool = PoolAllocator.create()) {
                        pool.free(pool.allocate(100, 8));
                    }
                }),
        SHARED(() -> use(PoolAllocator.shared())),
        SYSTEM_HEAP(() -> use(PoolAllocator.systemHeap())),
        GLOBAL(() -> use(KernelAllocator.global())),
        PHYSICAL(
                () -> {
                    try (PhysicalAllocator physical = PhysicalAllocator.create()) {
                        physical.stats();
                    }
                }),
        ARENA(
                () -> {
                    try (Arena arena = KernelAllocator.global().arena()) {
                        arena.allocate(100, 8);
                    }
                }),
        SHARED_ARENA(
                () -> {
                    try (Arena arena = KernelAllocator.global().sharedArena()) {
                        arena.allocate(100, 8);
                    }
                }),
        BOX(() -> NativeBox.zeroed(pair()).close()),
        ARRAY(() -> NativeArray.zeroed(pair(), 10).close()),
        VEC(
                () -> {
                    try (NativeVec<Pair> vec = NativeVec.create(pair())) {
                        vec.add(new Pair(1, 2));
                    }
                }),
        STRING(() -> NativeString.of("text").close());

        final Runnable once;

        Use(Runnable once) {
            this.once = once;
        }

        private static void use(KernelAllocator allocator) {
            MemorySegment block = allocator.allocate(100, 8);
            allocator.free(block);
        }

        private static StructType<Pair> pair() {
            return StructType.of(MethodHandles.lookup(), Pair.class);
        }
    }

    @DisplayName("Where the stack ends in a first use, the next use works")
    @ParameterizedTest
    @EnumSource(names = {"POOL", "SYSTEM_HEAP", "PHYSICAL", "BOX", "VEC"})
    void firstUse_atTheEndOfTheStack_canBeRepeated(Use use) throws Exception {
        assertRepeatable(AtTheEndOfTheStack.class, use);
    }

    @DisplayName("Where the Java heap is full at a first use, the next use works")
    @ParameterizedTest
    @EnumSource(names = {"POOL", "PHYSICAL", "BOX", "VEC"})
    void firstUse_withAFullJavaHeap_canBeRepeated(Use use) throws Exception {
        assertRepeatable(WithAFullJavaHeap.class, use);
    }

    /** A compiled frame is smaller than the interpreter's, by which the stack was measured. */
    private static final String FRAMES_OF_ONE_SIZE =
            "-XX:CompileCommand=exclude,*AtTheEndOfTheStack::descend";

    private static void assertRepeatable(Class<?> main, Use use) throws Exception {
        String output =
                ChildJvm.onClassPath()
                        .withNativeAccess()
                        .with("-Xmx32m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
                        .with("-XX:CompileCommand=quiet", FRAMES_OF_ONE_SIZE)
                        .outputOf(main, use.name());
        assertThat(output)
                .contains("failed at first: some")
                .contains("worked at first: some")
                .contains("failed then: 0");
    }

    @DisplayName("A bad value of a system property is explained at every use")
    @ParameterizedTest
    @CsvSource({
        "tracking, POOL",
        "tracking, SHARED",
        "tracking, SYSTEM_HEAP",
        "tracking, GLOBAL",
        "tracking, PHYSICAL",
        "hardened, POOL",
        "hardened, SHARED",
        "limit, SHARED",
        "limit, GLOBAL",
        "global, GLOBAL"
    })
    void property_ofABadValue_isExplainedAtEveryUse(String property, Use use) throws Exception {
        String flag = "-Ddev.kernelalloc." + property + "=bogus";
        String output =
                ChildJvm.onModulePath()
                        .withNativeAccess()
                        .with(flag)
                        .outputOf(Explained.class, use.name());
        assertThat(output.lines())
                .filteredOn(line -> line.startsWith("IllegalArgumentException: " + flag))
                .hasSize(3);
    }

    @DisplayName("After preloading, first uses load no class of the library")
    @Test
    void preload_leavesNothingOfTheLibraryToLoad() throws Exception {
        String output =
                ChildJvm.onModulePath()
                        .withNativeAccess()
                        .with("-Xlog:class+load=info:stdout:none", "-Xshare:off")
                        .outputOf(Preloaded.class);
        List<String> lines = output.lines().toList();
        assertThat(lines).contains("preloaded", "used");
        assertThat(lines.subList(lines.indexOf("preloaded"), lines.indexOf("used")))
                .filteredOn(line -> line.startsWith("dev.kernelalloc."))
                .filteredOn(line -> !line.startsWith(FirstUseAgainTest.class.getName()))
                .filteredOn(line -> !COPY_FOR_A_STRUCT.matcher(line).find())
                .isEmpty();
    }

    static final class Preloaded {
        private Preloaded() {}

        static void main(String[] arguments) {
            KernelAllocator.preload();
            IO.println("preloaded");
            for (Use use : Use.values()) {
                try {
                    use.once.run();
                } catch (AllocationException e) {
                    IO.println("refused here: " + e.getMessage());
                }
            }
            IO.println("used");
        }
    }

    static final class Explained {
        private Explained() {}

        static void main(String[] arguments) {
            for (int i = 0; i < 3; i++) {
                try {
                    Use.valueOf(arguments[0]).once.run();
                    IO.println("no exception");
                } catch (Throwable e) {
                    IO.println(e.getClass().getSimpleName() + ": " + e.getMessage());
                }
            }
        }
    }

    /** Loads a copy of the library from files that were read beforehand. */
    private static final class OwnClasses extends ClassLoader {

        private static final Map<String, byte[]> FILES = new HashMap<>();

        OwnClasses() {
            super(getPlatformClassLoader());
        }

        static void read() throws IOException {
            String path = System.getProperty("java.class.path");
            for (String entry : path.split(File.pathSeparator)) {
                Path root = Path.of(entry);
                try (Stream<Path> files = Files.walk(root)) {
                    for (Path file : files.filter(OwnClasses::isNeeded).toList()) {
                        FILES.put(root.relativize(file).toString(), Files.readAllBytes(file));
                    }
                }
            }
        }

        private static boolean isNeeded(Path file) {
            String name = file.getFileName().toString();
            return name.endsWith(".class")
                    && (!name.contains("Test") || name.startsWith("FirstUseAgainTest"));
        }

        @Override
        protected Class<?> findClass(String name) throws ClassNotFoundException {
            byte[] code = FILES.get(name.replace('.', File.separatorChar) + ".class");
            if (code == null) {
                throw new ClassNotFoundException(name);
            }
            return defineClass(name, code, 0, code.length);
        }

        @Override
        public InputStream getResourceAsStream(String name) {
            byte[] file = FILES.get(name);
            return file == null ? super.getResourceAsStream(name) : new ByteArrayInputStream(file);
        }
    }

    /** Uses by classes that nobody else has loaded. */
    private static final class Attempts {
        private int failed;
        private int worked;
        private final List<String> failedThen = new ArrayList<>();

        private static Runnable fresh(String use) throws ReflectiveOperationException {
            Class<?> uses = new OwnClasses().loadClass(Use.class.getName());
            for (Object constant : uses.getEnumConstants()) {
                if (constant.toString().equals(use)) {
                    Field once = uses.getDeclaredField("once");
                    once.setAccessible(true);
                    return (Runnable) once.get(constant);
                }
            }
            throw new NoSuchFieldException(use);
        }

        private interface Under {
            void run(Runnable once) throws Exception;
        }

        void attempt(String use, Under pressure) throws Exception {
            Runnable once = fresh(use);
            try {
                pressure.run(once);
                worked++;
            } catch (StackOverflowError | OutOfMemoryError | AllocationException _) {
                failed++;
            } catch (RuntimeException | Error e) {
                failed++; // of the other loader, or what a failed initializer is wrapped in
            }
            try {
                once.run();
            } catch (Throwable e) {
                failedThen.add(e + " caused by " + e.getCause());
            }
        }

        void print() {
            IO.println("failed at first: " + (failed > 0 ? "some" : "none"));
            IO.println("worked at first: " + (worked > 0 ? "some" : "none"));
            IO.println("failed then: " + failedThen.size());
            failedThen.forEach(IO::println);
        }
    }

    static final class AtTheEndOfTheStack {
        private static final int FEWEST_FRAMES = 10;
        private static final int MOST_FRAMES = 6_000;

        private AtTheEndOfTheStack() {}

        static void main(String[] arguments) throws Exception {
            OwnClasses.read();
            Attempts.fresh(arguments[0]).run(); // what the JDK needs for it is loaded
            int deepest = deepest();
            Attempts attempts = new Attempts();
            for (int left = FEWEST_FRAMES; left < MOST_FRAMES; left += 10 + left / 3) {
                int frames = deepest - left;
                attempts.attempt(arguments[0], once -> descend(frames, once));
            }
            attempts.print();
        }

        private static int deepest() {
            int most = 1;
            int least = 1;
            int tooMany = 1 << 20;
            while (tooMany - least > 1) {
                most = least + tooMany >>> 1;
                try {
                    descend(most, () -> {});
                    least = most;
                } catch (StackOverflowError _) {
                    tooMany = most;
                }
            }
            return least;
        }

        private static int descend(int frames, Runnable last) {
            if (frames == 0) {
                last.run();
                return 0;
            }
            return descend(frames - 1, last) + 1;
        }
    }

    static final class WithAFullJavaHeap {
        private static final int LEAST_BYTES = 1 << 10;
        private static final int MOST_BYTES = 12 << 20;

        private static Object[] filled;

        private WithAFullJavaHeap() {}

        static void main(String[] arguments) throws Exception {
            OwnClasses.read();
            Attempts.fresh(arguments[0]).run();
            Attempts attempts = new Attempts();
            for (int left = LEAST_BYTES; left < MOST_BYTES; left *= 2) {
                int room = left;
                attempts.attempt(
                        arguments[0],
                        once -> {
                            byte[] kept = new byte[room];
                            try {
                                fill();
                                kept = null;
                                once.run();
                            } finally {
                                filled = kept == null ? null : new Object[0];
                            }
                        });
            }
            attempts.print();
        }

        private static void fill() {
            filled = new Object[1];
            for (int bytes = 1 << 20; bytes >= 16; bytes >>= 8) {
                try {
                    while (true) {
                        filled[0] = new Object[] {filled[0], new byte[bytes]};
                    }
                } catch (OutOfMemoryError _) {
                    // smaller ones
                }
            }
        }
    }
}
