package dev.kernelalloc.heap;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.os.FakeOperatingSystem;
import dev.kernelalloc.os.FakeOperatingSystem.Operation;
import dev.kernelalloc.os.NativeMemory;
import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.testing.LinuxProcess;

import org.junit.jupiter.api.Test;

import java.lang.foreign.ValueLayout;

class SystemChunksTest {

    private static final long SMALL_BYTES = 1 << 20;
    private static final long LARGE_BYTES = 64 << 20;

    private final FakeOperatingSystem os = new FakeOperatingSystem();
    private final SystemChunks chunks = new SystemChunks(os);

    /** The whole mapping is alike, so that its pages move the next time too. */
    @Test
    void aChunkThatGrowsLargeWantsHugePagesFromEndToEnd() throws Refusal {
        assumeTrue(LinuxProcess.isThis(), "skipped: /proc/self/smaps is Linux's");
        Chunk chunk = grown(SMALL_BYTES, LARGE_BYTES);
        for (long place : new long[] {-16, 0, LARGE_BYTES / 2, LARGE_BYTES - 1}) {
            assertThat(LinuxProcess.mappingFlags(chunk.address() + place)).contains("hg");
        }
        NativeMemory.segment(chunk.address(), LARGE_BYTES).fill((byte) 5);
        Chunk larger = chunks.resize(chunk, 2 * LARGE_BYTES);
        assertThat(LinuxProcess.mappingFlags(larger.address() + 2 * LARGE_BYTES - 1))
                .contains("hg");
        assertThat(
                        NativeMemory.segment(larger.address() + LARGE_BYTES - 1, 1)
                                .get(ValueLayout.JAVA_BYTE, 0))
                .isEqualTo((byte) 5);
        chunks.release(larger);
        os.assertNothingLeaked();
    }

    @Test
    void aChunkThatStaysSmallOrShrinksWantsNone() throws Refusal {
        Chunk small = grown(SMALL_BYTES, 16 << 20);
        Chunk large = chunks.obtain(2 * LARGE_BYTES, 16);
        Chunk shrunk = chunks.resize(large, LARGE_BYTES);
        assertThat(os.calls()).noneMatch(call -> call.operation() == Operation.ADVISE);
        chunks.release(small);
        chunks.release(shrunk);
    }

    @Test
    void whereThereAreNoHugePagesAChunkGrowsAllTheSame() throws Refusal {
        os.refuse(Operation.ADVISE);
        Chunk chunk = grown(SMALL_BYTES, LARGE_BYTES);
        assertThat(os.calls()).anyMatch(call -> call.operation() == Operation.ADVISE);
        assertThat(chunk.bytes()).isEqualTo(LARGE_BYTES);
        NativeMemory.segment(chunk.address(), LARGE_BYTES).fill((byte) 5);
        chunks.release(chunk);
    }

    private Chunk grown(long from, long to) throws Refusal {
        assumeTrue(chunks.resizes(), "skipped: this C heap enlarges no aligned block");
        return chunks.resize(chunks.obtain(from, 16), to);
    }
}
