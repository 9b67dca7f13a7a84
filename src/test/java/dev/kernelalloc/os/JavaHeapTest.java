package dev.kernelalloc.os;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.testing.ChildJvm;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import java.util.ArrayList;
import java.util.List;

/** How much of a committed Java heap has no frames, under each collector. */
@EnabledOnOs(OS.LINUX)
class JavaHeapTest {

    private static final long MIB = 1L << 20;

    @ParameterizedTest
    @ValueSource(strings = {"Serial", "Parallel", "G1", "Z"})
    @DisplayName("A heap that was committed at the start is untouched until it is filled")
    void untouchedBytes_freshHeap_shrinkAsItIsFilled(String collector) throws Exception {
        ChildJvm.Result result = run(collector, "-XX:-AlwaysPreTouch");
        assertThat(bytes(result, "fresh")).isBetween(100 * MIB, 160 * MIB);
        assertThat(bytes(result, "filled")).isLessThan(bytes(result, "fresh") - 50 * MIB);
    }

    @ParameterizedTest
    @ValueSource(strings = {"Serial", "Parallel", "G1", "Z"})
    @DisplayName("A heap that was touched at the start is never counted")
    void untouchedBytes_preTouchedHeap_areFew(String collector) throws Exception {
        ChildJvm.Result result = run(collector, "-XX:+AlwaysPreTouch");
        assertThat(bytes(result, "fresh")).isLessThan(8 * MIB);
        assertThat(bytes(result, "filled")).isLessThan(8 * MIB);
    }

    private static ChildJvm.Result run(String collector, String flag) throws Exception {
        ChildJvm.Result result =
                ChildJvm.onModulePath()
                        .withNativeAccess()
                        .with("-Xms160m", "-Xmx160m", "-XX:+Use" + collector + "GC", flag)
                        .run(Fill.class);
        assertThat(result.exitCode()).as(result.output()).isZero();
        return result;
    }

    private static long bytes(ChildJvm.Result result, String when) {
        return result.output()
                .lines()
                .filter(line -> line.startsWith(when + ": "))
                .mapToLong(line -> Long.parseLong(line.substring(when.length() + 2)))
                .findFirst()
                .orElseThrow();
    }

    static final class Fill {

        private static final int PIECE_BYTES = 64 << 10;

        private Fill() {}

        static void main() {
            IO.println("fresh: " + JavaHeap.measuredNow().untouchedBytes());
            List<byte[]> kept = new ArrayList<>();
            for (long bytes = 0; bytes < 72 * MIB; bytes += PIECE_BYTES) {
                kept.add(new byte[PIECE_BYTES]);
            }
            IO.println("filled: " + JavaHeap.measuredNow().untouchedBytes());
            IO.println(kept.size());
        }
    }
}
