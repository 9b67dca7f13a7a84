package dev.kernelalloc.benchmarks.struct;

import dev.kernelalloc.struct.StructType;

import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.StructLayout;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/** One C struct, {@code struct { int x, y, z, mass; }}, in every way it is accessed here. */
interface Particle {

    int x();

    void x(int value);

    int y();

    void y(int value);

    int z();

    void z(int value);

    int mass();

    void mass(int value);

    /** The same as a value. */
    record Copy(int x, int y, int z, int mass) {}

    StructType<Particle> VIEW = StructType.of(MethodHandles.lookup(), Particle.class);
    StructType<Copy> COPY = StructType.of(MethodHandles.lookup(), Copy.class);

    /** By hand. */
    final class Raw {
        static final StructLayout LAYOUT =
                MemoryLayout.structLayout(
                        ValueLayout.JAVA_INT.withName("x"),
                        ValueLayout.JAVA_INT.withName("y"),
                        ValueLayout.JAVA_INT.withName("z"),
                        ValueLayout.JAVA_INT.withName("mass"));
        static final long BYTES = LAYOUT.byteSize();
        static final VarHandle X = LAYOUT.varHandle(PathElement.groupElement("x"));
        static final VarHandle Y = LAYOUT.varHandle(PathElement.groupElement("y"));
        static final VarHandle Z = LAYOUT.varHandle(PathElement.groupElement("z"));
        static final VarHandle MASS = LAYOUT.varHandle(PathElement.groupElement("mass"));

        private Raw() {}
    }
}
