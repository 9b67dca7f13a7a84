package dev.kernelalloc.struct;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * Structs in programs of their own: in a module that opens and exports nothing, and on the class
 * path, where native access is denied to all but the library.
 */
class IsolationTest {

    private static final String PROGRAM =
            """
            package user;

            import dev.kernelalloc.struct.*;
            import java.lang.foreign.*;
            import java.lang.invoke.MethodHandles;

            public final class Program {
                private enum Color { @EnumValue(3) RED }
                private record Point(int x, int y) {}
                private interface Node {
                    Point at(); void at(Point value);
                    Color color(); void color(Color value);
                    @Bits(3) int bits(); void bits(int value);
                    @Length(8) String name(); void name(String value);
                    Pointer<Node> next(); void next(Pointer<Node> value);
                    @Access(MemoryOrder.VOLATILE) int state(); void state(int value);
                    @Atomic("state") int getAndAddState(int delta);
                    @Length(2) Point[] points(); void points(Point[] value);
                }
                private record All(Point point, Color color, Node node, Pointer<All> next) {}

                public static void main(String[] args) {
                    StructType<Node> type = StructType.of(MethodHandles.lookup(), Node.class);
                    StructType<All> all = StructType.of(MethodHandles.lookup(), All.class);
                    try (Arena arena = Arena.ofConfined()) {
                        Node node = type.get(arena.allocate(type.layout()));
                        node.at(new Point(1, 2));
                        node.color(Color.RED);
                        node.bits(5);
                        node.name("abc");
                        node.next(Pointer.to(type, ((StructView) node).asSegment()));
                        node.getAndAddState(7);
                        node.points(new Point[] {new Point(3, 4), new Point(5, 6)});
                        MemorySegment memory = arena.allocate(all.layout());
                        all.set(memory, new All(new Point(7, 8), Color.RED, node, Pointer.nullPointer(all)));
                        all.set(memory, all.get(memory));
                        System.out.println(all.get(memory).node().name() + node.next().get().state());
                        System.out.println(Program.class.getModule());
                    }
                }
            }
            """;

