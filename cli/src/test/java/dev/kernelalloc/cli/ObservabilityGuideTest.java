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
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
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

    /** {@code shown: NAME}, or {@code shown: NAME unprivileged}, before a line of a shell's. */
    private static final Pattern SHOWN =
            Pattern.compile(
                    "<!-- shown: (\\S+)( unprivileged)? -->\n"
                            + "```console\n\\$ (kernel-alloc .*)\n((?s:.*?))```");

    /** A line of the doctor's: its state, its name, a fact and, in brackets, the source. */
    private static final Pattern FINDING =
            Pattern.compile("  (?:ok|warn|bad|unknown) +(\\S.*?)  +\\S.* \\[.+]");

    /** Lines that a host has, or has several of, or none. */
    private static final List<String> OF_SOME_HOSTS =
            List.of("finding: pool", "finding: control group");

    private static final Pattern OF_SOME_HOSTS_TEXT =
            Pattern.compile(
                    " *-> .*|(No|Not settled[:,]|Physical|not from|and \\d+ more:|\\d+ runs?,) .*");

    /** Lines of which the beginning is the same on every machine. */
    private static final Pattern SAME_BEGINNING =
            Pattern.compile("(picture|look \\d+|looked \\d+ times| +\"\\w+\"): .*");

    private static final Pattern SAME_EVERYWHERE = Pattern.compile("  (met|not met) +\\S+");

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
                                            run(shown, shown.group(3), PICTURE)
                                                    .out()
                                                    .replace(ROOT + "/", "");
                                    String kept = shown.group();
                                    String head = kept.substring(0, kept.indexOf("\n$ "));
                                    return Matcher.quoteReplacement(
                                            "%s\n$ %s\n%s```".formatted(head, shown.group(3), out));
                                });
        Files.writeString(GUIDE, written);
    }

    @ParameterizedTest
    @ValueSource(strings = {"doctor", "need", "json", "demo", "map", "watch", "stress"})
    void theOutputShownIsTheProgrammes(String name) throws IOException {
        MatchResult shown =
                SHOWN.matcher(Files.readString(GUIDE))
                        .results()
                        .filter(block -> block.group(1).equals(name))
                        .findFirst()
                        .orElseThrow();
        Path picture = Files.createTempFile("kernel-alloc-guide", ".png");
        try {
            String brief = shown.group(3).replace("--seconds 5", "--seconds 300ms");
            ToolProcess.Result now = run(shown, brief, picture);
            assertThat(now.err()).isEmpty();
            assertThat(shape(shown.group(4))).isEqualTo(shape(now.out())).isNotEmpty();
        } finally {
            Files.delete(picture);
        }
    }

    /** The machine that it comes from is another: each line is one that doctor has here, too. */
    @Test
    void doctor_inAContainer_hasTheLinesOfTheGuide() throws IOException {
        String guide = Files.readString(GUIDE);
        String piece = guide.substring(guide.indexOf("```text\nLocks and pins\n"));
        piece = piece.substring("```text\n".length(), piece.indexOf("\n```"));
        assertThat(shape(piece))
                .containsExactly("Locks and pins", "finding: lock limit", "finding: pins")
                .isSubsetOf(shape(ToolProcess.run("doctor").out()));
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

    private static ToolProcess.Result run(MatchResult shown, String line, Path picture) {
        ToolProcess tool = new ToolProcess().withoutFlags();
        return (shown.group(2) == null ? tool : tool.unprivileged())
                .shell(
                        line.replace("kernel-alloc ", "TOOL ")
                                .replace("docs/map.png", picture.toString()));
    }

    /**
     * What is the same on every machine: headings, heads of columns, how many columns a line has
     * and what stands in the first, and whether a need was met.
     */
    private static List<String> shape(String output) {
        Set<String> shape = new LinkedHashSet<>();
        boolean isFirst = true;
        for (String line : output.lines().toList()) {
            Matcher finding = FINDING.matcher(line);
            if (finding.matches()) {
                shape.add("finding: " + finding.group(1).replaceAll("\\d+", "N"));
            } else if (!line.isBlank() && !OF_SOME_HOSTS_TEXT.matcher(line).matches()) {
                shape.add(shapeOf(line, isFirst).replaceAll("\\d[\\d.,]*", "N"));
            }
            isFirst = line.isBlank();
        }
        shape.removeIf(line -> OF_SOME_HOSTS.stream().anyMatch(line::startsWith));
        return List.copyOf(shape);
    }

    private static String shapeOf(String line, boolean isHead) {
        Matcher beginning = SAME_BEGINNING.matcher(line);
        if (beginning.matches()) {
            return beginning.group(1);
        }
        String[] cells = line.strip().split(" {2,}");
        return isHead || cells.length == 1 || SAME_EVERYWHERE.matcher(line).matches()
                ? String.join("  ", cells)
                : cells[0] + ", columns: " + cells.length;
    }
}
