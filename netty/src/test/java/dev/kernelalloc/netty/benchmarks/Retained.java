package dev.kernelalloc.netty.benchmarks;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.util.concurrent.FastThreadLocalThread;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Queue;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * How much memory stays resident when a burst is over: four threads of Netty's allocate 64 MiB each
 * of 64 B to 64 KiB, write all of it, release all, and go on with one small buffer a time.
 */
public final class Retained {

    private static final int THREADS = 4;
    private static final long BURST_BYTES = 64L << 20;

    private Retained() {}

    /** Prints the bytes; the argument names the allocator. */
    public static void main(String[] args) throws InterruptedException, IOException {
        ByteBufAllocator allocator = Peer.valueOf(args[0]).create();
        byte[] source = new byte[64 << 10];
        work(allocator, source, 1 << 20).await();
        long before = residentBytes();
        CountDownLatch released = work(allocator, source, BURST_BYTES);
        released.await();
        TimeUnit.SECONDS.sleep(5);
        System.out.println("retained " + Math.max(0, residentBytes() - before));
        System.exit(0);
    }

    private static CountDownLatch work(ByteBufAllocator allocator, byte[] source, long bytes) {
        CountDownLatch released = new CountDownLatch(THREADS);
        for (int i = 0; i < THREADS; i++) {
            int seed = i;
            Thread thread =
                    new FastThreadLocalThread(
                            () -> {
                                burst(allocator, source, bytes, new SplittableRandom(seed));
                                released.countDown();
                                idle(allocator);
                            });
            thread.setDaemon(true);
            thread.start();
        }
        return released;
    }

    private static void burst(
            ByteBufAllocator allocator, byte[] source, long bytes, SplittableRandom random) {
        Queue<ByteBuf> alive = new ArrayDeque<>();
        for (long left = bytes; left > 0; ) {
            int size = 64 << random.nextInt(11);
            alive.add(allocator.directBuffer(size).writeBytes(source, 0, size));
            left -= size;
        }
        alive.forEach(ByteBuf::release);
    }

    private static void idle(ByteBufAllocator allocator) {
        try {
            while (true) {
                allocator.directBuffer(256).writeLong(1).release();
                TimeUnit.MILLISECONDS.sleep(10);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static long residentBytes() throws IOException {
        System.gc();
        List<String> lines = Files.readAllLines(Path.of("/proc/self/smaps_rollup"));
        return lines.stream()
                .filter(line -> line.startsWith("Rss:"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) << 10)
                .sum();
    }
}
