package dev.kernelalloc.physical;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.KernelAllocator;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.SecretMemory;
import dev.kernelalloc.testing.ChildJvm;
import dev.kernelalloc.testing.host.HostGuardian;
import dev.kernelalloc.testing.host.HostTest;
import dev.kernelalloc.testing.host.MemoryCage;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;

/** Control groups that are filled up: the library refuses before the kernel kills. */
@HostTest
class CagedFillTest {

    private static final long MIB = 1L << 20;

    /** Who fills it. */
    enum Filling {
        ENGINE,
        REQUESTS,
        THREADS,
        SECRETS,
        POOL_WITH_A_LIMIT
    }

    @ParameterizedTest
    @CsvSource({
        "ENGINE, 64",
        "ENGINE, 128",
        "ENGINE, 256",
        "ENGINE, 512",
        "REQUESTS, 64",
        "REQUESTS, 128",
        "REQUESTS, 256",
        "REQUESTS, 512",
        "THREADS, 128",
        "THREADS, 512",
        "SECRETS, 128",
        "SECRETS, 512",
        "POOL_WITH_A_LIMIT, 128",
        "POOL_WITH_A_LIMIT, 512"
    })
    @DisplayName(
            "A control group is filled with blocks of 4 KiB to 1 MiB until one is refused, and"
                    + " then all of the Java heap is touched: nothing is killed")
    void cage_filledUp_refuses(Filling filling, long cageMib) throws Exception {
        // Committed from the start, and touched little by little; a block takes some 700 bytes.
        long heapMib = Math.max(20, cageMib / 5);
        try (HostGuardian guardian = HostGuardian.start()) {
            MemoryCage cage = MemoryCage.make(guardian, cageMib * MIB);
            ChildJvm.Result result =
                    ChildJvm.onModulePath()
                            .under(cage.prefix())
                            .withNativeAccess()
                            .with("-Xms" + heapMib + "m", "-Xmx" + heapMib + "m")
                            .with("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
                            .run(Fill.class, filling.name(), "" + cageMib * MIB);
            assertThat(cage.kills()).as(result.output()).isZero();
            assertThat(result.exitCode()).as(result.output()).isZero();
            assertThat(result.output())
                    .contains("4096 bytes: ", "65536 bytes: ", "1048576 bytes: ", "and goes on");
            if (cageMib >= 128 && filling != Filling.SECRETS) {
                assertThat(Fill.leastFilled(result.output())).isGreaterThan(cageMib * MIB / 8);
            }
        }
    }

    static final class Fill {

        private static final int[] SIZES = {4096, 64 << 10, 1 << 20};
        private static final int THREADS = 4;

        private Fill() {}

        static void main(String[] arguments) throws InterruptedException {
            Filling filling = Filling.valueOf(arguments[0]);
            long cageBytes = Long.parseLong(arguments[1]);
            for (int size : SIZES) {
                IO.println(size + " bytes: " + fill(filling, size, cageBytes));
            }
            IO.println("and goes on");
        }

        /** The least that was filled, of all lines that tell it. */
        static long leastFilled(String output) {
            return output.lines()
                    .filter(line -> line.contains(" filled, then "))
                    .mapToLong(line -> Long.parseLong(line.split(" ")[2]))
                    .min()
                    .orElseThrow();
        }

        private static String fill(Filling filling, int size, long cageBytes)
                throws InterruptedException {
            return switch (filling) {
                case SECRETS -> fillWithSecrets(size);
                case POOL_WITH_A_LIMIT -> {
                    try (var pool = PoolAllocator.builder().limit(cageBytes / 3).build()) {
                        yield fill(pool, size, cageBytes, 1);
                    }
                }
                case ENGINE -> {
                    try (var physical = PhysicalAllocator.create()) {
                        yield fill(physical, size, cageBytes, 1);
                    }
                }
                case THREADS -> {
                    try (var physical = PhysicalAllocator.create()) {
                        yield fill(physical, size, cageBytes, THREADS);
                    }
                }
                case REQUESTS -> {
                    var request = PhysicalRequest.ofBytes(size).aligned(4096).build();
                    try (var physical = PhysicalAllocator.builder().request(request).build()) {
                        yield fill(physical, size, cageBytes, 1);
                    }
                }
            };
        }

        /** Each thread goes on after its first refusals, as a server would. */
        private static String fill(KernelAllocator allocator, int size, long cageBytes, int count)
                throws InterruptedException {
            AtomicLong filled = new AtomicLong();
            EnumSet<AllocationException.Reason> reasons =
                    EnumSet.noneOf(AllocationException.Reason.class);
            CountDownLatch full = new CountDownLatch(count);
            CountDownLatch touched = new CountDownLatch(1);
            List<Thread> threads = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                threads.add(
                        Thread.ofPlatform()
                                .start(
                                        () -> {
                                            List<MemorySegment> blocks = new ArrayList<>();
                                            int refusals = 0;
                                            while (refusals < 3 && filled.get() < cageBytes) {
                                                try {
                                                    MemorySegment block =
                                                            allocator.allocate(size, 64);
                                                    blocks.add(block.fill((byte) 1));
                                                    filled.addAndGet(size);
                                                } catch (AllocationException e) {
                                                    refusals++;
                                                    synchronized (reasons) {
                                                        reasons.add(e.reason());
                                                    }
                                                }
                                            }
                                            full.countDown();
                                            awaitUninterruptibly(touched);
                                            blocks.forEach(allocator::free);
                                        }));
            }
            full.await();
            touchTheJavaHeap();
            touched.countDown();
            for (Thread thread : threads) {
                thread.join();
            }
            return filled + " filled, then " + reasons;
        }

        private static void awaitUninterruptibly(CountDownLatch latch) {
            try {
                latch.await();
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        }

        private static String fillWithSecrets(int size) {
            List<SecretMemory> secrets = new ArrayList<>();
            long filled = 0;
            try {
                while (true) {
                    secrets.add(SecretMemory.allocate(size));
                    filled += size;
                }
            } catch (AllocationException e) {
                touchTheJavaHeap();
                return filled + " filled, then " + e.reason();
            } finally {
                secrets.forEach(SecretMemory::close);
            }
        }

        /** Every page of it. */
        private static void touchTheJavaHeap() {
            List<byte[]> kept = new ArrayList<>();
            try {
                while (true) {
                    kept.add(new byte[16 << 10]);
                }
            } catch (OutOfMemoryError e) {
                kept = null;
            }
        }
    }
}
