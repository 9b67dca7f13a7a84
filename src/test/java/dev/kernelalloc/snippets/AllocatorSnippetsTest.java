package dev.kernelalloc.snippets;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.nio.channels.FileChannel.MapMode.READ_WRITE;
import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;

import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.NativeBox;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.SecretMemory;
import dev.kernelalloc.SharedMemory;
import dev.kernelalloc.observe.AllocatorBean;
import dev.kernelalloc.observe.LiveProfile;
import dev.kernelalloc.physical.PhysicalAddress;
import dev.kernelalloc.physical.PhysicalRequest;
import dev.kernelalloc.source.MemorySource;
import dev.kernelalloc.struct.StructType;
import dev.kernelalloc.testing.LinuxProcess;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.management.ManagementFactory;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicLong;

import javax.management.MalformedObjectNameException;
import javax.management.ObjectName;

/** The examples of allocators and of what is beside them. */
class AllocatorSnippetsTest {

    record Point(int x, int y) {}

    static final StructType<Point> POINT = StructType.of(MethodHandles.lookup(), Point.class);

    @TempDir Path directory;

    @Test
    void kernelAllocator() {
        try (PoolAllocator pool = PoolAllocator.create()) {
            use(pool);
            assertThat(pool.stats().liveBlocks()).isZero();
        }
    }

    private static void use(KernelAllocator allocator) {
        MemorySegment block = allocator.allocate(100, 8);
        block.set(JAVA_LONG, 0, 42);
        allocator.free(block);

        try (Arena arena = allocator.arena()) {
            MemorySegment words = arena.allocate(JAVA_LONG, 1000);
        }
    }

    @Test
    void poolAllocator() {
        try (PoolAllocator pool = PoolAllocator.builder().tag("cache").limit(64 << 20).build();
                NativeBox<Point> box = NativeBox.of(pool, POINT, new Point(1, 2))) {
            box.get();
        }
    }

    @Test
    @EnabledOnOs(value = OS.LINUX, disabledReason = "only Linux shows physical addresses")
    void physicalAllocator() {
        assumeTrue(LinuxProcess.seesFrames(), "skipped: frames are hidden from this process");
        try (PhysicalAllocator physical = PhysicalAllocator.create()) {
            MemorySegment ring =
                    physical.allocate(PhysicalRequest.ofBytes(16 << 10).contiguous().build());
            PhysicalAddress address = physical.addressOf(ring);
            physical.free(ring);
        }
    }

    @Test
    void memorySource() throws IOException {
        Path path = directory.resolve("pool");
        FileChannel file = FileChannel.open(path, CREATE, READ, WRITE);
        AtomicLong end = new AtomicLong();
        MemorySource pages =
                (bytes, alignment, lifetime) -> {
                    long size = (bytes + (2 << 20) - 1) & -(2L << 20);
                    return Optional.of(file.map(READ_WRITE, end.getAndAdd(size), size, lifetime));
                };
        try (PoolAllocator pool = PoolAllocator.builder().source(pages).build()) {
            serve(pool);
        }
        try (Arena lifetime = Arena.ofShared()) {
            assertThat(pages.obtain(100, 8, lifetime).orElseThrow().byteSize()).isEqualTo(2 << 20);
        }
        file.close();
    }

    private static void serve(PoolAllocator pool) {
        assertThat(pool.stats().liveBlocks()).isZero();
    }

    @Test
    @EnabledOnOs(value = OS.LINUX, disabledReason = "Linux only")
    void sharedMemory() throws Exception {
        Path socket = directory.resolve("ring");
        FutureTask<Long> other = new FutureTask<>(() -> receive(socket));
        Thread.ofPlatform().start(other);
        SharedMemory ring = SharedMemory.create("ring", 16 << 20);
        ring.sendTo(socket, Duration.ofSeconds(10));
        assertThat(other.get()).isEqualTo(16 << 20);
        ring.close();
    }

    private static long receive(Path socket) throws IOException {
        SharedMemory ring = SharedMemory.receive(socket, Duration.ofSeconds(10));
        try (ring) {
            return ring.memory().byteSize();
        }
    }

    @Test
    void secretMemory() {
        byte[] message = {1, 2, 3};
        try (SecretMemory key = SecretMemory.allocate(32)) {
            readKey(key.readWrite());
            MemorySegment bytes = key.readOnly();
            sign(bytes, message);
            key.noAccess();
        }
    }

    private static void readKey(MemorySegment key) {
        key.fill((byte) 7);
    }

    private static void sign(MemorySegment key, byte[] message) {
        assertThat(key.get(JAVA_BYTE, message.length)).isEqualTo((byte) 7);
    }

    @Test
    @SuppressWarnings("try") // closed, not used
    void allocatorBean() throws MalformedObjectNameException {
        PoolAllocator pool = PoolAllocator.create();
        try (AllocatorBean.Registration bean = AllocatorBean.register(pool)) {
            serve();
        }
        pool.close();
    }

    private static void serve() throws MalformedObjectNameException {
        ObjectName all = new ObjectName("dev.kernelalloc:*");
        assertThat(ManagementFactory.getPlatformMBeanServer().queryNames(all, null)).isNotEmpty();
    }

    @Test
    void liveProfile() throws IOException {
        Path stacks = directory.resolve("stacks");
        Path profile = directory.resolve("profile");
        try (PoolAllocator pool = PoolAllocator.create()) {
            Files.writeString(stacks, LiveProfile.collapsed(pool.liveGroups()));
            Files.write(profile, LiveProfile.pprof(pool.liveGroups()));
        }
        assertThat(profile).isNotEmptyFile();
    }
}
