package dev.kernelalloc.cli.ctypes;

import dev.kernelalloc.struct.StructType;

import java.io.IOException;
import java.io.StringWriter;
import java.lang.invoke.MethodHandles;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

import javax.tools.JavaCompiler;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;

/** Declarations, compiled and loaded. */
public final class Compiled implements AutoCloseable {

    /** A class beside the declarations: only its own lookup may define classes there. */
    private static final String LOOKUP = "KernelAllocLookup";

    private final Path directory;
    private final URLClassLoader loader;

    private Compiled(List<URL> classPath) throws IOException {
        this.directory = Files.createTempDirectory("kernel-alloc-struct");
        List<URL> all = new ArrayList<>(classPath);
        all.add(directory.toUri().toURL());
        this.loader = new URLClassLoader(all.toArray(URL[]::new), Compiled.class.getClassLoader());
    }

    /** Returns whether this Java has a compiler: a JDK has, a JRE has not. */
    public static boolean isPossible() {
        return ToolProvider.getSystemJavaCompiler() != null;
    }

    /**
     * Compiles declarations, without a package.
     *
     * @throws IOException if they cannot be written, or the compiler refuses one
     */
    public static Compiled compile(List<Declaration> declarations) throws IOException {
        Map<String, String> sources = new LinkedHashMap<>();
        for (Declaration one : declarations) {
            sources.put(one.typeName(), one.source());
        }
        return compile(List.of(), "", sources);
    }

    /**
     * Makes a class that exists usable as a declaration.
     *
     * @throws IOException if the file beside it cannot be written
     */
    public static Compiled existing(List<URL> classPath, String className) throws IOException {
        return compile(classPath, packageOf(className), Map.of());
    }

    private static Compiled compile(
            List<URL> classPath, String packageName, Map<String, String> sources)
            throws IOException {
        Compiled compiled = new Compiled(classPath);
        try {
            List<Path> files = new ArrayList<>();
            for (Map.Entry<String, String> source : sources.entrySet()) {
                files.add(compiled.write(source.getKey(), source.getValue()));
            }
            files.add(
                    compiled.write(
                            LOOKUP,
                            (packageName.isEmpty() ? "" : "package " + packageName + ";\n")
                                    + "import java.lang.invoke.MethodHandles;\n"
                                    + "public final class "
                                    + LOOKUP
                                    + " {\n"
                                    + "    public static MethodHandles.Lookup lookup() {\n"
                                    + "        return MethodHandles.lookup();\n"
                                    + "    }\n"
                                    + "}\n"));
            compiled.run(files);
            return compiled;
        } catch (IOException | RuntimeException e) {
            compiled.close();
            throw e;
        }
    }

    private Path write(String typeName, String source) throws IOException {
        return Files.writeString(directory.resolve(typeName + ".java"), source);
    }

    private void run(List<Path> files) throws IOException {
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        if (compiler == null) {
            throw new IOException("this Java has no compiler: use a JDK");
        }
        StringWriter messages = new StringWriter();
        List<String> options =
                List.of(
                        "-proc:none",
                        "-nowarn",
                        "-d",
                        directory.toString(),
                        "-cp",
                        System.getProperty("java.class.path"));
        try (StandardJavaFileManager manager = compiler.getStandardFileManager(null, null, null)) {
            boolean fine =
                    compiler.getTask(
                                    messages,
                                    manager,
                                    null,
                                    options,
                                    null,
                                    manager.getJavaFileObjectsFromPaths(files))
                            .call();
            if (!fine) {
                throw new IOException("the declaration does not compile: " + messages);
            }
        }
    }

    private static String packageOf(String className) {
        int dot = className.lastIndexOf('.');
        return dot < 0 ? "" : className.substring(0, dot);
    }

    /** Returns the type of a declaration. */
    public StructType<?> type(Declaration declaration) {
        return type(declaration.typeName());
    }

    /**
     * Returns the type of a class that declares a struct.
     *
     * @throws IllegalArgumentException if there is no such class, or it declares no struct
     */
    public StructType<?> type(String className) {
        String packageName = packageOf(className);
        String beside = packageName.isEmpty() ? LOOKUP : packageName + "." + LOOKUP;
        try {
            MethodHandles.Lookup lookup =
                    (MethodHandles.Lookup)
                            Class.forName(beside, true, loader).getMethod("lookup").invoke(null);
            return StructType.of(lookup, Class.forName(className, false, loader));
        } catch (ReflectiveOperationException e) {
            throw new IllegalArgumentException("cannot load " + className + ": " + e, e);
        }
    }

    /** Deletes the files. */
    @Override
    public void close() throws IOException {
        loader.close();
        try (Stream<Path> files = Files.walk(directory)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }
}
