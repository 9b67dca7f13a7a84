package dev.kernelalloc.benchmarks.heap;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.Arrays;

/** The C library by ordinary downcalls: what one writes without any library. */
final class FfmMalloc implements CFunctions {

    private static final MethodHandle MALLOC = function("malloc", true, 1);
    private static final MethodHandle CALLOC = function("calloc", true, 2);
    private static final MethodHandle ALIGNED_ALLOC = function("aligned_alloc", true, 2);
    private static final MethodHandle FREE = function("free", false, 1);
    private static final MethodHandle TRIM = function("malloc_trim", true, 1);

    /** Addresses and size_t are longs on every platform that this runs on. */
    @SuppressWarnings("restricted")
    private static MethodHandle function(String name, boolean returns, int parameters) {
        ValueLayout[] longs = new ValueLayout[parameters];
        Arrays.fill(longs, ValueLayout.JAVA_LONG);
        Linker linker = Linker.nativeLinker();
        return linker.downcallHandle(
                linker.defaultLookup().findOrThrow(name),
                returns
                        ? FunctionDescriptor.of(ValueLayout.JAVA_LONG, longs)
                        : FunctionDescriptor.ofVoid(longs));
    }

    @Override
    public long malloc(long size) {
        try {
            return (long) MALLOC.invokeExact(size);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public long calloc(long size) {
        try {
            return (long) CALLOC.invokeExact(1L, size);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public long alignedAlloc(long alignment, long size) {
        try {
            return (long) ALIGNED_ALLOC.invokeExact(alignment, size);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public void free(long address) {
        try {
            FREE.invokeExact(address);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public void trim() {
        try {
            long _ = (long) TRIM.invokeExact(0L);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }
}
