package dev.kernelalloc.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

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
