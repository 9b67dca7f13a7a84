package dev.kernelalloc.benchmarks.struct;

import dev.kernelalloc.call.Out;
import dev.kernelalloc.struct.CString;
import dev.kernelalloc.struct.Offset;
import dev.kernelalloc.struct.Pointer;
import dev.kernelalloc.struct.StructType;

import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.util.concurrent.TimeUnit;

/** Calls cheap functions of C, with typed results and with segments alone. */
@SuppressWarnings("restricted")
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class CallBenchmark {

    /** {@code struct lconv}, as far as it is read here. */
    record Texts(@CString String decimalPoint) {}

    /** {@code struct lconv}, as far as it is read here. */
    interface Digits {
        @Offset(Constants.FRACTION_DIGITS)
        byte fractionDigits();
    }

    private static final class Constants {
        static final long FRACTION_DIGITS = 80;

        static final StructType<Texts> TEXTS = StructType.of(MethodHandles.lookup(), Texts.class);
        static final StructType<Digits> DIGITS =
                StructType.of(MethodHandles.lookup(), Digits.class);

        static final MethodHandle FREXP =
                function(
                        "frexp",
                        FunctionDescriptor.of(
                                ValueLayout.JAVA_DOUBLE,
                                ValueLayout.JAVA_DOUBLE,
                                ValueLayout.ADDRESS));
        static final MethodHandle LOCALECONV =
                function("localeconv", FunctionDescriptor.of(ValueLayout.ADDRESS));

        private static MethodHandle function(String name, FunctionDescriptor type) {
            Linker linker = Linker.nativeLinker();
            return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), type);
        }
    }

    private final Out<Integer> exponent = Out.ofInt(Arena.ofAuto());
    private final MemorySegment memory = Arena.ofAuto().allocate(ValueLayout.JAVA_INT);
    private double number = 1000;

    public CallBenchmark() {}

    @Benchmark
    public int outOfSegment() throws Throwable {
        double _ = (double) Constants.FREXP.invokeExact(number, memory);
        return memory.get(ValueLayout.JAVA_INT, 0);
    }

    @Benchmark
    public int out() throws Throwable {
        double _ = (double) Constants.FREXP.invokeExact(number, exponent.asSegment());
        return exponent.get();
    }

    @Benchmark
    public byte pointerOfSegment() throws Throwable {
        MemorySegment result = (MemorySegment) Constants.LOCALECONV.invokeExact();
        return result.reinterpret(Constants.FRACTION_DIGITS + 1)
                .get(ValueLayout.JAVA_BYTE, Constants.FRACTION_DIGITS);
    }

    @Benchmark
    public byte pointer() throws Throwable {
        MemorySegment result = (MemorySegment) Constants.LOCALECONV.invokeExact();
        return Pointer.to(Constants.DIGITS, result).get().fractionDigits();
    }

    @Benchmark
    public String textOfSegment() throws Throwable {
        MemorySegment result = (MemorySegment) Constants.LOCALECONV.invokeExact();
        MemorySegment text = result.reinterpret(Long.BYTES).get(ValueLayout.ADDRESS, 0);
        return text.reinterpret(Long.MAX_VALUE).getString(0);
    }

    @Benchmark
    public String text() throws Throwable {
        MemorySegment result = (MemorySegment) Constants.LOCALECONV.invokeExact();
        return Pointer.to(Constants.TEXTS, result).get().decimalPoint();
    }
}
