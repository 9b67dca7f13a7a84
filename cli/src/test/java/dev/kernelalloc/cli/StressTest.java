package dev.kernelalloc.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;

import dev.kernelalloc.PoolAllocator;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

class StressTest {

    /** The sizes of locked memory are small: 8 MiB is all that most may lock. */
    @ParameterizedTest
    @CsvSource({"pool, 64KiB", "hardened, 64KiB", "system, 64KiB", "physical, 2KiB"})
    void everyAllocatorIsTriedAndNothingIsLost(String allocator, String most) {
        ToolProcess.Result stress =
                ToolProcess.run(
                        "stress",
                        "--allocator=" + allocator,
                        "--seconds=300ms",
                        "--threads=3",
                        "--sizes=1-" + most,
                        "--live=20",
                        "--shared=30");
        assertThat(stress.exitCode()).describedAs(stress.toString()).isEqualTo(Tool.DONE);
        assertThat(stress.err()).isEmpty();
        assertThat(stress.out())
                .containsPattern("allocator +" + allocator)
                .containsPattern("operations +[1-9]")
                .containsPattern("resident at most +[1-9]")
                .containsPattern("refused +0 allocations\n")
                .containsPattern("damaged +0 blocks\n")
                .containsPattern("left alive +0 blocks\n")
                .containsPattern("allocate +[1-9][0-9,]*( +[1-9][0-9,]*){5}\n")
                .containsPattern("free +[1-9][0-9,]*( +[1-9][0-9,]*){5}\n");
    }

    @Test
    void refusalsAreCountedAndTheFirstExplained() {
        assumeTrue(ToolProcess.isInstalled("prlimit"), "skipped: needs prlimit (util-linux)");
        ToolProcess.Result stress =
                new ToolProcess()
                        .under("prlimit", "--memlock=65536")
                        .unprivileged()
                        .start("stress", "--allocator=physical", "--seconds=200ms");
        assertThat(stress.exitCode()).isEqualTo(Tool.NOT_HAD);
        assertThat(stress.out())
                .containsPattern("refused +[1-9]")
                .contains("first refusal: ", "ulimit -l")
                .containsPattern("left alive +0 blocks\n");
        assertThat(stress.err()).isEmpty();
    }

    @Test
    @DisplayName("Interrupted, stress reports what was done until then")
    void stress_interrupted_printsItsSummary() {
        assumeTrue(Files.isDirectory(Path.of("/proc/self/task")), "skipped: needs /proc");
        ToolProcess.Result stress =
                new ToolProcess()
                        .interruptedWhen((process, _) -> hasThread(process, "stress-0"))
                        .start("stress", "--seconds=50", "--threads=1");
        assertThat(stress.exitCode()).describedAs(stress.toString()).isEqualTo(128 + 15);
        assertThat(stress.out())
                .containsPattern("time +[0-9.]+ s, interrupted\n")
                .containsPattern("left alive +0 blocks\n")
                .contains("allocate ");
        assertThat(stress.err()).isEmpty();
    }

    private static boolean hasThread(Process process, String name) throws IOException {
        try (Stream<Path> threads = Files.list(Path.of("/proc/" + process.pid() + "/task"))) {
            for (Path thread : threads.toList()) {
                if (Files.readString(thread.resolve("comm")).strip().equals(name)) {
                    return true;
                }
            }
            return false;
        } catch (NoSuchFileException ended) { // a thread, or the process
            return false;
        }
    }

