package dev.kernelalloc.benchmarks.struct;

import javolution.io.Struct;

import org.lwjgl.system.linux.KernelTimespec;

import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The struct of {@link Particle}, or one of its size, as other libraries access it. Chronicle
 * Values is not here: 2026.2 does not start on Java 25 without added flags.
 */
final class Peers {

    private Peers() {}

    /** The shape of what jextract generates. */
    static final class JextractParticle {
        private static final ValueLayout.OfInt X_LAYOUT =
                (ValueLayout.OfInt) Particle.Raw.LAYOUT.select(PathElement.groupElement("x"));
        private static final long X_OFFSET =
                Particle.Raw.LAYOUT.byteOffset(PathElement.groupElement("x"));

        private JextractParticle() {}

        static int x(MemorySegment struct) {
            return struct.get(X_LAYOUT, X_OFFSET);
        }

        static void x(MemorySegment struct, int value) {
            struct.set(X_LAYOUT, X_OFFSET, value);
        }
    }

    /** A struct class of LWJGL with two 64-bit fields: 16 bytes as the others. */
    static final class LwjglTimespecs {
        private final KernelTimespec.Buffer structs;

        LwjglTimespecs(int count) {
            structs = KernelTimespec.calloc(count);
            for (int i = 0; i < count; i++) {
                structs.get(i).tv_sec(i);
            }
        }

        long sum() {
            long sum = 0;
            for (int i = 0; i < structs.capacity(); i++) {
                sum += structs.get(i).tv_sec();
            }
            return sum;
        }

        KernelTimespec first() {
            return structs.get(0);
        }
    }

    /** A struct of Javolution, moved over a direct buffer. */
    static final class JavolutionParticle extends Struct {
        final Signed32 x = new Signed32();
        final Signed32 y = new Signed32();
        final Signed32 z = new Signed32();
        final Signed32 mass = new Signed32();
        private final ByteBuffer buffer;
        private final int count;

        JavolutionParticle(int count) {
            this.count = count;
            int bytes = (int) Particle.Raw.BYTES;
            buffer = ByteBuffer.allocateDirect(count * bytes).order(ByteOrder.nativeOrder());
            for (int i = 0; i < count; i++) {
                buffer.putInt(i * bytes, i);
            }
            setByteBuffer(buffer, 0);
        }

        @Override
        public ByteOrder byteOrder() {
            return ByteOrder.nativeOrder();
        }

        long sum() {
            long sum = 0;
            for (int i = 0; i < count; i++) {
                setByteBufferPosition(i * (int) Particle.Raw.BYTES);
                sum += x.get();
            }
            return sum;
        }
    }
}
