package dev.kernelalloc.peers;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Peers behave as docs/peers.md says. */
class FactsTest {

    @Test
    @DisplayName("An Arena refuses access after close and a second close, and limits ofAuto alone")
    void arena_misused_throws() throws Exception {
        assertThat(facts("arena", "-XX:MaxDirectMemorySize=1m"))
                .contains(
                        "access after free: throws java.lang.IllegalStateException",
                        "double free: throws java.lang.IllegalStateException",
                        "8 MiB of ofAuto: throws java.lang.OutOfMemoryError",
                        "8 MiB of ofConfined: 8388608");
    }

    @Test
    @DisplayName("Netty counts references, refuses what comes after the last, and needs no Unsafe")
    void netty_misused_throws() throws Exception {
        assertThat(facts("netty", "-Dio.netty.noUnsafe=true", "-Dio.netty.maxDirectMemory=1048576"))
                .contains(
                        "Unsafe: false",
                        "count: 1 then 0",
                        "access after free: throws io.netty.util.IllegalReferenceCountException",
                        "double free: throws io.netty.util.IllegalReferenceCountException",
                        "8 MiB: throws io.netty.util.internal.OutOfDirectMemoryError");
    }

    @Test
    @DisplayName("Netty's check of access can be switched off")
    void netty_unchecked_readsAfterFree() throws Exception {
        assertThat(
                        facts(
                                "netty",
                                "-Dio.netty.noUnsafe=false",
                                "--sun-misc-unsafe-memory-access=allow",
                                "-Dio.netty.buffer.checkAccessible=false"))
                .contains("Unsafe: true", "access after free: read");
    }

    @Test
    @DisplayName("Arrow counts references, limits what it hands out, and finds leaks at close")
    void arrow_misused_throws() throws Exception {
        assertThat(arrow())
                .contains(
                        "8 MiB: throws org.apache.arrow.memory.OutOfMemoryException",
                        "and then: 64",
                        "access after free: throws java.lang.IllegalStateException",
                        "double free: throws java.lang.IllegalStateException",
                        "leak: throws java.lang.IllegalStateException",
                        "totals: 0, 4194304");
    }

    @Test
    @DisplayName("Arrow's check of access can be switched off")
    void arrow_unchecked_readsAfterFree() throws Exception {
        assertThat(arrow("-Darrow.enable_unsafe_memory_access=true"))
                .contains("access after free: read");
    }

    @Test
    @DisplayName("Arrow cannot do without sun.misc.Unsafe")
    void arrow_withoutUnsafe_allocatesNothing() throws Exception {
        assertThat(
                        facts(
                                "arrow",
                                "--add-opens=java.base/java.nio=ALL-UNNAMED",
                                "--sun-misc-unsafe-memory-access=deny"))
                .doesNotContain("and then: 64");
    }

    @Test
    @EnabledOnOs(
            value = OS.LINUX,
            architectures = "amd64",
            disabledReason = "skipped: LWJGL's native code is fetched for Linux on x86-64 alone")
    @DisplayName("LWJGL notices neither access after free nor a second free, and needs no Unsafe")
    void lwjgl_misused_noticesNothing() throws Exception {
        List<String> facts = facts("lwjgl", "--sun-misc-unsafe-memory-access=deny");
        assertThat(facts).contains("access after free: read", "leak: 64");
        // glibc may notice the second free, and ends the process.
        assertThat(facts).noneMatch(line -> line.startsWith("double free: throws"));
        assertThat(facts).noneMatch(line -> line.contains("leaked"));
    }

    @Test
    @EnabledOnOs(
            value = OS.LINUX,
            architectures = "amd64",
            disabledReason = "skipped: LWJGL's native code is fetched for Linux on x86-64 alone")
    @DisplayName("LWJGL's debug mode refuses a second free and reports leaks at the end")
    void lwjgl_debugMode_refusesASecondFreeAndReportsLeaks() throws Exception {
        assertThat(facts("lwjgl", "-Dorg.lwjgl.util.DebugAllocator=true"))
                .contains(
                        "access after free: read",
                        "double free: throws java.lang.IllegalStateException")
                .anyMatch(line -> line.startsWith("[LWJGL] 64 bytes leaked"));
    }

    private static List<String> arrow(String... flags) throws Exception {
        List<String> all = new ArrayList<>(List.of(flags));
        all.add("--add-opens=java.base/java.nio=ALL-UNNAMED");
        all.add("--sun-misc-unsafe-memory-access=allow");
        return facts("arrow", all.toArray(String[]::new));
    }

    private static List<String> facts(String peer, String... flags)
            throws IOException, InterruptedException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.add("--enable-native-access=ALL-UNNAMED");
        command.addAll(List.of(flags));
        command.addAll(List.of("-cp", System.getProperty("java.class.path")));
        command.addAll(List.of(Facts.class.getName(), peer));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        try (var out = process.getInputStream()) {
            return new String(out.readAllBytes(), StandardCharsets.UTF_8).lines().toList();
        } finally {
            process.waitFor();
        }
    }
}
