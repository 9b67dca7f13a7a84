package dev.kernelalloc.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.jar.JarFile;

/** The program as a whole: its jar, its help, and the terminal it does or does not have. */
class ToolTest {

    private static final String ESCAPE = "\u001b[";

    @Test
    void theJarNeedsNothingBeside() throws IOException {
        try (JarFile jar = new JarFile(ToolProcess.jar().toFile())) {
            var manifest = jar.getManifest().getMainAttributes();
            assertThat(manifest.getValue("Enable-Native-Access")).isEqualTo("ALL-UNNAMED");
            assertThat(manifest.getValue("Class-Path")).isNull();
            assertThat(jar.getEntry("META-INF/THIRD-PARTY")).isNotNull();
            assertThat(jar.stream().map(entry -> entry.getName()))
                    .doesNotHaveDuplicates()
                    .noneMatch(name -> name.endsWith("module-info.class"));
        }
    }

    @Test
    void theVersionIsPrinted() {
        assertThat(new ToolProcess().withoutFlags().start("--version").out())
                .matches("kernel-alloc \\d+\\.\\d+.*\n");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "doctor", "demo", "map", "stress", "struct", "top", "profile"})
    void everyCommandHasHelpThatNamesItsOptions(String command) {
        ToolProcess.Result help = ToolProcess.runHere((command + " --help").strip().split(" "));
        assertThat(help.exitCode()).isEqualTo(Tool.DONE);
        assertThat(help.err()).isEmpty();
        assertThat(help.out())
                .startsWith(("Usage: kernel-alloc " + command).strip())
                .contains("--help", "--version")
                .doesNotContain("${", ESCAPE);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "heal", "--loud"})
    void noCommandOrAnUnknownOneIsWrongUsage(String arguments) {
        ToolProcess.Result result =
                arguments.isEmpty() ? ToolProcess.run() : ToolProcess.run(arguments);
        assertThat(result.exitCode()).isEqualTo(Tool.USAGE);
        assertThat(result.out()).isEmpty();
        assertThat(result.err()).contains("Usage: kernel-alloc");
    }

    @Test
    void theCompletionIsAScriptThatBashReads() {
        assumeTrue(ToolProcess.isInstalled("bash"), "skipped: needs bash");
        ToolProcess.Result completion =
                new ToolProcess().shell("TOOL generate-completion | bash -n && echo fine");
        assertThat(completion.out()).isEqualTo("fine\n");
    }

    @Test
    void aTerminalGetsColoursAndAPipeNone() {
        assertThat(onTerminal("doctor").out()).contains(ESCAPE);
        assertThat(ToolProcess.run("doctor").out()).doesNotContain(ESCAPE);
    }

    @Test
    void whoWantsNoColoursGetsNone() {
        assumeTrue(ToolProcess.isInstalled("script"), "skipped: needs script (util-linux)");
        assertThat(
                        new ToolProcess()
                                .environment("NO_COLOR", "1")
                                .shell("script -qec 'TOOL doctor' /dev/null")
                                .out())
                .contains("Java")
                .doesNotContain(ESCAPE);
        assertThat(new ToolProcess().environment("CLICOLOR_FORCE", "1").start("doctor").out())
                .contains(ESCAPE);
    }

    @Test
    void aTerminalSeesProgress() {
        assertThat(onTerminal("stress --seconds 500ms").out()).contains("\rstress ", "[=");
        assertThat(onTerminal("map --size 64K --watch=20ms --times=3").out())
                .contains("\rlooking ")
                .contains("looked 3 times")
                .doesNotContain("look 1:");
    }

    @Test
    void progress_onANarrowTerminal_fitsOnALine() {
        assumeTrue(ToolProcess.isInstalled("script"), "skipped: needs script (util-linux)");
        ToolProcess.Result stress =
                new ToolProcess()
                        .shell(
                                "script -qec 'stty cols 40; TOOL stress --seconds 500ms'"
                                        + " /dev/null");
        assertThat(stress.out().split("[\r\n]"))
                .filteredOn(line -> line.startsWith("stress ") && line.contains("%"))
                .isNotEmpty()
                .allSatisfy(line -> assertThat(line.length()).isLessThan(40));
    }

    @Test
    void start_onAnOldJava_namesTheOneThatIsNeeded() {
        Path old = Path.of("/usr/lib/jvm/java-17-openjdk-amd64/bin/java");
        assumeTrue(Files.isExecutable(old), "skipped: needs Java 17 at " + old);
        ToolProcess.Result refused =
                new ToolProcess().shell(old + " -jar $(echo TOOL | sed 's/.* //') doctor");
        assertThat(refused.exitCode()).isEqualTo(Tool.NOT_HAD);
        assertThat(refused.err()).startsWith("kernel-alloc: ").contains("required=25 found=17");
        assertThat(refused.err().lines()).hasSize(1);
    }

    @Test
    void aReaderThatHasEnoughIsNoError() {
        ToolProcess.Result doctor = new ToolProcess().shell("TOOL doctor | head -n 1");
        assertThat(doctor.out()).isEqualTo("Java\n");
        assertThat(doctor.err()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"--help", "doctor --json", "generate-completion"})
    void output_toAFullDevice_isAnError(String arguments) {
        assumeTrue(Files.isWritable(Path.of("/dev/full")), "skipped: needs /dev/full");
        ToolProcess.Result lost = new ToolProcess().shell("TOOL " + arguments + " > /dev/full");
        assertThat(lost.exitCode()).isEqualTo(Tool.NOT_HAD);
        assertThat(lost.err()).startsWith("kernel-alloc: cannot write the results: ");
        assertThat(lost.err().lines()).hasSize(1);
    }

    @Test
    void deniedNativeAccessIsExplained() {
        ToolProcess.Result refused =
                new ToolProcess()
                        .with("--illegal-native-access=deny")
                        .shell("$(echo TOOL | sed 's/ -jar / -cp /') dev.kernelalloc.cli.Tool map");
        assertThat(refused.exitCode()).isEqualTo(Tool.NOT_HAD);
        assertThat(refused.err())
                .contains("kernel-alloc: ", "--enable-native-access=ALL-UNNAMED")
                .doesNotContain("\tat ");
    }

    private static ToolProcess.Result onTerminal(String arguments) {
        assumeTrue(ToolProcess.isInstalled("script"), "skipped: needs script (util-linux)");
        return new ToolProcess().shell("script -qec 'TOOL " + arguments + "' /dev/null");
    }
}
