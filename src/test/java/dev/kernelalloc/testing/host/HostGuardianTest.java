package dev.kernelalloc.testing.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.kernelalloc.testing.Await;
import dev.kernelalloc.testing.ChildJvm;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** On ordinary files, so that it can be tried anywhere. */
@EnabledOnOs(OS.LINUX)
class HostGuardianTest {

    @TempDir private Path directory;

    private Path file(String name, String content) throws IOException {
        return Files.writeString(directory.resolve(name), content + "\n");
    }

    @Test
    void valuesAreChangedAndAtTheCloseChangedBack() throws IOException {
        Path first = file("first", "1");
        Path second = file("second", "always [madvise] never");
        try (HostGuardian guardian = HostGuardian.start()) {
            assertThat(guardian.set(first, 2)).isEqualTo("1");
            assertThat(guardian.set(first, 3)).isEqualTo("2");
            assertThat(guardian.set(second, "never")).isEqualTo("madvise");
            assertThat(HostGuardian.number(first)).isEqualTo(3);
            assertThat(HostGuardian.read(second)).isEqualTo("never");
        }
        assertThat(HostGuardian.number(first)).isEqualTo(1);
        assertThat(HostGuardian.read(second)).isEqualTo("madvise");
    }

    @Test
    void directoriesAreMadeAndAtTheCloseRemoved() {
        Path made = directory.resolve("made");
        try (HostGuardian guardian = HostGuardian.start()) {
            guardian.make(made);
            guardian.make(made.resolve("inner"));
            assertThat(made.resolve("inner")).isDirectory();
            assertThatExceptionOfType(HostException.class)
                    .isThrownBy(() -> guardian.make(made))
                    .withMessageContaining("exists");
        }
        assertThat(made).doesNotExist();
    }

    @Test
    void whatCannotBeChangedIsAnExceptionAndTheRestIsStillUndone() throws IOException {
        Path file = file("file", "1");
        try (HostGuardian guardian = HostGuardian.start()) {
            guardian.set(file, 2);
            assertThatExceptionOfType(HostException.class)
                    .isThrownBy(() -> guardian.set(directory.resolve("absent"), 1))
                    .withMessageContaining("absent");
            assertThatExceptionOfType(HostException.class)
                    .isThrownBy(() -> guardian.set(directory, 1));
        }
        assertThat(HostGuardian.number(file)).isEqualTo(1);
    }

    @Test
    void whenTheJvmIsKilledValuesAreChangedBack() throws Exception {
        Path file = file("file", "former");
        ChildJvm.Result result = killedWhileItHolds(file, "changed");
        assertThat(result.output()).contains("holds changed");
        Await.until(
                "the guardian has undone everything",
                () -> HostGuardian.read(file).equals("former"));
    }

    /** What a child has printed that changes a value and is then killed. */
    static ChildJvm.Result killedWhileItHolds(Path file, String value) throws Exception {
        String program = System.getProperty("project.basedir") + "/src/test/sh/host-guardian";
        ChildJvm.Result result =
                ChildJvm.onModulePath().run(DieWhileItHolds.class, program, file.toString(), value);
        assertThat(result.exitCode()).as(result.output()).isEqualTo(128 + 9);
        return result;
    }

    static final class DieWhileItHolds {
        private DieWhileItHolds() {}

        static void main(String[] arguments) throws Exception {
            HostGuardian guardian = HostGuardian.start(arguments[0]);
            Path file = Path.of(arguments[1]);
            guardian.set(file, arguments[2]);
            IO.println("holds " + HostGuardian.read(file));
            new ProcessBuilder("kill", "-KILL", "" + ProcessHandle.current().pid())
                    .start()
                    .waitFor();
            Thread.currentThread().join();
        }
    }
}
