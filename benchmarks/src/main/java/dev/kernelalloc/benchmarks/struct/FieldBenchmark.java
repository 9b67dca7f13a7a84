package dev.kernelalloc.benchmarks.struct;

import dev.kernelalloc.NativeBox;
import dev.kernelalloc.PoolAllocator;

import org.lwjgl.system.linux.KernelTimespec;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;

/**
 * Reads and writes a field of one struct. One operation is one read and one write, 1,000 of them
 * per invocation. Each written value depends on the value read and on an array, so that no access
 * can be eliminated.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@OperationsPerInvocation(FieldBenchmark.ACCESSES)
public class FieldBenchmark {

    static final int ACCESSES = 1000;

    @Param({"CLEAN", "POLLUTED"})
    Profile profile;

    /** Made by the thread that measures, since boxes and arenas are confined. */
    private static final class Constants {
        static final NativeBox<Particle> BOX =
                NativeBox.zeroed(PoolAllocator.shared(), Particle.VIEW);
        static final NativeBox<Particle.Copy> COPY_BOX =
                NativeBox.zeroed(PoolAllocator.shared(), Particle.COPY);
        static final MemorySegment SEGMENT = Arena.ofConfined().allocate(Particle.Raw.LAYOUT);
    }

    /** A hand-written class instead of a box. */
    static final class Wrapper {
        private final MemorySegment segment;

        Wrapper(MemorySegment segment) {
            this.segment = segment;
        }

        int x() {
            return (int) Particle.Raw.X.get(segment, 0L);
        }

        void x(int value) {
            Particle.Raw.X.set(segment, 0L, value);
        }
    }

    private final int[] data = IntStream.range(0, ACCESSES).toArray();
    private NativeBox<Particle> box;
    private NativeBox<Particle.Copy> copyBox;
    private Wrapper wrapper;
    private MemorySegment segment;
    private Peers.LwjglTimespecs lwjgl;
    private Peers.JavolutionParticle javolution;

    public FieldBenchmark() {}

    @Setup
    public void make() {
        profile.set();
        box = Constants.BOX;
        copyBox = Constants.COPY_BOX;
        segment = Constants.SEGMENT;
        wrapper = new Wrapper(segment);
        lwjgl = new Peers.LwjglTimespecs(1);
        javolution = new Peers.JavolutionParticle(1);
    }

    // ---- everything static final --------------------------------------------------------------

    @Benchmark
    public int constantVarHandle() {
        for (int i = 0; i < ACCESSES; i++) {
            int x = (int) Particle.Raw.X.get(Constants.SEGMENT, 0L);
            Particle.Raw.X.set(Constants.SEGMENT, 0L, 31 * x + data[i]);
        }
        return (int) Particle.Raw.X.get(Constants.SEGMENT, 0L);
    }

    @Benchmark
    public int constantBox() {
        for (int i = 0; i < ACCESSES; i++) {
            Particle view = Constants.BOX.get();
            view.x(31 * view.x() + data[i]);
        }
        return Constants.BOX.get().x();
    }

    // ---- in a field ---------------------------------------------------------------------------

    @Benchmark
    public int fieldWrapper() {
        for (int i = 0; i < ACCESSES; i++) {
            wrapper.x(31 * wrapper.x() + data[i]);
        }
        return wrapper.x();
    }

    @Benchmark
    public int fieldBox() {
        for (int i = 0; i < ACCESSES; i++) {
            Particle view = box.get();
            view.x(31 * view.x() + data[i]);
        }
        return box.get().x();
    }

    // ---- a loop over one box ------------------------------------------------------------------

    @Benchmark
    public int loopRaw() {
        MemorySegment local = segment;
        for (int i = 0; i < ACCESSES; i++) {
            int x = (int) Particle.Raw.X.get(local, 0L);
            Particle.Raw.X.set(local, 0L, 31 * x + data[i]);
        }
        return (int) Particle.Raw.X.get(local, 0L);
    }

    @Benchmark
    public int loopView() {
        Particle view = box.get();
        for (int i = 0; i < ACCESSES; i++) {
            view.x(31 * view.x() + data[i]);
        }
        return view.x();
    }

    // ---- peers --------------------------------------------------------------------------------

    @Benchmark
    public int jextractStyle() {
        for (int i = 0; i < ACCESSES; i++) {
            int x = Peers.JextractParticle.x(segment);
            Peers.JextractParticle.x(segment, 31 * x + data[i]);
        }
        return Peers.JextractParticle.x(segment);
    }

    @Benchmark
    public long lwjglStruct() {
        KernelTimespec struct = lwjgl.first();
        for (int i = 0; i < ACCESSES; i++) {
            struct.tv_sec(31 * struct.tv_sec() + data[i]);
        }
        return struct.tv_sec();
    }

    @Benchmark
    public int javolutionStruct() {
        for (int i = 0; i < ACCESSES; i++) {
            javolution.x.set(31 * javolution.x.get() + data[i]);
        }
        return javolution.x.get();
    }

    // ---- four fields as a record --------------------------------------------------------------

    @Benchmark
    public int fourRaw() {
        MemorySegment local = segment;
        for (int i = 0; i < ACCESSES; i++) {
            int x = (int) Particle.Raw.X.get(local, 0L);
            int y = (int) Particle.Raw.Y.get(local, 0L);
            int z = (int) Particle.Raw.Z.get(local, 0L);
            int mass = (int) Particle.Raw.MASS.get(local, 0L);
            Particle.Raw.X.set(local, 0L, 31 * x + data[i]);
            Particle.Raw.Y.set(local, 0L, y + x);
            Particle.Raw.Z.set(local, 0L, z + y);
            Particle.Raw.MASS.set(local, 0L, mass + 1);
        }
        return (int) Particle.Raw.MASS.get(local, 0L);
    }

    @Benchmark
    public int fourRawOfConstant() {
        for (int i = 0; i < ACCESSES; i++) {
            int x = (int) Particle.Raw.X.get(Constants.SEGMENT, 0L);
            int y = (int) Particle.Raw.Y.get(Constants.SEGMENT, 0L);
            int z = (int) Particle.Raw.Z.get(Constants.SEGMENT, 0L);
            int mass = (int) Particle.Raw.MASS.get(Constants.SEGMENT, 0L);
            Particle.Raw.X.set(Constants.SEGMENT, 0L, 31 * x + data[i]);
            Particle.Raw.Y.set(Constants.SEGMENT, 0L, y + x);
            Particle.Raw.Z.set(Constants.SEGMENT, 0L, z + y);
            Particle.Raw.MASS.set(Constants.SEGMENT, 0L, mass + 1);
        }
        return (int) Particle.Raw.MASS.get(Constants.SEGMENT, 0L);
    }

    @Benchmark
    public int fourRecord() {
        NativeBox<Particle.Copy> local = copyBox;
        for (int i = 0; i < ACCESSES; i++) {
            Particle.Copy old = local.get();
            local.set(
                    new Particle.Copy(
                            31 * old.x() + data[i],
                            old.y() + old.x(),
                            old.z() + old.y(),
                            old.mass() + 1));
        }
        return local.get().mass();
    }

    @Benchmark
    public int fourRecordOfConstant() {
        for (int i = 0; i < ACCESSES; i++) {
            Particle.Copy old = Constants.COPY_BOX.get();
            Constants.COPY_BOX.set(
                    new Particle.Copy(
                            31 * old.x() + data[i],
                            old.y() + old.x(),
                            old.z() + old.y(),
                            old.mass() + 1));
        }
        return Constants.COPY_BOX.get().mass();
    }
}
