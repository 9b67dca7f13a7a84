package dev.kernelalloc.secret;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.SecretMemory;

import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;

import org.jspecify.annotations.Nullable;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

class SecretMemoryPropertiesTest {

    enum Step {
        READ_WRITE,
        READ_ONLY,
        NO_ACCESS,
        WRITE
    }

    @Provide
    Arbitrary<List<Step>> steps() {
        return Arbitraries.of(Step.class).list().ofMaxSize(30);
    }

    /** Whatever the order of switches: the contents stay, and one segment is alive at most. */
    @Property
    void itHoldsWhatWasWrittenAndNoOldSegmentLives(
            @ForAll("steps") List<Step> steps,
            @ForAll @IntRange(max = 9000) int bytes,
            @ForAll @IntRange(max = 12) int alignmentShift,
            @ForAll boolean shared,
            @ForAll @Size(16) byte[] seed) {
        SecretMemory.Builder builder = SecretMemory.builder();
        if (shared) {
            builder.shared();
        }
        byte[] model = new byte[bytes];
        try (SecretMemory memory = builder.allocate(bytes, 1L << alignmentShift)) {
            @Nullable MemorySegment alive = null;
            int written = 0;
            for (Step step : steps) {
                MemorySegment before = alive;
                switch (step) {
                    case READ_WRITE -> alive = memory.readWrite();
                    case READ_ONLY -> alive = memory.readOnly();
                    case NO_ACCESS -> {
                        memory.noAccess();
                        alive = null;
                    }
                    case WRITE -> {
                        if (alive != null && !alive.isReadOnly() && bytes > 0) {
                            int at = Math.floorMod(written * 7919, bytes);
                            model[at] = seed[written++ % seed.length];
                            alive.set(ValueLayout.JAVA_BYTE, at, model[at]);
                        }
                    }
                }
                if (before != null && before != alive) {
                    assertThat(before.scope().isAlive()).isFalse();
                }
                if (alive != null) {
                    assertThat(memory.contentEquals(MemorySegment.ofArray(model))).isTrue();
                }
            }
            assertThat(memory.readOnly().toArray(ValueLayout.JAVA_BYTE)).isEqualTo(model);
        }
    }
}
