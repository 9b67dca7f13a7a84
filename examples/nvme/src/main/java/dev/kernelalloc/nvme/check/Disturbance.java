package dev.kernelalloc.nvme.check;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;

/**
 * Moves pages, over and over, in three ways, each on a thread of its own: compaction, migration of
 * this process from one NUMA node to the other, and a file that occupies nearly all memory.
 */
final class Disturbance implements AutoCloseable {

    private static final Path COMPACT = Path.of("/proc/sys/vm/compact_memory");
    private static final Path MEMORY = Path.of("/proc/meminfo");

    /** The least available memory: below that the kernel would kill a process. */
    private static final long LEAST_AVAILABLE_BYTES = 128 << 20;

    /**
     * Compactions and migrations; then they leave the processor to the file, which takes longest.
     */
    private static final int MOST_MOVES = 10;

    /** After this time one of each kind is enough: an emulated machine may be slow. */
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    /** The system call number on x86-64: migrate_pages(2) has no function in the C library. */
    private static final long SYS_MIGRATE_PAGES = 256;

    private static final MethodHandle MIGRATE_PAGES = migratePages();

    private final AtomicInteger compactions = new AtomicInteger();
    private final AtomicInteger migrations = new AtomicInteger();
    private final AtomicInteger squeezes = new AtomicInteger();
    private final AtomicReference<Throwable> failure = new AtomicReference<>();
    private final List<Thread> threads = new ArrayList<>();
    private final long start = System.nanoTime();
    private volatile boolean ended;

    Disturbance() {
        start("compaction", Disturbance::compact, compactions, MOST_MOVES);
        start("migration", () -> migrate(migrations.get() % 2), migrations, MOST_MOVES);
        start("pressure", this::squeeze, squeezes, 1);
    }

    /** Repeats an action that returns whether it succeeded. */
    private void start(String name, BooleanSupplier once, AtomicInteger count, int most) {
        Runnable loop =
                () -> {
                    while (!ended && count.get() < most) {
                        if (once.getAsBoolean()) {
                            count.incrementAndGet();
                        }
                    }
                };
        Thread thread = new Thread(loop, name);
        thread.setUncaughtExceptionHandler((_, thrown) -> failure.compareAndSet(null, thrown));
        threads.add(thread);
        thread.start();
    }

    /**
     * Returns whether memory was disturbed enough: moved several times in each way, or once if that
     * has taken long, and nearly all in use once. Throws if one has failed.
     */
    boolean hasDone() {
        Throwable thrown = failure.get();
        if (thrown != null) {
            throw new IllegalStateException("memory could not be disturbed", thrown);
        }
        int enough = System.nanoTime() - start > PATIENCE.toNanos() ? 1 : MOST_MOVES;
        return compactions.get() >= enough && migrations.get() >= enough && squeezes.get() >= 1;
    }

    private static boolean compact() {
        try {
            Files.writeString(COMPACT, "1");
            return true;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Moves every page of this process that can be moved from one node to the other. */
    private static boolean migrate(int from) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment old = arena.allocateFrom(ValueLayout.JAVA_LONG, 1L << from);
            MemorySegment other = arena.allocateFrom(ValueLayout.JAVA_LONG, 1L << 1 - from);
            // The number of pages that stayed, pinned ones included; -1 if the other node is full.
            long stayed = (long) MIGRATE_PAGES.invokeExact(SYS_MIGRATE_PAGES, 0L, 64L, old, other);
            return stayed >= 0;
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /** Fills a file in memory until little is available, and removes it. */
    private boolean squeeze() {
        try (FileChannel file =
                FileChannel.open(
                        Path.of("/tmp/pressure"),
                        StandardOpenOption.CREATE_NEW,
                        StandardOpenOption.WRITE,
                        StandardOpenOption.DELETE_ON_CLOSE)) {
            ByteBuffer zeros = ByteBuffer.allocateDirect(1 << 20);
            while (!ended && availableBytes() > LEAST_AVAILABLE_BYTES) {
                file.write(zeros.clear());
            }
            return !ended;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static long availableBytes() {
        try {
            for (String line : Files.readAllLines(MEMORY)) {
                if (line.startsWith("MemAvailable:")) {
                    return Long.parseLong(line.replaceAll("\\D", "")) << 10;
                }
            }
            throw new IllegalStateException("no MemAvailable in " + MEMORY);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @SuppressWarnings("restricted")
    private static MethodHandle migratePages() {
        ValueLayout.OfLong number = ValueLayout.JAVA_LONG;
        return Linker.nativeLinker()
                .downcallHandle(
                        Linker.nativeLinker().defaultLookup().findOrThrow("syscall"),
                        FunctionDescriptor.of(
                                number,
                                number,
                                number,
                                number,
                                ValueLayout.ADDRESS,
                                ValueLayout.ADDRESS),
                        Linker.Option.firstVariadicArg(1));
    }

    /** Stops all threads. */
    @Override
    public void close() {
        ended = true;
        for (Thread thread : threads) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IllegalStateException("interrupted", e);
            }
        }
    }

    @Override
    public String toString() {
        return "%s compactions, %s migrations between nodes, %s times nearly all memory in use"
                .formatted(compactions, migrations, squeezes);
    }
}
