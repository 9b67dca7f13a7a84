package dev.kernelalloc.netty;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.PoolAllocator;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocatorMetric;
import io.netty.buffer.CompositeByteBuf;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.util.IllegalReferenceCountException;
import io.netty.util.Version;
import io.netty.util.concurrent.FastThreadLocalThread;
import io.netty.util.internal.OutOfDirectMemoryError;
import io.netty.util.internal.PlatformDependent;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.FutureTask;

class KernelByteBufAllocatorTest {

    private final PoolAllocator memory = PoolAllocator.create();
    private final KernelByteBufAllocator allocator = new KernelByteBufAllocator(memory);

    @AfterEach
    void close() {
        memory.close(); // throws where a buffer is still alive
    }

    @Test
    @DisplayName("The tests run with the version of Netty, and the setting of Unsafe, they are for")
    void environment_eachRun_isTheOneAskedFor() {
        assertThat(Version.identify().get("netty-buffer").artifactVersion())
                .isEqualTo(System.getProperty("tests.netty"));
        assertThat(PlatformDependent.hasUnsafe()).isEqualTo(Boolean.getBoolean("tests.unsafe"));
    }

    // ---- where the memory is ------------------------------------------------------------------

    @Test
    @DisplayName("Every way to a direct buffer leads to a block of the allocator")
    void directBuffer_eachMethod_isABlock() {
        List<ByteBuf> buffers =
                List.of(
                        allocator.buffer(),
                        allocator.buffer(100),
                        allocator.buffer(100, 1000),
                        allocator.ioBuffer(),
                        allocator.ioBuffer(100),
                        allocator.ioBuffer(100, 1000),
                        allocator.directBuffer(),
                        allocator.directBuffer(100),
                        allocator.directBuffer(100, 1000));
        assertThat(memory.stats().liveBlocks()).isEqualTo(buffers.size());
        for (ByteBuf buffer : buffers) {
            assertThat(buffer.isDirect()).isTrue();
            assertThat(buffer.alloc()).isSameAs(allocator);
            assertThatIsBlock(buffer);
            buffer.release();
        }
        assertThat(memory.stats().liveBlocks()).isZero();
    }

    @Test
    @DisplayName("A buffer that grows, shrinks or is copied stays in the allocator's memory")
    void capacity_changed_staysABlockWithItsContents() {
        ByteBuf buffer = allocator.directBuffer(16);
        for (int i = 0; i < 100_000; i++) {
            buffer.writeInt(i);
        }
        assertThat(memory.stats().liveBlocks()).isEqualTo(1);
        assertThatIsBlock(buffer);
        ByteBuf copy = buffer.copy();
        assertThatIsBlock(copy);
        buffer.capacity(40);
        assertThat(buffer.writerIndex()).isEqualTo(40);
        assertThatIsBlock(buffer);
        for (int i = 0; i < 10; i++) {
            assertThat(buffer.readInt()).isEqualTo(i);
        }
        buffer.release();
        for (int i = 0; i < 100_000; i++) {
            assertThat(copy.readInt()).isEqualTo(i);
        }
        copy.release();
    }

    @Test
    @DisplayName("The parts of composite buffers are blocks where direct ones are preferred")
    void compositeBuffer_parts_areBlocks() {
        CompositeByteBuf composite = allocator.compositeBuffer();
        composite.writeBytes(new byte[100]);
        assertThat(composite.isDirect()).isTrue();
        assertThat(memory.stats().liveBlocks()).isEqualTo(1);
        composite.release();

        KernelByteBufAllocator onHeap = new KernelByteBufAllocator(memory, false);
        CompositeByteBuf array = onHeap.compositeBuffer(4).writeBytes(new byte[100]);
        assertThat(array.hasArray()).isTrue();
        assertThat(onHeap.buffer(8).release()).isTrue();
        assertThat(memory.stats().liveBlocks()).isZero();
        array.release();
    }

    @Test
    @DisplayName("A buffer without capacity grows like any other")
    void directBuffer_ofNoBytes_grows() {
        ByteBuf buffer = allocator.directBuffer(0, 64);
        assertThat(buffer.capacity()).isZero();
        buffer.writeLong(42);
        assertThat(buffer.readLong()).isEqualTo(42);
        buffer.release();
    }

