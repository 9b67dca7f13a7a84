package dev.kernelalloc.testing;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;

/** The other side of an exchange of memory: functions of the C library. */
@SuppressWarnings("restricted")
public final class CFunctions {

    private static final MethodHandle STRDUP =
            function("strdup", FunctionDescriptor.of(ValueLayout.ADDRESS, ValueLayout.ADDRESS));
    private static final MethodHandle FREE =
            function("free", FunctionDescriptor.ofVoid(ValueLayout.ADDRESS));
    private static final MethodHandle MEMSET =
            function(
                    "memset",
                    FunctionDescriptor.of(
                            ValueLayout.ADDRESS,
                            ValueLayout.ADDRESS,
                            ValueLayout.JAVA_INT,
                            ValueLayout.JAVA_LONG));

    private static final MethodHandle MADVISE =
            function(
                    "madvise",
                    FunctionDescriptor.of(
                            ValueLayout.JAVA_INT,
                            ValueLayout.ADDRESS,
                            ValueLayout.JAVA_LONG,
                            ValueLayout.JAVA_INT));

    private static final FunctionDescriptor COMPARISON =
            FunctionDescriptor.of(
                    ValueLayout.JAVA_INT,
                    ValueLayout.ADDRESS.withTargetLayout(ValueLayout.JAVA_INT),
                    ValueLayout.ADDRESS.withTargetLayout(ValueLayout.JAVA_INT));
    private static final MethodHandle QSORT =
            function(
                    "qsort",
                    FunctionDescriptor.ofVoid(
                            ValueLayout.ADDRESS,
                            ValueLayout.JAVA_LONG,
                            ValueLayout.JAVA_LONG,
                            ValueLayout.ADDRESS));

    /** Compares two numbers, as a comparator does; called by code in C. */
    public interface Comparison {
        int compare(int a, int b);

        /** As C calls it. */
        static int compare(Comparison comparison, MemorySegment a, MemorySegment b) {
            return comparison.compare(
                    a.get(ValueLayout.JAVA_INT, 0), b.get(ValueLayout.JAVA_INT, 0));
        }
    }

    private CFunctions() {}

    /** Sorts numbers; while Java compares two of them, a native frame stands below it. */
    public static void qsort(MemorySegment numbers, Comparison comparison) {
        try (Arena lifetime = Arena.ofConfined()) {
            MethodHandle compare =
                    MethodHandles.lookup()
                            .findStatic(
                                    Comparison.class,
                                    "compare",
                                    MethodType.methodType(
                                            int.class,
                                            Comparison.class,
                                            MemorySegment.class,
                                            MemorySegment.class))
                            .bindTo(comparison);
            MemorySegment stub = Linker.nativeLinker().upcallStub(compare, COMPARISON, lifetime);
            QSORT.invokeExact(
                    numbers, numbers.byteSize() / Integer.BYTES, (long) Integer.BYTES, stub);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /** Advises the kernel of the use of pages; 0 if it has succeeded. */
    public static int madvise(MemorySegment pages, int advice) {
        try {
            return (int) MADVISE.invokeExact(pages, pages.byteSize(), advice);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /**
     * Calls a function that returns an int.
     *
     * @param arguments ints and longs, for parameters of these sizes
     */
    public static int call(String function, Object... arguments) throws Throwable {
        MemoryLayout[] layouts = new MemoryLayout[arguments.length];
        for (int i = 0; i < arguments.length; i++) {
            boolean wide = arguments[i] instanceof Long;
            layouts[i] = wide ? ValueLayout.JAVA_LONG : ValueLayout.JAVA_INT;
        }
        Linker linker = Linker.nativeLinker();
        MethodHandle handle =
                linker.downcallHandle(
                        linker.defaultLookup().findOrThrow(function),
                        FunctionDescriptor.of(ValueLayout.JAVA_INT, layouts));
        return (int) handle.invokeWithArguments(arguments);
    }

    /** A copy of a C string that must be freed; of size 0, as C code hands it over. */
    public static MemorySegment strdup(MemorySegment text) {
        try {
            return (MemorySegment) STRDUP.invokeExact(text);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /** Frees a block of the C heap. */
    public static void free(MemorySegment block) {
        try {
            FREE.invokeExact(block);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /** Writes a byte everywhere, whatever the size of the segment. */
    public static void memset(MemorySegment memory, int value, long bytes) {
        try {
            MemorySegment _ = (MemorySegment) MEMSET.invokeExact(memory, value, bytes);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /** The same memory, with the size that the caller knows it has. */
    public static MemorySegment withSize(MemorySegment segment, long bytes) {
        return segment.reinterpret(bytes);
    }

    /** As C code finds it, which a preloaded library may have replaced. */
    private static MethodHandle function(String name, FunctionDescriptor descriptor) {
        Linker linker = Linker.nativeLinker();
        SymbolLookup library = linker.defaultLookup();
        long wholeProgram = System.getProperty("os.name").startsWith("Mac") ? -2 : 0;
        try (Arena scratch = Arena.ofConfined()) {
            MethodHandle dlsym =
                    linker.downcallHandle(
                            library.findOrThrow("dlsym"),
                            FunctionDescriptor.of(
                                    ValueLayout.ADDRESS,
                                    ValueLayout.JAVA_LONG,
                                    ValueLayout.ADDRESS));
            MemorySegment function =
                    (MemorySegment) dlsym.invokeExact(wholeProgram, scratch.allocateFrom(name));
            return linker.downcallHandle(function, descriptor);
        } catch (Throwable e) {
            throw new AssertionError(name, e);
        }
    }
}
