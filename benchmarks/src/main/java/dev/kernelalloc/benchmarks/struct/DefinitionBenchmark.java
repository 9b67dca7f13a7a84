package dev.kernelalloc.benchmarks.struct;

import dev.kernelalloc.struct.StructType;

import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

import java.lang.invoke.MethodHandles;
import java.util.concurrent.TimeUnit;

/** Defining a type, once a JVM: the first one, and one of 20 fields after it. */
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class DefinitionBenchmark {

    public DefinitionBenchmark() {}

    private interface Small {
        int a();

        void a(int value);
    }

    private interface Twenty {
        int f0();

        void f0(int value);

        long f1();

        void f1(long value);

        short f2();

        void f2(short value);

        byte f3();

        void f3(byte value);

        int f4();

        void f4(int value);

        long f5();

        void f5(long value);

        short f6();

        void f6(short value);

        byte f7();

        void f7(byte value);

        int f8();

        void f8(int value);

        long f9();

        void f9(long value);

        short f10();

        void f10(short value);

        byte f11();

        void f11(byte value);

        int f12();

        void f12(int value);

        long f13();

        void f13(long value);

        short f14();

        void f14(short value);

        byte f15();

        void f15(byte value);

        int f16();

        void f16(int value);

        long f17();

        void f17(long value);

        short f18();

        void f18(short value);

        byte f19();

        void f19(byte value);
    }

    /** A JVM that has defined a type before. */
    @State(Scope.Thread)
    public static class Warm {
        private StructType<?> first;

        public Warm() {}

        @Setup
        public void defineFirst() {
            first = StructType.of(MethodHandles.lookup(), Small.class);
        }
    }

    @Benchmark
    public Object firstType() {
        return StructType.of(MethodHandles.lookup(), Twenty.class);
    }

    @Benchmark
    public Object twentyFieldsAfterTheFirst(Warm warm) {
        return StructType.of(MethodHandles.lookup(), Twenty.class);
    }

    /** As long as the definition may take. */
    @Benchmark
    public void fifteenMilliseconds() throws InterruptedException {
        TimeUnit.MILLISECONDS.sleep(15);
    }
}
