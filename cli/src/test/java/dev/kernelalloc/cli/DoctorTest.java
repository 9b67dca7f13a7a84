package dev.kernelalloc.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

@EnabledOnOs(OS.LINUX)
class DoctorTest {

    private static final Pattern LINE =
            Pattern.compile("  (ok|warn|bad|unknown) +(\\S.*?)  +\\S.* \\[.+\\]");

    @Test
    void eachLineHasAStateAFactAndItsSource() {
        ToolProcess.Result doctor = new ToolProcess().withoutFlags().start("doctor", "--all");
        assertThat(doctor.exitCode()).isEqualTo(Tool.DONE);
        assertThat(doctor.err()).isEmpty();
        List<String> headings = new ArrayList<>();
        List<String> summaries = new ArrayList<>();
        for (String line : doctor.lines()) {
            if (line.matches("\\d+ ok, \\d+ warn, \\d+ bad, \\d+ unknown")) {
                summaries.add(line);
            } else if (!line.startsWith(" ")) {
                headings.add(line);
            } else if (!line.strip().startsWith("-> ")) {
                assertThat(line).matches(LINE);
            }
        }
        assertThat(summaries).hasSize(1).contains(doctor.lines().getLast());
        assertThat(headings)
                .containsExactly(
                        "Java",
                        "System",
                        "Pages",
                        "Locks and pins",
                        "Rights",
                        "Limits",
                        "What moves or merges pages",
                        "Guarantees, each tried by an allocation");
    }

    @Test
    void theJsonSaysTheSameAsTheText() {
        JsonObject report = json(ToolProcess.run("doctor", "--json", "--need", "resident"));
        List<String> ofJson = new ArrayList<>();
        for (JsonElement finding : report.getAsJsonArray("findings")) {
            JsonObject line = finding.getAsJsonObject();
            ofJson.add(line.get("state").getAsString() + " " + line.get("name").getAsString());
            assertThat(line.keySet())
                    .containsExactlyInAnyOrder(
                            "topic", "name", "state", "fact", "source", "remedies");
        }
        List<String> ofText =
                ToolProcess.run("doctor").lines().stream()
                        .map(LINE::matcher)
                        .filter(matcher -> matcher.matches())
                        .map(matcher -> matcher.group(1) + " " + matcher.group(2))
                        .toList();
        assertThat(ofJson).isEqualTo(ofText).hasSizeGreaterThan(30);
        assertThat(report.get("needs_met").getAsBoolean()).isTrue();
        assertThat(report.getAsJsonArray("guarantees")).hasSize(Need.values().length);
    }

    @Test
    void whatIsBadHasARemedy() {
        JsonArray findings =
                json(new ToolProcess().unprivileged().start("doctor", "--json"))
                        .getAsJsonArray("findings");
        for (JsonElement finding : findings) {
            if (finding.getAsJsonObject().get("state").getAsString().equals("bad")) {
                assertThat(finding.getAsJsonObject().getAsJsonArray("remedies"))
                        .describedAs(finding.toString())
                        .isNotEmpty();
            }
        }
    }

    @Test
    void withoutRightsItExplainsAndTheExitCodeTellsWhatIsMissing() {
        ToolProcess.Result doctor =
                new ToolProcess().unprivileged().start("doctor", "--need", "resident,addresses");
        assertThat(doctor.exitCode()).isEqualTo(Tool.NOT_HAD);
        assertThat(doctor.err()).isEmpty();
        assertThat(doctor.out())
                .containsPattern("bad +page map")
                .contains("CAP_SYS_ADMIN", "-> docker run --cap-add SYS_ADMIN")
                .contains("  met      resident\n  not met  addresses\n")
                .doesNotContain("\tat ");
    }

    @Test
    void aLockLimitOfNothingIsFoundAndSurvived() {
        assumeTrue(ToolProcess.isInstalled("prlimit"), "skipped: needs prlimit (util-linux)");
        ToolProcess.Result doctor =
                new ToolProcess()
                        .under("prlimit", "--memlock=0")
                        .unprivileged()
                        .start("doctor", "--need", "locked");
        assertThat(doctor.exitCode()).isEqualTo(Tool.NOT_HAD);
        assertThat(doctor.out())
                .containsPattern("bad +lock limit +0 B")
                .containsPattern("bad +locked ")
                .contains("-> ulimit -l unlimited");
    }

    @Test
    void aNeedThatNobodyKnowsIsWrongUsage() {
        ToolProcess.Result doctor = ToolProcess.run("doctor", "--need", "speed");
        assertThat(doctor.exitCode()).isEqualTo(Tool.USAGE);
        assertThat(doctor.out()).isEmpty();
        assertThat(doctor.err()).contains("'speed'", "Usage: kernel-alloc doctor");
    }

    private static JsonObject json(ToolProcess.Result result) {
        assertThat(result.err()).isEmpty();
        return JsonParser.parseString(result.out()).getAsJsonObject();
    }
}
