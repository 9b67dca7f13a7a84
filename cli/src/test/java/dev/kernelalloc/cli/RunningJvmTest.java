package dev.kernelalloc.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.Tracking;
import dev.kernelalloc.observe.AllocatorBean;
import dev.kernelalloc.observe.AllocatorMXBean;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.zip.GZIPInputStream;

import javax.management.ObjectName;

/** The commands that look into another JVM, with one that holds memory. */
class RunningJvmTest {

    /** The other JVM: it holds 3,000 bytes until its input ends. */
    public static final class Holder {

        private Holder() {}

        public static void main(String[] arguments) throws IOException {
            PoolAllocator pool =
                    PoolAllocator.builder().tag("held, by me").tracking(Tracking.ALL).build();
            try (AllocatorBean.Registration _ = AllocatorBean.register(pool)) {
                MemorySegment block = hold(pool);
                System.out.println("ready");
                System.in.read();
                pool.free(block);
            }
        }

        private static MemorySegment hold(PoolAllocator pool) {
            return pool.allocate(3000, 8);
        }
    }

    @TempDir Path directory;

    private Process holder;
    private String pid;

    @BeforeEach
    void start() throws IOException {
        holder =
                new ProcessBuilder(
                                System.getProperty("java.home") + "/bin/java",
                                "--enable-native-access=ALL-UNNAMED",
                                "-XX:TieredStopAtLevel=1",
                                "-cp",
                                System.getProperty("java.class.path"),
                                Holder.class.getName())
                        .redirectError(ProcessBuilder.Redirect.INHERIT)
                        .start();
        pid = Long.toString(holder.pid());
        assertThat(holder.inputReader().readLine()).isEqualTo("ready");
    }

    @AfterEach
    void stop() throws Exception {
        holder.getOutputStream().close();
        assertThat(holder.waitFor()).isZero();
    }

    @Test
    @DisplayName("top shows the allocators of a running JVM, and the sites that hold memory")
    void top_runningJvm_showsAllocatorsAndSites() {
        ToolProcess.Result top = ToolProcess.runHere("top", pid);
        assertThat(top.err()).isEmpty();
        assertThat(top.exitCode()).isEqualTo(Tool.DONE);
        assertThat(top.out())
                .containsPattern("held, by me +1 +[0-9.]+ KiB +[0-9.]+ [KM]iB +[0-9.]+ [KM]iB  ALL")
                .contains("2.9 KiB  " + Holder.class.getName() + ".hold [raw block]");
        assertThat(ToolProcess.runHere("top", pid, "--sites", "0").out()).doesNotContain("hold [");
    }

    @Test
    @DisplayName("profile writes collapsed stacks, and a file for pprof")
    void profile_runningJvm_writesStacks() throws IOException {
        ToolProcess.Result profile = ToolProcess.runHere("profile", pid);
        String name = Holder.class.getName();
        assertThat(profile.out())
                .isEqualTo("held, by me;" + name + ".main;" + name + ".hold;[raw block] 3000\n");
        Path file = directory.resolve("live.pb.gz");
        assertThat(ToolProcess.runHere("profile", pid, "--pprof", file.toString()).exitCode())
                .isEqualTo(Tool.DONE);
        try (GZIPInputStream gzip = new GZIPInputStream(Files.newInputStream(file))) {
            assertThat(new String(gzip.readAllBytes(), StandardCharsets.UTF_8))
                    .contains("inuse_space", name + ".hold");
        }
    }

    @Test
    @DisplayName("A JVM that ends between two looks is an error in one sentence")
    void read_afterTheJvmEnded_isOneSentence() throws Exception {
        try (RunningJvm jvm = RunningJvm.attach(pid)) {
            AllocatorMXBean allocator = jvm.allocators(List.of("held, by me")).get("held, by me");
            assertThat(jvm.read(allocator, AllocatorMXBean::liveStacks)).isPresent();
            stop();
            String ended = "process " + pid + " has ended, or no longer answers";
            assertThatIOException()
                    .isThrownBy(() -> jvm.read(allocator, AllocatorMXBean::liveStacks))
                    .withMessage(ended);
            assertThatIOException().isThrownBy(jvm::allocators).withMessage(ended);
        }
    }

    @Test
    @DisplayName("An allocator that is unregistered between two reads has no values")
    void read_unregisteredAllocator_isEmpty() throws Exception {
        try (RunningJvm jvm = RunningJvm.attach(pid)) {
            AllocatorMXBean none = jvm.allocator(new ObjectName("dev.kernelalloc:name=none"));
            assertThat(jvm.read(none, AllocatorMXBean::liveStacks)).isEmpty();
        }
    }

    @Test
    @DisplayName("Negative numbers, and a profile that cannot be written, are errors")
    void arguments_impossible_areErrors() {
        for (String option : List.of("--times", "--sites")) {
            ToolProcess.Result top = ToolProcess.runHere("top", pid, option, "-1");
            assertThat(top.exitCode()).isEqualTo(Tool.USAGE);
            assertThat(top.err()).contains("--sites and --times must be at least 0");
        }
        ToolProcess.Result profile =
                ToolProcess.runHere("profile", pid, "--pprof", directory + "/none/live.pb.gz");
        assertThat(profile.exitCode()).isEqualTo(Tool.NOT_HAD);
        assertThat(profile.err())
                .contains("cannot write the profile: file=" + directory, "NoSuchFileException");
    }

    @Test
    @DisplayName("A process that is no JVM, or an allocator that does not exist, is an error")
    void attach_impossible_isAnError() {
        for (String[] arguments :
                new String[][] {{"top", "1"}, {"profile", pid, "--allocator", "other"}}) {
            ToolProcess.Result result = ToolProcess.runHere(arguments);
            assertThat(result.exitCode()).isEqualTo(Tool.NOT_HAD);
            assertThat(result.out()).isEmpty();
            assertThat(result.err()).isNotEmpty();
        }
    }

    @Test
    @DisplayName("What is no process id is wrong usage")
    void attach_noProcessId_isWrongUsage() {
        for (String id : List.of("0", "-7", "abc", "12345678901")) {
            ToolProcess.Result result = ToolProcess.runHere("profile", id);
            assertThat(result.exitCode()).as(id).isEqualTo(Tool.USAGE);
        }
        assertThat(ToolProcess.runHere("top", "0").err())
                .contains("'0' is no process id: jps lists the JVMs of a user");
    }
}