    @Test
    @DisplayName("--json prints one object with everything that is counted")
    void stress_json_isOneObject() {
        ToolProcess.Result stress =
                ToolProcess.run("stress", "--json", "--seconds=200ms", "--threads=2", "--live=10");
        assertThat(stress.exitCode()).describedAs(stress.toString()).isEqualTo(Tool.DONE);
        JsonObject report = JsonParser.parseString(stress.out()).getAsJsonObject();
        assertThat(report.get("allocator").getAsString()).isEqualTo("pool");
        assertThat(report.get("threads").getAsInt()).isEqualTo(2);
        assertThat(report.get("interrupted").getAsBoolean()).isFalse();
        assertThat(report.get("operations").getAsLong()).isPositive();
        assertThat(report.get("peak_resident_bytes").getAsLong()).isPositive();
        for (String name : List.of("refused_allocations", "damaged_blocks", "blocks_left_alive")) {
            assertThat(report.get(name).getAsLong()).as(name).isZero();
        }
        JsonObject nanos = report.getAsJsonObject("allocate_nanos");
        assertThat(nanos.get("timed").getAsLong()).isPositive();
        assertThat(nanos.get("most").getAsLong())
                .isGreaterThanOrEqualTo(nanos.get("p999").getAsLong());
        assertThat(report.has("ended_early")).isFalse();
    }

    @Test
    void whatEndsAThreadEndsTheRunAndIsTold() throws InterruptedException {
        PoolAllocator closed = PoolAllocator.create();
        closed.close(); // as a mistake of the library would, allocate throws what nobody expects
        Workload workload = new Workload(closed, 16, 64, 10, 0);
        workload.start(2);
        workload.join();
        assertThat(workload.isOver()).isTrue();
        assertThat(workload.failure()).get().isInstanceOf(IllegalStateException.class);
    }

    @Test
    @DisplayName("A thread that begins when the time is over still does some operations")
    void start_afterTheEnd_eachThreadWorksOnce() throws InterruptedException {
        try (PoolAllocator pool = PoolAllocator.create()) {
            Workload workload = new Workload(pool, 16, 64, 10, 0);
            workload.end();
            workload.start(2);
            workload.join();
            assertThat(workload.operations()).isGreaterThanOrEqualTo(2 * 256);
            assertThat(workload.allocateNanos().getTotalCount()).isPositive();
            assertThat(workload.freeNanos().getTotalCount()).isPositive();
            workload.freeShared();
        }
    }

    /** Each thread has tables of latencies, of some hundred kilobytes. */
    @Test
    void threadsThatTheJavaHeapCannotServeMakeTheRunFail() {
        ToolProcess.Result stress =
                new ToolProcess()
                        .with("-Xmx16m")
                        .start("stress", "--threads=50", "--live=1", "--seconds=20");
        assertThat(stress.exitCode()).describedAs(stress.toString()).isEqualTo(Tool.NOT_HAD);
        assertThat(stress.out() + stress.err())
                .containsAnyOf(
                        "ended early: java.lang.OutOfMemoryError",
                        "NoClassDefFoundError"); // a class of the JDK met the full heap first
    }

    @Test
    void moreLiveBlocksThanTheJavaHeapCanReferToAreWrongUsage() {
        ToolProcess.Result stress = ToolProcess.runHere("stress", "--live=2000000000");
        assertThat(stress.exitCode()).isEqualTo(Tool.USAGE);
        assertThat(stress.out()).isEmpty();
        assertThat(stress.err())
                .containsPattern("--live: 2,000,000,000 blocks .* at most [1-9][0-9,]*, .*-Xmx")
                .contains("Usage: kernel-alloc stress");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "--sizes=0-4K",
                "--sizes=4K-16",
                "--sizes=1-2-3",
                "--sizes=-",
                "--threads=0",
                "--live=0",
                "--shared=101",
                "--seconds=0",
                "--allocator=none"
            })
    void wrongUsageIsExplainedOnTheErrorOutput(String option) {
        ToolProcess.Result stress = ToolProcess.runHere("stress", option);
        assertThat(stress.exitCode()).isEqualTo(Tool.USAGE);
        assertThat(stress.out()).isEmpty();
        assertThat(stress.err()).contains("Usage: kernel-alloc stress").doesNotContain("\tat ");
    }
}