    @Test
    @DisplayName("Buffers work over the system heap")
    void directBuffer_overTheSystemHeap_isAMallocOfItsOwn() {
        KernelByteBufAllocator overMalloc = new KernelByteBufAllocator(PoolAllocator.systemHeap());
        long before = PoolAllocator.systemHeap().stats().liveBlocks();
        ByteBuf buffer = overMalloc.directBuffer(64).writeZero(64).writeLong(42);
        assertThat(PoolAllocator.systemHeap().stats().liveBlocks()).isEqualTo(before + 1);
        assertThat(buffer.getLong(64)).isEqualTo(42);
        buffer.release();
        assertThat(PoolAllocator.systemHeap().stats().liveBlocks()).isEqualTo(before);
    }

    @Test
    @DisplayName("Where Netty's own buffers have an address, these have theirs")
    void memoryAddress_asInNetty_isThatOfTheBlock() {
        ByteBuf netty = UnpooledByteBufAllocator.DEFAULT.directBuffer(8);
        ByteBuf buffer = allocator.directBuffer(8);
        try {
            assertThat(buffer.hasMemoryAddress()).isEqualTo(netty.hasMemoryAddress());
            if (buffer.hasMemoryAddress()) {
                assertThat(buffer.memoryAddress()).isEqualTo(addressOf(buffer));
            } else {
                assertThatThrownBy(buffer::memoryAddress)
                        .isInstanceOf(UnsupportedOperationException.class);
            }
        } finally {
            netty.release();
            buffer.release();
        }
    }

    // ---- lifetime -----------------------------------------------------------------------------

    @Test
    @DisplayName("A released buffer refuses every use and has no block any more")
    void release_last_endsEveryUse() {
        ByteBuf buffer = allocator.directBuffer(64);
        ByteBuf slice = buffer.retainedSlice(0, 8);
        assertThat(buffer.release()).isFalse();
        assertThat(slice.getByte(0)).isEqualTo(buffer.getByte(0));
        assertThat(slice.release()).isTrue();
        assertThat(memory.stats().liveBlocks()).isZero();
        for (Callable<?> use :
                List.<Callable<?>>of(
                        () -> buffer.getByte(0),
                        () -> buffer.getMedium(0),
                        () -> buffer.setLong(0, 1),
                        () -> buffer.setZero(0, 8),
                        () -> buffer.nioBuffer(0, 8),
                        () -> buffer.internalNioBuffer(0, 8),
                        () -> buffer.getBytes(0, new byte[8]),
                        () -> buffer.setBytes(0, ByteBuffer.allocate(8)),
                        () -> buffer.capacity(128),
                        () -> buffer.copy(0, 8),
                        buffer::retain,
                        buffer::release,
                        buffer::alloc)) {
            assertThatExceptionOfType(IllegalReferenceCountException.class).isThrownBy(use::call);
        }
        assertThat(buffer.refCnt()).isZero();
    }

    @Test
    @DisplayName("A slice whose buffer has shrunk since reaches no memory beyond it")
    void slice_ofAShrunkBuffer_isOutOfBounds() {
        ByteBuf buffer = allocator.directBuffer(4 << 20).writeZero(4 << 20);
        ByteBuf slice = buffer.slice(0, 4 << 20);
        ByteBuf other = allocator.directBuffer(8).writeZero(8);
        buffer.capacity(64);
        int beyond = (4 << 20) - 8;
        for (Callable<?> use :
                List.<Callable<?>>of(
                        () -> slice.getByte(64),
                        () -> slice.getShort(63),
                        () -> slice.getMedium(62),
                        () -> slice.getMediumLE(62),
                        () -> slice.getIntLE(61),
                        () -> slice.getLong(57),
                        () -> slice.getLong(beyond),
                        () -> slice.setByte(beyond, 1),
                        () -> slice.setShortLE(beyond, 1),
                        () -> slice.setMedium(beyond, 1),
                        () -> slice.setInt(beyond, 1),
                        () -> slice.setLongLE(57, 1),
                        () -> slice.setZero(57, 8),
                        () -> slice.getBytes(beyond, new byte[8]),
                        () -> slice.setBytes(beyond, new byte[8]),
                        () -> slice.getBytes(beyond, ByteBuffer.allocate(8)),
                        () -> slice.setBytes(beyond, ByteBuffer.allocate(8)),
                        () -> other.setBytes(0, slice, beyond, 8),
                        () -> other.getBytes(0, slice, beyond, 8),
                        () -> slice.nioBuffer(beyond, 8),
                        () -> slice.internalNioBuffer(beyond, 8),
                        () -> slice.copy(beyond, 8))) {
            assertThatExceptionOfType(IndexOutOfBoundsException.class).isThrownBy(use::call);
        }
        assertThat(slice.getLong(56)).isZero();
        other.release();
        buffer.release();
    }

