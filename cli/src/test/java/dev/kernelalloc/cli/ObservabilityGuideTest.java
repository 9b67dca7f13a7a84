package dev.kernelalloc.cli;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

import javax.imageio.ImageIO;

/**
 * The outputs in docs/observability.md are those of the program. Facts differ from machine to
 * machine; headings, columns, and the names of lines do not. {@code -Ddocs.write=true} prints the
 * guide's outputs anew before they are checked, and the picture too.
 */
@EnabledOnOs(OS.LINUX)
class ObservabilityGuideTest {

    private static final Path ROOT =
            Path.of(System.getProperty("project.basedir", ".")).getParent();
    private static final Path GUIDE = ROOT.resolve("docs/observability.md");
    private static final Path PICTURE = ROOT.resolve("docs/map.png");

    private static final Pattern SHOWN =
            Pattern.compile(
                    "<!-- shown: (\\S+) -->\n```console\n\\$ kernel-alloc (.*)\n((?s:.*?))```");

    /** Lines that a host has, or has several of, or none. */
    private static final List<String> OF_SOME_HOSTS = List.of("pool", "control group");

    @BeforeAll
    static void printAnewIfAsked() throws IOException {
        if (!Boolean.getBoolean("docs.write")) {
            return;
        }
        String written =
                SHOWN.matcher(Files.readString(GUIDE))
                        .replaceAll(
                                shown -> {
                                    String out =
                                            new ToolProcess()
                                                    .withoutFlags()
                                                    .start(arguments(shown.group(2), PICTURE))
                                                    .out()
                                                    .replace(ROOT + "/", "");
                                    return Matcher.quoteReplacement(
                                            "<!-- shown: %s -->\n```console\n$ kernel-alloc %s\n%s```"
                                                    .formatted(
                                                            shown.group(1), shown.group(2), out));
                                });
        Files.writeString(GUIDE, written);
    }

    @ParameterizedTest
    @ValueSource(strings = {"doctor", "demo", "map", "watch", "stress"})
    void theOutputShownIsTheProgrammes(String name) throws IOException {
        MatchResult shown =
                SHOWN.matcher(Files.readString(GUIDE))
                        .results()
                        .filter(block -> block.group(1).equals(name))
                        .findFirst()
                        .orElseThrow();
        Path picture = Files.createTempFile("kernel-alloc-guide", ".png");
        try {
            String brief = shown.group(2).replace("--seconds 5", "--seconds 300ms");
            ToolProcess.Result now = ToolProcess.run(arguments(brief, picture));
            assertThat(now.err()).isEmpty();
            assertThat(shape(shown.group(3))).isEqualTo(shape(now.out())).isNotEmpty();
        } finally {
            Files.delete(picture);
        }
    }

    @Test
    void thePictureOfTheGuideIsOne() throws IOException {
        assertThat(Files.readString(GUIDE)).contains("](map.png)");
        assertThat(ImageIO.read(PICTURE.toFile()).getWidth()).isGreaterThan(500);
    }

    @Test
    void everyNeedAndEveryCommandIsInTheGuide() throws IOException {
        String guide = Files.readString(GUIDE);
        for (Need need : Need.values()) {
            assertThat(guide).contains("`" + need + "`");
        }
        String readme = Files.readString(ROOT.resolve("cli/README.md"));
        assertThat(Tool.commandLine().getSubcommands().keySet())
                .filteredOn(command -> !command.equals("help"))
                .allSatisfy(command -> assertThat(readme).contains("`" + command + "`"));
    }

    private static String[] arguments(String line, Path picture) {
        return line.replace("docs/map.png", picture.toString()).split(" ");
    }

    /**
     * What is the same on every machine: headings, heads of columns, and the first words of lines.
     */
    private static List<String> shape(String output) {
        return output.lines()
                .filter(line -> !line.strip().startsWith("-> "))
                .map(line -> line.replaceFirst("^  (ok|warn|bad|unknown) +", "  "))
                .map(line -> line.replaceFirst("(?<=\\S)  .*", ""))
                .filter(line -> OF_SOME_HOSTS.stream().noneMatch(line.strip()::startsWith))
                .map(line -> line.replaceAll("\\d[\\d.,]*", "N"))
                .map(line -> line.replaceFirst("^(picture|look N|looked N times): .*", "$1"))
                .filter(line -> !line.matches("(No|Physical|not from|and N more:|N runs?,) .*"))
                .distinct()
                .toList();
    }
}
