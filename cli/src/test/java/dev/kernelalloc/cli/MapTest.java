package dev.kernelalloc.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;

import java.awt.image.BufferedImage;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

import javax.imageio.ImageIO;
import javax.xml.parsers.DocumentBuilderFactory;

@EnabledOnOs(OS.LINUX)
class MapTest {

    private static final String RUN =
            "\\d+ +\\d+ +(0x[0-9a-f]{16}) +(0x[0-9a-f]{16}|hidden) +(\\d+) .*";

    @TempDir private Path directory;

    @Test
    void thePictureHasAStrokeForEachRunOfTheTable() throws Exception {
        Path picture = directory.resolve("map.svg");
        ToolProcess.Result map =
                ToolProcess.run(
                        "map",
                        "--size=300KiB",
                        "--blocks=2",
                        "--pages=base",
                        "--runs=0",
                        "--picture=" + picture);
        assertThat(map.exitCode()).describedAs(map.err()).isEqualTo(Tool.DONE);
        assertThat(map.err()).isEmpty();
        List<String> runs = runs(map);
        assertThat(runs.stream().mapToLong(run -> Long.parseLong(run.replaceAll(RUN, "$3"))).sum())
                .isEqualTo(600 << 10);
        assertThat(strokes(picture)).isEqualTo(runs.size());
    }

    @Test
    void aPictureCanBeOfPixels() throws Exception {
        Path picture = directory.resolve("map.PNG");
        ToolProcess.Result map =
                ToolProcess.run("map", "--size=64K", "--colour=node", "--picture=" + picture);
        assertThat(map.exitCode()).isEqualTo(Tool.DONE);
        BufferedImage pixels = ImageIO.read(picture.toFile());
        Set<Integer> colours = new HashSet<>();
        for (int x = 0; x < pixels.getWidth(); x++) {
            for (int y = 0; y < pixels.getHeight(); y++) {
                colours.add(pixels.getRGB(x, y) & 0xffffff);
            }
        }
        assertThat(colours).contains(0xffffff, 0x0072b2);
    }

    @Test
    void aContiguousBlockIsOneRun() {
        ToolProcess.Result map = ToolProcess.run("map", "--size=64KiB", "--contiguous");
        assertThat(map.exitCode()).describedAs(map.err()).isEqualTo(Tool.DONE);
        assertThat(runs(map)).hasSize(1);
        assertThat(map.out()).contains("\n1 run, the longest of 64 KiB\n");
    }

    @Test
    void whatIsAskedForIsShownAsHad() {
        ToolProcess.Result map = ToolProcess.run("map", "--size=2M", "--guarantee=locked,huge");
        assertThat(map.out()).containsPattern("2097152 +0x[0-9a-f]+ +resident\\+locked\\+huge");
    }

    @Test
    void withoutTheRightToSeeAddressesItSaysSoAndShowsWhatItCan() throws Exception {
        ToolProcess.Result map =
                new ToolProcess()
                        .unprivileged()
                        .start("map", "--size=1MiB", "--watch=1ms", "--times=2");
        assertThat(map.exitCode()).describedAs(map.err()).isEqualTo(Tool.DONE);
        assertThat(runs(map)).hasSize(1).allMatch(run -> run.contains("hidden"));
        assertThat(map.out())
                .contains("No physical addresses", "CAP_SYS_ADMIN")
                .contains("looked 2 times: nothing is known")
                .doesNotContain("\tat ");
    }

    @Test
    void withoutAddressesThePictureShowsNodes() throws Exception {
        Path picture = directory.resolve("hidden.svg");
        Files.createFile(picture);
        picture.toFile().setWritable(true, false);
        directory.toFile().setExecutable(true, false);
        ToolProcess.Result map =
                new ToolProcess().unprivileged().start("map", "--size=64K", "--picture=" + picture);
        assertThat(map.exitCode()).describedAs(map.err()).isEqualTo(Tool.DONE);
        assertThat(strokes(picture)).isEqualTo(runs(map).size());
    }

    @Test
    void aWatchLooksAsOftenAsItIsTold() {
        ToolProcess.Result map = ToolProcess.run("map", "--size=64K", "--watch=10ms", "--times=3");
        assertThat(map.lines()).filteredOn(line -> line.startsWith("look ")).hasSize(3);
        assertThat(map.err()).isEmpty();
    }

    @Test
    @DisplayName("A watch that is interrupted reports what it has found until then")
    void watch_interrupted_printsItsSummary() {
        ToolProcess.Result map =
                new ToolProcess()
                        .interruptedWhen((_, out) -> Files.readString(out).contains("look 2:"))
                        .start("map", "--size=64K", "--watch=10ms", "--times=0");
        assertThat(map.exitCode()).describedAs(map.toString()).isEqualTo(128 + 15);
        assertThat(map.out()).containsPattern("looked \\d+ times: ");
        assertThat(map.err()).isEmpty();
    }