    /**
     * What code in the module of a struct gets at: the class of its boxes lies there. It calls
     * whatever that class has, with what does harm, and looks at the memory around its own box.
     */
    private static final String ATTACK =
            """
            package user;

            import dev.kernelalloc.*;
            import dev.kernelalloc.struct.*;
            import java.lang.foreign.*;
            import java.lang.invoke.*;
            import java.lang.reflect.*;
            import java.util.*;

            public final class Program {
                private record Inner(int a, long b) {}
                private record Outer(Inner in, short s, @Length(3) byte[] bytes) {}
                private interface View {
                    long first(); void first(long value);
                    @Length(4) int items(long i); void items(long i, int value);
                    Inner in(); void in(Inner value);
                    @Length(2) Inner more(long i); void more(long i, Inner value);
                    @Access(MemoryOrder.VOLATILE) int state(); void state(int value);
                    @Atomic("state") int getAndAddState(int delta);
                    @Length(8) String name(); void name(String value);
                }

                private static final long[] EVIL = {-1, 1, 8, -64, 4095, 1 << 20, Long.MAX_VALUE, Long.MIN_VALUE};
                private static int calls;

                public static void main(String[] args) throws Throwable {
                    attack(StructType.of(MethodHandles.lookup(), View.class), null);
                    attack(StructType.of(MethodHandles.lookup(), Outer.class),
                            new Outer(new Inner(-1, -1), (short) -1, new byte[] {-1, -1, -1}));
                    System.out.println(calls > 200 ? "intact" : "only " + calls + " calls");
                }

                private static <T> void attack(StructType<T> type, Object value) throws Throwable {
                    PoolAllocator pool = PoolAllocator.create();
                    List<NativeBox<T>> boxes = new ArrayList<>();
                    for (int i = 0; i < 101; i++) boxes.add(NativeBox.zeroed(pool, type));
                    NativeBox<T> closed = NativeBox.zeroed(pool, type);
                    closed.close();
                    NativeBox<T> own = boxes.remove(50);
                    Class<?> hidden = own.getClass();
                    MethodHandles.Lookup lookup = MethodHandles.privateLookupIn(hidden, MethodHandles.lookup());
                    refused(() -> MethodHandles.privateLookupIn(hidden.getSuperclass(), MethodHandles.lookup()));
                    refused(() -> MethodHandles.privateLookupIn(StructType.class, MethodHandles.lookup()));
                    refused(() -> MethodHandles.classData(lookup, "_", List.class));
                    refused(() -> MethodHandles.classDataAt(lookup, "_", Object.class, 0));
                    refused(() -> lookup.findSpecial(Object.class, "clone", MethodType.methodType(Object.class), hidden).invoke(own));
                    for (Field field : hidden.getDeclaredFields())
                        throw new AssertionError("a field to look into: " + field);
                    List<Object> targets = new ArrayList<>(List.of(own, closed));
                    List<MethodHandle> makers = new ArrayList<>();
                    for (Constructor<?> constructor : hidden.getDeclaredConstructors())
                        makers.add(lookup.unreflectConstructor(constructor));
                    Method newBox = type.getClass().getDeclaredMethod("newBox", Object.class, Object.class, Object.class, long.class);
                    makers.add(MethodHandles.privateLookupIn(type.getClass(), MethodHandles.lookup()).unreflect(newBox).bindTo(type));
                    for (MethodHandle maker : makers)
                        for (Object key : Arrays.asList(null, new Object(), type, own, closed, "", hidden, lookup))
                            for (long evil : EVIL)
                                refused(() -> maker.invokeWithArguments(key, null, null, evil));
                    for (Object target : targets) {
                        for (Method method : hidden.getDeclaredMethods()) call(lookup, target, method, value);
                        for (Method method : NativeBox.class.getMethods())
                            if (target != own && !method.isDefault() && !Modifier.isStatic(method.getModifiers())) call(lookup, target, method, value);
                    }
                    for (NativeBox<T> box : boxes) {
                        for (byte b : box.segment().toArray(ValueLayout.JAVA_BYTE))
                            if (b != 0) throw new AssertionError("written to from another box");
                        box.close();
                    }
                    own.close();
                    pool.close();
                }

                private static void call(MethodHandles.Lookup lookup, Object target, Method method, Object value) throws Throwable {
                    for (long evil : EVIL) {
                        List<Object> arguments = new ArrayList<>();
                        if (!Modifier.isStatic(method.getModifiers())) arguments.add(target);
                        for (Class<?> parameter : method.getParameterTypes()) {
                            if (parameter == long.class) arguments.add(evil);
                            else if (parameter == int.class) arguments.add((int) evil);
                            else if (parameter == Inner.class) arguments.add(new Inner(-1, -1));
                            else if (parameter == String.class) arguments.add("aaaa");
                            else if (parameter == Object.class) arguments.add(value != null ? value : new Inner(-1, -1));
                            else arguments.add(null);
                        }
                        calls++;
                        try {
                            Object result = lookup.unreflect(method).invokeWithArguments(arguments);
                            if (result instanceof MemorySegment segment && segment.byteSize() > 128)
                                throw new AssertionError(method + " gave " + segment);
                        } catch (RuntimeException expected) {
                            // what the library refuses
                        }
                    }
                }

                private interface Attempt { Object run() throws Throwable; }

                private static void refused(Attempt attempt) throws Throwable {
                    Object result;
                    try {
                        result = attempt.run();
                    } catch (IllegalAccessException | CloneNotSupportedException | IllegalCallerException e) {
                        return;
                    }
                    throw new AssertionError("not refused: " + result);
                }
            }
            """;

    /** Follows an address in each way that the library has. */
    private static final String FOLLOWING =
            """
            package user;

            import dev.kernelalloc.*;
            import dev.kernelalloc.call.Out;
            import dev.kernelalloc.struct.*;
            import java.lang.foreign.*;
            import java.lang.invoke.MethodHandles;

            public final class Program {
                private record Value(long value) {}
                private record Text(@CString String text) {}
                private record Outer(Text in, @CString @Length(1) String[] more) {}
                private interface View { @CString String text(); }
                private interface Attempt { Object run() throws Throwable; }

                private static int denied;

                public static void main(String[] args) throws Throwable {
                    StructType<Value> value = StructType.of(MethodHandles.lookup(), Value.class);
                    StructType<Text> text = StructType.of(MethodHandles.lookup(), Text.class);
                    StructType<Outer> outer = StructType.of(MethodHandles.lookup(), Outer.class);
                    StructType<View> view = StructType.of(MethodHandles.lookup(), View.class);
                    try (Arena arena = Arena.ofConfined(); NativeBox<Text> box = NativeBox.zeroed(text)) {
                        MemorySegment secret = arena.allocateFrom("of others");
                        MemorySegment memory = arena.allocate(16, 8);
                        Out<String> out = Out.ofString(MethodHandles.lookup(), arena);
                        for (MemorySegment any : new MemorySegment[] {memory, box.segment(), out.asSegment()})
                            any.set(ValueLayout.ADDRESS, 0, secret);
                        follow(() -> new Pointer<>(value, secret.address()).get());
                        follow(() -> new Pointer<>(value, secret.address()).segment(100));
                        follow(() -> text.get(memory));
                        follow(() -> text.getter("text").invoke(memory, 0L));
                        follow(() -> outer.get(memory));
                        follow(() -> outer.getter("in.text").invoke(memory, 0L));
                        follow(() -> view.get(memory).text());
                        follow(box::get);
                        follow(out::get);
                        try {
                            Out.ofString(MethodHandles.publicLookup(), arena);
                            throw new AssertionError("a lookup of nobody");
                        } catch (IllegalArgumentException expected) {
                        }
                        try {
                            new Pointer<>(StructType.of(ValueLayout.JAVA_LONG), secret.address()).get();
                            throw new AssertionError("a type of nobody");
                        } catch (UnsupportedOperationException expected) {
                        }
                        System.out.println("denied " + denied);
                    }
                }

                private static void follow(Attempt attempt) throws Throwable {
                    try {
                        attempt.run();
                    } catch (IllegalCallerException e) {
                        denied++;
                    }
                }
            }
            """;

