package dev.kernelalloc.arrow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;

import org.apache.arrow.memory.ArrowBuf;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.OutOfMemoryException;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.vector.BigIntVector;
import org.apache.arrow.vector.VarCharVector;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.ipc.ArrowStreamReader;
import org.apache.arrow.vector.ipc.ArrowStreamWriter;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;

class KernelAllocationManagerFactoryTest {

    private final PoolAllocator memory = PoolAllocator.create();

    @AfterEach
    void close() {
        memory.close(); // throws where a buffer is still alive
    }

    @Test
    @DisplayName("A factory given by hand serves the root and its children, aligned to 64 bytes")
    void buffer_factoryByHand_isABlock() {
        try (RootAllocator root = root(memory);
                BufferAllocator child = root.newChildAllocator("child", 0, 1 << 20);
                ArrowBuf ofRoot = root.buffer(100);
                ArrowBuf ofChild = child.buffer(5000)) {
            assertThat(memory.stats().liveBlocks()).isEqualTo(2);
            for (ArrowBuf buffer : List.of(ofRoot, ofChild)) {
                assertThatIsBlock(memory, buffer);
                assertThat(buffer.memoryAddress() % 64).isZero();
            }
            assertThat(root.getEmpty().capacity()).isZero();
        }
        assertThat(memory.stats().liveBlocks()).isZero();
    }

    @Test
    @DisplayName("Arrow's discovery finds the factory over the global allocator")
    void buffer_noFactoryGiven_isABlockOfTheGlobalAllocator() {
        try (RootAllocator root = new RootAllocator();
                ArrowBuf buffer = root.buffer(1000)) {
            assertThatIsBlock(KernelAllocator.global(), buffer);
        }
    }

    @Test
    @DisplayName("Vectors may lie in locked memory, whose physical address is known")
    void vector_overPhysicalAllocator_isLocked() {
        try (PhysicalAllocator physical = PhysicalAllocator.create();
                RootAllocator root = root(physical);
                BigIntVector vector = new BigIntVector("numbers", root)) {
            vector.allocateNew(100);
            vector.set(0, 42);
            assertThatIsBlock(physical, vector.getDataBuffer());
            assertThat(physical.stats().liveBlocks()).isPositive();
            assertThat(vector.get(0)).isEqualTo(42);
        }
    }

    @Test
    @DisplayName("A limit of the allocator is Arrow's exception, and nothing is counted or lost")
    void buffer_beyondTheLimit_isOutOfMemory() {
        try (PoolAllocator limited = PoolAllocator.builder().tag("arrow").limit(4 << 20).build();
                RootAllocator root = root(limited)) {
            List<ArrowBuf> taken = new ArrayList<>();
            assertThatExceptionOfType(OutOfMemoryException.class)
                    .isThrownBy(
                            () -> {
                                while (true) {
                                    taken.add(root.buffer(64 << 10));
                                }
                            })
                    .withMessageContaining("arrow")
                    .withCauseInstanceOf(AllocationException.class);
            assertThat(taken).isNotEmpty();
            assertThat(root.getAllocatedMemory()).isEqualTo(taken.size() * (64L << 10));
            taken.removeLast().close();
            root.buffer(64 << 10).close();
            taken.forEach(ArrowBuf::close);
            assertThat(limited.stats().liveBlocks()).isZero();
        }
    }

    @Test
    @DisplayName("A limit of Arrow's refuses without taking a block")
    void buffer_beyondArrowsLimit_takesNoBlock() {
        try (RootAllocator root = root(memory);
                BufferAllocator child = root.newChildAllocator("child", 0, 1 << 10)) {
            assertThatExceptionOfType(OutOfMemoryException.class)
                    .isThrownBy(() -> child.buffer(1 << 20));
            assertThat(memory.stats().liveBlocks()).isZero();
        }
    }