    @Test
    @DisplayName("--json prints one object with the blocks and their runs")
    void map_json_hasBlocksAndRuns() {
        ToolProcess.Result map = ToolProcess.run("map", "--json", "--size=64K", "--blocks=2");
        assertThat(map.exitCode()).describedAs(map.toString()).isEqualTo(Tool.DONE);
        JsonObject report = JsonParser.parseString(map.out()).getAsJsonObject();
        assertThat(report.getAsJsonArray("blocks")).hasSize(2);
        long bytes = 0;
        for (JsonElement run : report.getAsJsonArray("runs")) {
            bytes += run.getAsJsonObject().get("bytes").getAsLong();
        }
        assertThat(bytes).isEqualTo(2 * 64 << 10);
        assertThat(report.has("scope")).isNotEqualTo(report.has("hidden"));
    }

    @Test
    void aWatchForEverEndsWithItsReader() {
        ToolProcess.Result map =
                new ToolProcess()
                        .shell("TOOL map --size 64K --watch=10ms --times=0 | head -n 1; echo over");
        assertThat(map.lines()).hasSize(2).endsWith("over");
        assertThat(map.err()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "--size=1P",
                "--size=64M --contiguous --below=64M",
                "--node=63",
                "--guarantee=hidden",
                "--picture=/nowhere/map.svg"
            })
    void whatCannotBeHadIsExplained(String options) {
        ToolProcess.Result map = ToolProcess.run(("map " + options).split(" "));
        assertThat(map.exitCode()).isEqualTo(Tool.NOT_HAD);
        assertThat(map.err()).startsWith("kernel-alloc: ").doesNotContain("\tat ");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "--bogus",
                "--size=many",
                "--size=0",
                "--blocks=0",
                "--aligned=3",
                "--boundary=1M",
                "--pages=base --guarantee=huge",
                "--below=4G",
                "--below=0 --contiguous",
                "--picture=map.jpg",
                "--watch=never",
                "--json --watch"
            })
    void wrongUsageIsExplainedOnTheErrorOutput(String options) {
        ToolProcess.Result map = ToolProcess.runHere(("map " + options).split(" "));
        assertThat(map.exitCode()).isEqualTo(Tool.USAGE);
        assertThat(map.out()).isEmpty();
        assertThat(map.err())
                .contains("Usage: kernel-alloc map", "kernel-alloc map --help")
                .doesNotContain("\tat ");
    }

    @Test
    void picture_thatCannotBeWritten_isRefusedBeforeAnythingIsAllocated() {
        ToolProcess.Result map = ToolProcess.run("map", "--size=64K", "--picture=/nowhere/map.svg");
        assertThat(map.out()).isEmpty();
        assertThat(map.err()).contains("file=/nowhere/map.svg");
    }

    @Test
    void aJavaThatCannotDrawStillShowsTheTable() {
        ToolProcess withoutDesktop =
                new ToolProcess()
                        .with("--limit-modules=java.base,java.logging,java.management,java.sql");
        ToolProcess.Result table = withoutDesktop.start("map", "--size=64K");
        assertThat(table.exitCode()).describedAs(table.err()).isEqualTo(Tool.DONE);
        ToolProcess.Result drawn =
                withoutDesktop.start("map", "--size=64K", "--picture=" + directory + "/no.svg");
        assertThat(drawn.exitCode()).isEqualTo(Tool.NOT_HAD);
        assertThat(drawn.err()).contains("cannot draw", "java.desktop").doesNotContain("\tat ");
    }

    private static List<String> runs(ToolProcess.Result map) {
        List<String> runs = map.lines().stream().filter(line -> line.matches(RUN)).toList();
        assertThat(map.out()).contains("\n%d run".formatted(runs.size()));
        return runs;
    }

    /** Those of the plot; the legend's stand outside it. */
    private static int strokes(Path picture) throws Exception {
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setFeature("http://apache.org/xml/features/nonvalidating/load-external-dtd", false);
        Document svg = factory.newDocumentBuilder().parse(picture.toFile());
        assertThat(svg.getDocumentElement().getTagName()).isEqualTo("svg");
        int strokes = 0;
        NodeList lines = svg.getElementsByTagName("line");
        for (int i = 0; i < lines.getLength(); i++) {
            Element line = (Element) lines.item(i);
            Element group = (Element) line.getParentNode();
            if (line.getAttribute("style").contains("stroke-width:5;")
                    && group.hasAttribute("clip-path")) {
                strokes++;
            }
        }
        return strokes;
    }
}