    @Test
    @DisplayName("Buffers are allocated on one thread, filled by a second, released by a third")
    void release_onAnotherThread_freesTheBlock() throws Exception {
        try (var second = Executors.newSingleThreadExecutor();
                var third = Executors.newVirtualThreadPerTaskExecutor()) {
            for (int i = 0; i < 1000; i++) {
                int value = i;
                ByteBuf buffer = allocator.directBuffer(8);
                second.submit(() -> buffer.writeLong(value)).get();
                assertThat(third.submit(buffer::readLong).get()).isEqualTo(value);
                assertThat(third.submit(() -> buffer.release()).get()).isTrue();
            }
        }
        assertThat(memory.stats().liveBlocks()).isZero();
    }

    @Test
    @DisplayName("Many threads that retain and release one buffer free its block once")
    void release_byManyThreads_freesTheBlockOnce() throws Exception {
        int threads = 8;
        ByteBuf buffer = allocator.directBuffer(1024).writeZero(1024);
        try (var executor = Executors.newFixedThreadPool(threads)) {
            List<Callable<Boolean>> uses = new ArrayList<>();
            for (int i = 0; i < threads; i++) {
                ByteBuf share = buffer.retainedDuplicate();
                uses.add(
                        () -> {
                            for (int n = 0; n < 10_000; n++) {
                                ByteBuf slice = share.retainedSlice(0, 8);
                                assertThat(slice.getLong(0)).isZero();
                                slice.release();
                            }
                            return share.release();
                        });
            }
            for (var end : executor.invokeAll(uses)) {
                assertThat(end.get()).isFalse();
            }
        }
        assertThat(memory.stats().liveBlocks()).isEqualTo(1);
        assertThat(buffer.release()).isTrue();
        assertThat(memory.stats().liveBlocks()).isZero();
    }

    @Test
    @DisplayName("On Netty's threads the object of a released buffer is used again, as new")
    void directBuffer_onNettysThread_isRecycled() throws Exception {
        FutureTask<Boolean> task =
                new FutureTask<>(
                        () -> {
                            boolean recycled = false;
                            ByteBuf previous = null;
                            for (int i = 0; i < 100; i++) {
                                ByteBuf buffer = allocator.directBuffer(64, 64 + i);
                                assertThat(buffer.refCnt()).isEqualTo(1);
                                assertThat(buffer.maxCapacity()).isEqualTo(64 + i);
                                assertThat(buffer.writerIndex()).isZero();
                                assertThat(buffer.resetReaderIndex().readerIndex()).isZero();
                                assertThat(buffer.internalNioBuffer(0, 64).remaining())
                                        .isEqualTo(64);
                                assertThatIsBlock(buffer);
                                recycled |= buffer == previous;
                                buffer.writeZero(60).readerIndex(30).markReaderIndex();
                                buffer.release();
                                previous = buffer;
                            }
                            return recycled;
                        });
        Thread thread = new FastThreadLocalThread(task);
        thread.start();
        assertThat(task.get()).isTrue();
        thread.join();
    }

    // ---- limits -------------------------------------------------------------------------------

    @Test
    @DisplayName("A limit is Netty's error, with the refusal as its cause, and nothing is lost")
    void directBuffer_beyondTheLimit_isOutOfDirectMemory() {
        try (PoolAllocator limited = PoolAllocator.builder().tag("io").limit(4 << 20).build()) {
            KernelByteBufAllocator buffers = new KernelByteBufAllocator(limited);
            List<ByteBuf> taken = new ArrayList<>();
            OutOfDirectMemoryError error = null;
            while (error == null) {
                try {
                    taken.add(buffers.directBuffer(64 << 10));
                } catch (OutOfDirectMemoryError e) {
                    error = e;
                }
            }
            assertThat(taken).isNotEmpty();
            assertThat(error)
                    .hasMessageContaining("io")
                    .cause()
                    .isInstanceOfSatisfying(
                            AllocationException.class,
                            e ->
                                    assertThat(e.reason())
                                            .isEqualTo(AllocationException.Reason.LIMIT));
            taken.removeLast().release();
            buffers.directBuffer(64 << 10).release();
            taken.forEach(ByteBuf::release);
            assertThat(limited.stats().liveBlocks()).isZero();
        }
    }

    @Test
    @DisplayName("A buffer that may not grow keeps its capacity and contents")
    void capacity_beyondTheLimit_leavesTheBufferAsItWas() {
        try (PoolAllocator limited = PoolAllocator.builder().limit(4 << 20).build()) {
            ByteBuf buffer = new KernelByteBufAllocator(limited).directBuffer(64);
            ByteBuffer before = buffer.internalNioBuffer(0, 64);
            buffer.writeCharSequence("as it was", StandardCharsets.US_ASCII);
            assertThatExceptionOfType(OutOfDirectMemoryError.class)
                    .isThrownBy(() -> buffer.capacity(64 << 20));
            assertThat(buffer.capacity()).isEqualTo(64);
            assertThat(buffer.toString(StandardCharsets.US_ASCII)).isEqualTo("as it was");
            assertThat(buffer.internalNioBuffer(0, 64)).isSameAs(before);
            buffer.release();
            assertThat(limited.stats().liveBlocks()).isZero();
        }
    }