    @Test
    @DisplayName("A closed allocator of Arrow's takes no block")
    void create_closedArrowAllocator_freesTheBlock() {
        RootAllocator root = root(memory);
        root.close();
        var factory = new KernelAllocationManagerFactory(memory);
        assertThatIllegalStateException().isThrownBy(() -> factory.create(root, 64));
        assertThat(memory.stats().liveBlocks()).isZero();
    }

    @Test
    @DisplayName("A buffer passed to another allocator of Arrow's, and thread, is freed once")
    void release_onManyThreadsAndAllocators_freesOnce() throws Exception {
        int threads = 4;
        try (RootAllocator root = root(memory);
                BufferAllocator target = root.newChildAllocator("target", 0, Long.MAX_VALUE);
                var executor = Executors.newFixedThreadPool(threads)) {
            for (int round = 0; round < 200; round++) {
                BufferAllocator source = root.newChildAllocator("source", 0, Long.MAX_VALUE);
                ArrowBuf buffer = source.buffer(1024);
                buffer.setLong(0, round);
                ArrowBuf moved =
                        buffer.getReferenceManager()
                                .transferOwnership(buffer, target)
                                .getTransferredBuffer();
                buffer.close();
                source.close();
                List<Callable<Long>> readers = new ArrayList<>();
                for (int i = 0; i < threads; i++) {
                    moved.getReferenceManager().retain();
                    readers.add(
                            () -> {
                                long read = moved.getLong(0);
                                moved.getReferenceManager().release();
                                return read;
                            });
                }
                for (var read : executor.invokeAll(readers)) {
                    assertThat(read.get()).isEqualTo(round);
                }
                assertThat(memory.stats().liveBlocks()).isEqualTo(1);
                moved.close();
                assertThat(memory.stats().liveBlocks()).isZero();
            }
        }
    }

    @Test
    @DisplayName("Batches are written to a stream and read back, in our memory on both sides")
    void stream_ofBatches_isReadBack() throws IOException {
        ByteArrayOutputStream stream = new ByteArrayOutputStream();
        try (RootAllocator root = root(memory);
                BigIntVector numbers = new BigIntVector("numbers", root);
                VarCharVector names = new VarCharVector("names", root);
                VectorSchemaRoot batch = VectorSchemaRoot.of(numbers, names);
                ArrowStreamWriter writer = new ArrowStreamWriter(batch, null, stream)) {
            for (int i = 0; i < 10_000; i++) {
                numbers.setSafe(i, i);
                names.setSafe(i, ("row " + i).getBytes(StandardCharsets.US_ASCII));
            }
            batch.setRowCount(10_000);
            assertThatIsBlock(memory, numbers.getDataBuffer());
            writer.writeBatch();
        }
        try (RootAllocator root = root(memory);
                ArrowStreamReader reader =
                        new ArrowStreamReader(
                                new ByteArrayInputStream(stream.toByteArray()), root)) {
            assertThat(reader.loadNextBatch()).isTrue();
            VectorSchemaRoot batch = reader.getVectorSchemaRoot();
            BigIntVector numbers = (BigIntVector) batch.getVector("numbers");
            VarCharVector names = (VarCharVector) batch.getVector("names");
            assertThat(memory.stats().liveBlocks()).isPositive();
            for (int i = 0; i < 10_000; i++) {
                assertThat(numbers.get(i)).isEqualTo(i);
                assertThat(names.getObject(i).toString()).isEqualTo("row " + i);
            }
        }
        assertThat(memory.stats().liveBlocks()).isZero();
    }

    private static RootAllocator root(KernelAllocator memory) {
        return new RootAllocator(
                RootAllocator.configBuilder()
                        .allocationManagerFactory(new KernelAllocationManagerFactory(memory))
                        .build());
    }

    private static void assertThatIsBlock(KernelAllocator memory, ArrowBuf buffer) {
        MemorySegment start = MemorySegment.ofAddress(buffer.memoryAddress());
        assertThat(memory.usableSize(start)).isGreaterThanOrEqualTo(buffer.capacity());
        assertThatIllegalArgumentException()
                .isThrownBy(() -> PoolAllocator.systemHeap().usableSize(start));
    }
}