    @TempDir private Path directory;

    @Test
    @DisplayName("A module without native access follows no address")
    void followAddress_nativeAccessDenied_throws() throws IOException {
        assertThat(inANamedModule("dev.kernelalloc", FOLLOWING)).containsExactly("denied 9");
    }

    @Test
    @DisplayName("A module with native access follows addresses, and needs nothing else")
    void followAddress_nativeAccessEnabled_reads() throws IOException {
        assertThat(inANamedModule("dev.kernelalloc,user", FOLLOWING)).containsExactly("denied 0");
    }

    @Test
    void aNamedModule_thatAttacksItsBoxes_reachesNoOtherBytes() throws IOException {
        assertThat(inANamedModule("dev.kernelalloc", ATTACK)).containsExactly("intact");
    }

    @Test
    void aNamedModuleThatOpensNothing() throws IOException {
        assertThat(inANamedModule("dev.kernelalloc,user", PROGRAM))
                .containsExactly("abc7", "module user");
    }

    private List<String> inANamedModule(String nativeAccess, String program) throws IOException {
        Path source = sources(program);
        Files.writeString(
                source.resolve("module-info.java"), "module user { requires dev.kernelalloc; }");
        Path classes = directory.resolve("classes");
        List<Path> sources =
                List.of(source.resolve("module-info.java"), source.resolve("user/Program.java"));
        compile(
                sources,
                "--module-path",
                LIBRARY + File.pathSeparator + annotations(),
                "-d",
                classes.toString());
        String modulePath = LIBRARY + File.pathSeparator + classes;
        return java(
                "--enable-native-access=" + nativeAccess,
                "--module-path",
                modulePath,
                "--module",
                "user/user.Program");
    }

    @Test
    void theClassPath() throws IOException {
        Path source = sources(PROGRAM);
        Path classes = directory.resolve("classes");
        compile(
                List.of(source.resolve("user/Program.java")),
                "-cp",
                LIBRARY,
                "-d",
                classes.toString());
        assertThat(
                        java(
                                "--enable-native-access=ALL-UNNAMED",
                                "-cp",
                                LIBRARY + File.pathSeparator + classes,
                                "user.Program"))
                .hasSize(2)
                .startsWith("abc7");
    }

    private static final String LIBRARY =
            Path.of(StructType.class.getProtectionDomain().getCodeSource().getLocation().getPath())
                    .toString();

    /**
     * The jar of the annotations that the library is compiled with; a program needs it to compile,
     * not to run.
     */
    private static String annotations() {
        return Stream.of("jdk.module.path", "java.class.path", "surefire.test.class.path")
                .map(property -> System.getProperty(property, ""))
                .flatMap(path -> Stream.of(path.split(File.pathSeparator)))
                .filter(entry -> entry.contains("jspecify"))
                .findFirst()
                .orElseThrow();
    }

    private Path sources(String program) throws IOException {
        Path source = Files.createDirectories(directory.resolve("source/user")).getParent();
        Files.writeString(source.resolve("user/Program.java"), program);
        return source;
    }

    private static void compile(List<Path> sources, String... options) throws IOException {
        List<String> command = new ArrayList<>(List.of(tool("javac")));
        command.addAll(List.of(options));
        sources.forEach(source -> command.add(source.toString()));
        CCompiler.execute(command);
    }

    private static List<String> java(String... options) throws IOException {
        List<String> command =
                new ArrayList<>(List.of(tool("java"), "--illegal-native-access=deny"));
        command.addAll(List.of(options));
        return CCompiler.execute(command);
    }

    private static String tool(String name) {
        return Path.of(System.getProperty("java.home"), "bin", name).toString();
    }
}
