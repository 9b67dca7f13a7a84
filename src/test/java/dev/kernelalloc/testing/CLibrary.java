package dev.kernelalloc.testing;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * C code of a test, compiled and loaded into this process. A test that needs a compiler is aborted,
 * with the reason, where there is none.
 */
@SuppressWarnings("restricted")
public final class CLibrary {

    private final SymbolLookup symbols;

    private CLibrary(SymbolLookup symbols) {
        this.symbols = symbols;
    }

    /** Compiles and loads C code, for as long as an arena lives. */
    public static CLibrary compile(String source, Arena lifetime) {
        assumeTrue(ChildJvm.isInstalled("cc"), "skipped: no C compiler (cc) on PATH");
        try {
            Path directory = Files.createTempDirectory("c-library");
            Path code = Files.writeString(directory.resolve("library.c"), source);
            Path library = directory.resolve("library.so");
            try {
                Process compiler =
                        new ProcessBuilder(
                                        "cc",
                                        "-shared",
                                        "-fPIC",
                                        "-O1",
                                        "-o",
                                        library.toString(),
                                        code.toString())
                                .redirectErrorStream(true)
                                .start();
                String messages = new String(compiler.getInputStream().readAllBytes());
                if (compiler.waitFor() != 0) {
                    throw new AssertionError("cc: " + messages);
                }
                return new CLibrary(SymbolLookup.libraryLookup(library, lifetime));
            } finally {
                Files.deleteIfExists(library); // loaded, it needs no name
                Files.delete(code);
                Files.delete(directory);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    /** A function of it. */
    public MethodHandle function(String name, FunctionDescriptor descriptor) {
        return Linker.nativeLinker().downcallHandle(symbols.findOrThrow(name), descriptor);
    }
}
