package dev.kernelalloc.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonParser;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

class DemoTest {

    private static final String COST = " +[0-9.,]+ +[0-9.,]+\n";

    @Test
    void everyWayHasAPlaceAGuaranteeAndACost() {
        ToolProcess.Result demo = ToolProcess.run("demo");
        assertThat(demo.exitCode()).describedAs(demo.toString()).isEqualTo(Tool.DONE);
        assertThat(demo.err()).isEmpty();
        for (String way :
                new String[] {
                    "Arena\\.ofConfined\\(\\)",
                    "arena of the pool",
                    "block of the pool",
                    "box in the pool"
                }) {
            assertThat(demo.out()).containsPattern(way + " +64  0x[0-9a-f]{16}  - +none" + COST);
        }
        for (String way :
                new String[] {
                    "block of locked memory", "box in locked memory", "block by request"
                }) {
            assertThat(demo.out())
                    .containsPattern(
                            way
                                    + " +\\d+  0x[0-9a-f]{16}  (0x[0-9a-f]{16}|hidden) +"
                                    + "resident\\+locked\\S*"
                                    + COST);
        }
        assertThat(demo.out()).containsPattern("ofConfined.* 1\\.00\n").contains("no benchmark");
    }

    @Test
    @DisplayName("--json prints one object with the lines of the table")
    void demo_json_hasTheLinesOfTheTable() {
        ToolProcess.Result demo = ToolProcess.run("demo", "--json");
        assertThat(demo.exitCode()).describedAs(demo.toString()).isEqualTo(Tool.DONE);
        JsonArray memory =
                JsonParser.parseString(demo.out()).getAsJsonObject().getAsJsonArray("memory");
        assertThat(memory).hasSize(7);
        for (JsonElement line : memory) {
            assertThat(line.getAsJsonObject().get("bytes").getAsLong()).isPositive();
            assertThat(line.getAsJsonObject().get("nanos").getAsDouble()).isPositive();
            assertThat(line.getAsJsonObject().get("virtual_address").getAsString())
                    .matches("0x[0-9a-f]{16}");
        }
        assertThat(memory.get(0).getAsJsonObject().get("ratio").getAsDouble()).isEqualTo(1);
    }

    @Test
    void whatIsRefusedIsExplainedBelowTheRest() {
        assumeTrue(ToolProcess.isInstalled("prlimit"), "skipped: needs prlimit (util-linux)");
        ToolProcess.Result demo =
                new ToolProcess().under("prlimit", "--memlock=0").unprivileged().start("demo");
        assertThat(demo.exitCode()).isEqualTo(Tool.NOT_HAD);
        assertThat(demo.out())
                .containsPattern("box in the pool +64 .*" + COST)
                .contains("No block of locked memory: ", "ulimit -l")
                .doesNotContain("\tat ");
    }
}
