package dev.kernelalloc.benchmarks.start;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/** One block of malloc and free by downcalls. */
@SuppressWarnings("restricted")
final class FfmPair {

    private FfmPair() {}

    /** Started as a program. */
    public static void main(String[] arguments) throws Throwable {
        Linker linker = Linker.nativeLinker();
        MethodHandle malloc =
                linker.downcallHandle(
                        linker.defaultLookup().findOrThrow("malloc"),
                        FunctionDescriptor.of(ValueLayout.ADDRESS, ValueLayout.JAVA_LONG));
        MethodHandle free =
                linker.downcallHandle(
                        linker.defaultLookup().findOrThrow("free"),
                        FunctionDescriptor.ofVoid(ValueLayout.ADDRESS));
        free.invokeExact((MemorySegment) malloc.invokeExact(64L));
    }
}
