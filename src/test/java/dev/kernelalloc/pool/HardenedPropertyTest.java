package dev.kernelalloc.pool;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.Hardening;
import dev.kernelalloc.PoolAllocator;
import dev.kernelalloc.testing.ChildJvm;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import java.util.Set;

/** The system property that hardens every allocator of a process that says nothing else. */
class HardenedPropertyTest {

    private static final String ALL = "[DOUBLE_FREE, OVERWRITE, CANARY, QUARANTINE, RANDOM_ORDER]";

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            value = {
                "true; " + ALL,
                "false; []",
                "canary; [CANARY]",
                "'Quarantine, overwrite'; [OVERWRITE, QUARANTINE]",
                "random-order; [RANDOM_ORDER]",
                "double-free,overwrite,canary,quarantine,random-order; " + ALL
            })
    void thePropertySaysWhichMeasuresAreTaken(String value, String measures) throws Exception {
        ChildJvm.Result result = withProperty(value);
        assertThat(result.exitCode()).as(result.output()).isZero();
        assertThat(result.output())
                .contains("shared: " + measures, "created: " + measures, "told: [CANARY]");
    }

    @ParameterizedTest
    @ValueSource(strings = {"yes", "canary,quarantin", "canary,", "true,canary"})
    void aValueThatCannotBeUnderstoodIsToldAtEveryUse(String value) throws Exception {
        ChildJvm.Result result = withProperty(value);
        String text =
                "-Ddev.kernelalloc.hardened=%s: '%s' is no measure: write true, false, or a list of double-free,overwrite,canary,quarantine,random-order"
                        .formatted(value, value.equals("canary,") ? "" : wrong(value));
        assertThat(result.exitCode()).as(result.output()).isZero();
        for (String use : Set.of("shared", "shared again", "created", "told")) {
            assertThat(result.output())
                    .contains(use + ": java.lang.IllegalArgumentException: " + text);
        }
        assertThat(result.output()).contains("system heap: fine");
    }

    private static String wrong(String value) {
        return value.equals("canary,quarantin") ? "quarantin" : value.split(",")[0];
    }

    @Test
    void withoutThePropertyNothingIsHardened() throws Exception {
        ChildJvm.Result result = ChildJvm.onModulePath().withNativeAccess().run(Uses.class);
        assertThat(result.output()).contains("shared: []", "created: []", "told: [CANARY]");
    }

    private static ChildJvm.Result withProperty(String value) throws Exception {
        return ChildJvm.onModulePath()
                .withNativeAccess()
                .with("-Ddev.kernelalloc.hardened=" + value)
                .run(Uses.class);
    }

    static final class Uses {
        private Uses() {}

        static void main() {
            print("shared", PoolAllocator::shared);
            print("shared again", PoolAllocator::shared);
            print("created", PoolAllocator::create);
            print("told", () -> PoolAllocator.builder().hardened(Set.of(Hardening.CANARY)).build());
            PoolAllocator heap = PoolAllocator.systemHeap();
            heap.free(heap.allocate(64, 8));
            IO.println("system heap: fine");
        }

        private interface Use {
            PoolAllocator make();
        }

        private static void print(String name, Use use) {
            try {
                IO.println(name + ": " + HardeningSeen.in(use.make()));
            } catch (IllegalArgumentException e) {
                IO.println(name + ": " + e);
            }
        }
    }
}
