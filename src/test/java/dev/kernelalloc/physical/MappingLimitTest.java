package dev.kernelalloc.physical;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.kernelalloc.AllocationException;
import dev.kernelalloc.PhysicalAllocator;
import dev.kernelalloc.SecretMemory;
import dev.kernelalloc.testing.ChildJvm;
import dev.kernelalloc.testing.LinuxProcess;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Half of the mappings that the kernel allows a process may be slabs and blocks, a quarter secrets.
 * A process that has filled that gets an exception, and its JVM can still start threads, each of
 * which needs mappings: without them it aborts.
 */
@EnabledOnOs(OS.LINUX)
class MappingLimitTest {

    private static final Pattern COUNTED = Pattern.compile("(\\d+) blocks, (\\d+) mappings made");

    /**
     * What blocks are of. Those side by side take milliseconds each, so there are a few hundred of
     * them at most, moved together from up to four places, and guarded ones fill the rest.
     */
    enum Kind {
        BASE_PAGES(request(4096)),
        GUARDED(request(4096).guarded()),
        PINNED(request(4096).atLeast(Guarantee.NEVER_MOVED)),
        CONTIGUOUS(request(16 << 10).contiguous()),
        CONTIGUOUS_AND_GUARDED(request(16 << 10).contiguous().guarded()),
        SECRETS(request(4096).guarded());

        private final PhysicalRequest request;

        Kind(PhysicalRequest.Builder request) {
            this.request = request.build();
        }

        private PhysicalRequest notDumped() {
            PhysicalRequest.Builder builder = request(request.size()).notDumped();
            if (request.guarded()) {
                builder.guarded();
            }
            return builder.atLeast(request.least()).build();
        }

        private static PhysicalRequest.Builder request(long bytes) {
            return PhysicalRequest.ofBytes(bytes)
                    .pages(PagePolicy.BASE)
                    .atLeast(Guarantee.RESIDENT);
        }
    }

    @ParameterizedTest
    @EnumSource(Kind.class)
    @DisplayName("Blocks of every kind end in an exception, and threads can be started after it")
    void allocate_untilRefused_threadsStillStart(Kind kind) throws Exception {
        String output =
                ChildJvm.onModulePath()
                        .withNativeAccess()
                        .with("-Xmx256m", "-XX:-CreateCoredumpOnCrash", "-XX:ErrorFile=/dev/null")
                        .outputOf(Fill.class, kind.name());
        assertThat(output).contains("all threads have run");
        assumeTrue(
                kind != Kind.PINNED || !output.contains("LOCK_LIMIT"),
                "skipped: less memory may be pinned than mappings hold");
        assertThat(output).contains("OUT_OF_MEMORY").doesNotContain("lost true");
        Matcher counted = COUNTED.matcher(output);
        assertThat(counted.find()).as(output).isTrue();
        long most = mostMappings();
        long allowed = most / 2 + (kind == Kind.SECRETS ? most / 4 : 0);
        assertThat(Long.parseLong(counted.group(2)))
                .as(output)
                .isBetween(most / 8, allowed + most / 200); // some hundred may be the JVM's
    }

    private static long mostMappings() throws IOException {
        try (Stream<String> lines = Files.lines(Path.of("/proc/sys/vm/max_map_count"))) {
            return Long.parseLong(lines.findFirst().orElseThrow());
        }
    }

    static final class Fill {

        private static final int MOST_CONTIGUOUS = 200;
        private static final int ALL = Integer.MAX_VALUE;

        /** Requests beyond the limit; each tries batches of 4 to 64 MiB. */
        private static final int MORE = 16;

        /** Less than one batch, and more than the blocks that were served. */
        private static final long LOST = 2 << 20;

        private Fill() {}

        static void main(String[] arguments) throws Exception {
            Kind kind = Kind.valueOf(arguments[0]);
            long before = mappings();
            List<Object> kept = new ArrayList<>();
            PhysicalAllocator physical = PhysicalAllocator.create();
            kept.add(physical);
            if (kind.request.contiguous()) {
                fill(kept, MOST_CONTIGUOUS, () -> physical.allocate(kind.request));
                fill(kept, ALL, () -> physical.allocate(Kind.GUARDED.request));
                long reserved = LinuxProcess.bytesKeptFromChildren();
                for (int i = 0; i < MORE; i++) {
                    fill(kept, 1, () -> physical.allocate(kind.request));
                }
                long lost = LinuxProcess.bytesKeptFromChildren() - reserved;
                IO.println("lost " + (lost > LOST));
            } else {
                // Neighbours that differ are mappings of their own; the kernel joins others.
                PhysicalRequest other = kind.notDumped();
                fill(
                        kept,
                        ALL,
                        () -> physical.allocate(kept.size() % 2 == 0 ? kind.request : other));
            }
            if (kind == Kind.SECRETS) {
                fill(kept, ALL, () -> SecretMemory.allocate(32));
            }
            IO.println(kept.size() + " blocks, " + (mappings() - before) + " mappings made");
            CountDownLatch running = new CountDownLatch(50);
            List<Thread> threads = new ArrayList<>();
            for (int i = 0; i < 50; i++) {
                threads.add(Thread.ofPlatform().start(() -> await(running)));
            }
            for (Thread thread : threads) {
                thread.join();
            }
            IO.println("all threads have run");
        }

        private interface Allocation {
            Object allocate();
        }

        private static void fill(List<Object> kept, int most, Allocation allocation) {
            try {
                for (int i = 0; i < most; i++) {
                    kept.add(allocation.allocate());
                }
            } catch (AllocationException e) {
                IO.println(e.reason() + ": " + e.getMessage());
            }
        }

        private static long mappings() throws IOException {
            try (Stream<String> lines = Files.lines(Path.of("/proc/self/maps"))) {
                return lines.count();
            }
        }

        /** All are alive at the same time. */
        private static void await(CountDownLatch all) {
            all.countDown();
            try {
                all.await();
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        }
    }
}