    @Test
    @DisplayName("A recycled buffer reuses its NIO buffer for the same block, and for no other")
    void internalNioBuffer_ofARecycledBuffer_isReusedForTheSameBlock() throws Exception {
        // Netty recycles objects in threads of its own alone.
        FutureTask<Integer> task = new FutureTask<>(KernelByteBufAllocatorTest::countNioBuffers);
        Thread thread = new FastThreadLocalThread(task);
        thread.start();
        assertThat(task.get()).isLessThan(500);
        thread.join();
    }

    /** Returns how many NIO buffers 1,000 buffers had that were used one after the other. */
    private static int countNioBuffers() {
        try (PoolAllocator pool = PoolAllocator.create()) {
            KernelByteBufAllocator buffers = new KernelByteBufAllocator(pool);
            Set<ByteBuffer> made = Collections.newSetFromMap(new IdentityHashMap<>());
            for (int i = 0; i < 1_000; i++) {
                ByteBuf buffer = buffers.directBuffer(64);
                ByteBuffer whole = buffer.internalNioBuffer(0, 64);
                assertThat(whole.order()).isEqualTo(ByteOrder.BIG_ENDIAN);
                assertThat(whole.position()).isZero();
                assertThat(whole.limit()).isEqualTo(64);
                made.add(whole);
                buffer.internalNioBuffer(16, 8).order(ByteOrder.LITTLE_ENDIAN);
                buffer.release();
            }
            ByteBuf shorter = buffers.directBuffer(60);
            assertThat(shorter.internalNioBuffer(0, 60).capacity()).isEqualTo(60);
            ByteBuf elsewhere = buffers.directBuffer(60);
            elsewhere.setInt(0, 4711);
            assertThat(elsewhere.internalNioBuffer(0, 60).getInt()).isEqualTo(4711);
            elsewhere.capacity(1 << 20).setInt(0, 815);
            assertThat(elsewhere.internalNioBuffer(0, 1 << 20).getInt()).isEqualTo(815);
            shorter.release();
            elsewhere.release();
            return made.size();
        }
    }

    @Test
    @DisplayName("A closed allocator gives no buffers, and those alive stay usable")
    void directBuffer_afterClose_isRefused() {
        PoolAllocator closed = PoolAllocator.create();
        KernelByteBufAllocator buffers = new KernelByteBufAllocator(closed);
        ByteBuf buffer = buffers.directBuffer(8);
        assertThatThrownBy(closed::close).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> buffers.directBuffer(8)).isInstanceOf(IllegalStateException.class);
        assertThat(buffer.writeLong(42).readLong()).isEqualTo(42);
        assertThat(buffer.release()).isTrue();
    }

    // ---- metrics ------------------------------------------------------------------------------

    @Test
    @DisplayName("The metric counts direct and heap buffers")
    void metric_ofBothKinds_counts() throws ExecutionException, InterruptedException {
        ByteBufAllocatorMetric metric = allocator.metric();
        assertThat(metric.usedDirectMemory()).isZero();
        assertThat(metric.usedHeapMemory()).isZero();
        ByteBuf direct = allocator.directBuffer(1 << 20);
        ByteBuf array = allocator.heapBuffer(1000);
        assertThat(metric.usedDirectMemory()).isBetween(1L << 20, 4L << 20);
        array.capacity(3000);
        assertThat(metric.usedHeapMemory()).isEqualTo(3000);
        direct.release();
        array.release();
        assertThat(metric.usedHeapMemory()).isZero();
        memory.trim();
        assertThat(metric.usedDirectMemory()).isZero();
    }

    private void assertThatIsBlock(ByteBuf buffer) {
        MemorySegment start = MemorySegment.ofAddress(addressOf(buffer));
        assertThat(memory.usableSize(start)).isGreaterThanOrEqualTo(buffer.capacity());
        KernelAllocator other = PoolAllocator.shared();
        assertThatIllegalArgumentException().isThrownBy(() -> other.usableSize(start));
    }

    private static long addressOf(ByteBuf buffer) {
        return MemorySegment.ofBuffer(buffer.nioBuffer(0, buffer.capacity())).address();
    }
}
