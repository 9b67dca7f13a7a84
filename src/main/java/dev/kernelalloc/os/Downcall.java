package dev.kernelalloc.os;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.util.NoSuchElementException;
import java.util.Optional;

/**
 * Handles of native functions. They belong into {@code static final} fields, where the JIT compiles
 * through them. None but that of {@link JavaHeap} is linked as {@code critical}: every other
 * function can wait for a lock or fault in a page, and a thread inside a critical call holds up the
 * garbage collector.
 */
@SuppressWarnings("restricted")
final class Downcall {

    static final Linker.Option ERRNO = Linker.Option.captureCallState("errno");

    /** {@code void *f(size_t, size_t)}, as aligned_alloc is, with an address as a number. */
    static final FunctionDescriptor TWO_TO_ADDRESS =
            FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG);

    /** {@code int f(void *address, size_t bytes)}, as most functions on pages are. */
    static final FunctionDescriptor RANGE = FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG);

    /**
     * {@code int f(void *address, size_t bytes)} of a segment, whose arena the linker keeps open
     * until the function returns.
     */
    static final FunctionDescriptor SEGMENT = FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_LONG);

    /** {@link #RANGE} with an {@code int} at the end. */
    static final FunctionDescriptor RANGE_AND_INT = RANGE.appendArgumentLayouts(JAVA_INT);

    /** RTLD_DEFAULT of dlsym(3), which differs. */
    private static final long WHOLE_PROGRAM =
            System.getProperty("os.name").startsWith("Mac") ? -2 : 0;

    private Downcall() {}

    /** A function of the C library. */
    static MethodHandle link(String name, FunctionDescriptor type, Linker.Option... options) {
        return link(Linker.nativeLinker().defaultLookup(), name, type, options);
    }

    /**
     * Returns a function of the C library that a program may replace, such as malloc: the one that
     * C code in this process calls. The linker's own lookup ignores preloaded libraries.
     */
    static MethodHandle linkReplaceable(String name, FunctionDescriptor type) {
        SymbolLookup library = Linker.nativeLinker().defaultLookup();
        Optional<MemorySegment> dlsym = library.find("dlsym"); // not on Windows
        return dlsym.isEmpty()
                ? link(library, name, type)
                : Linker.nativeLinker().downcallHandle(inWholeProgram(dlsym.get(), name), type);
    }

    /** Calls dlsym in the shape of aligned_alloc, as each new shape takes milliseconds to link. */
    private static MemorySegment inWholeProgram(MemorySegment dlsym, String name) {
        MethodHandle find = Linker.nativeLinker().downcallHandle(dlsym, TWO_TO_ADDRESS);
        try (Arena scratch = Arena.ofConfined()) {
            long found =
                    (long) find.invokeExact(WHOLE_PROGRAM, scratch.allocateFrom(name).address());
            if (found == 0) {
                throw new NoSuchElementException("symbol not found: " + name);
            }
            return MemorySegment.ofAddress(found);
        } catch (Throwable thrown) {
            throw unexpected(thrown);
        }
    }

    static MethodHandle link(
            SymbolLookup library, String name, FunctionDescriptor type, Linker.Option... options) {
        return Linker.nativeLinker().downcallHandle(library.findOrThrow(name), type, options);
    }

    static int call(MethodHandle function, MemorySegment callState, long address, long bytes) {
        try {
            return (int) function.invokeExact(callState, address, bytes);
        } catch (Throwable thrown) {
            throw unexpected(thrown);
        }
    }

    static int call(MethodHandle function, MemorySegment callState, MemorySegment memory) {
        try {
            return (int) function.invokeExact(callState, memory, memory.byteSize());
        } catch (Throwable thrown) {
            throw unexpected(thrown);
        }
    }

    static int call(
            MethodHandle function,
            MemorySegment callState,
            long address,
            long bytes,
            int argument) {
        try {
            return (int) function.invokeExact(callState, address, bytes, argument);
        } catch (Throwable thrown) {
            throw unexpected(thrown);
        }
    }

    /**
     * A downcall itself throws nothing checked; what comes out is an error of the JVM or a mistake
     * of ours.
     */
    static AssertionError unexpected(Throwable thrown) {
        if (thrown instanceof Error error) {
            throw error;
        }
        if (thrown instanceof RuntimeException exception) {
            throw exception;
        }
        return new AssertionError("a native call threw a checked exception", thrown);
    }
}
