package dev.kernelalloc.physical;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.util.List;
import java.util.function.UnaryOperator;

/** Requests as values: what is equal, what a builder keeps, and what is shown. */
class RequestValuesTest {

    /** Each changes one setting. */
    private static final List<UnaryOperator<PhysicalRequest.Builder>> SETTINGS =
            List.of(
                    builder -> builder.size(4096),
                    builder -> builder.aligned(64),
                    PhysicalRequest.Builder::contiguous,
                    builder -> builder.contiguous().within(1 << 20, 1L << 32),
                    builder -> builder.contiguous().boundary(1 << 16),
                    builder -> builder.preferNode(1),
                    builder -> builder.requireNode(1),
                    builder -> builder.pages(PagePolicy.BASE),
                    builder -> builder.atLeast(Guarantee.PINNED),
                    PhysicalRequest.Builder::guarded,
                    builder -> builder.onFork(ForkBehaviour.WIPED),
                    PhysicalRequest.Builder::notDumped);

    private static PhysicalRequest request(int chosen) {
        PhysicalRequest.Builder builder = PhysicalRequest.builder();
        for (int i = 0; i < SETTINGS.size(); i++) {
            if ((chosen >>> i & 1) != 0) {
                builder = SETTINGS.get(i).apply(builder);
            }
        }
        return builder.build();
    }

    @Property
    void toBuilder_ofAnyRequest_buildsAnEqualOne(@ForAll @IntRange(max = 4095) int chosen) {
        PhysicalRequest request = request(chosen);
        PhysicalRequest again = request.toBuilder().build();
        assertThat(again).isEqualTo(request).hasSameHashCodeAs(request).hasToString("" + request);
        assertThat(request(chosen)).isEqualTo(request);
    }

    @Test
    @DisplayName("Requests that differ in one setting are not equal")
    void equals_oneSettingDiffers_isFalse() {
        for (UnaryOperator<PhysicalRequest.Builder> setting : SETTINGS) {
            PhysicalRequest other = setting.apply(PhysicalRequest.builder()).build();
            assertThat(other).isNotEqualTo(PhysicalRequest.DEFAULT);
            assertThat(other.toString()).isNotEqualTo(PhysicalRequest.DEFAULT.toString());
        }
    }

    @Test
    @DisplayName("A builder of a request does not change it")
    void toBuilder_changed_leavesTheRequest() {
        PhysicalRequest guarded = PhysicalRequest.ofBytes(10).guarded().build();
        assertThat(guarded.toBuilder().guarded(false).size(20).build())
                .isEqualTo(PhysicalRequest.ofBytes(20).build());
        assertThat(guarded.guarded()).isTrue();
        assertThat(guarded.size()).isEqualTo(10);
    }

    @Test
    @DisplayName("A request shows each setting with its name")
    void toString_namesItsSettings() {
        assertThat(PhysicalRequest.ofBytes(10).build().toString())
                .startsWith("PhysicalRequest[size=10, alignment=1, contiguous=false,")
                .endsWith("dumped=true]");
    }

    @Test
    @DisplayName("An alignment for another block is checked, even if that of the request is larger")
    void of_impossibleAlignment_isRefused() {
        PhysicalRequest request = PhysicalRequest.DEFAULT.toBuilder().aligned(4096).build();
        for (long alignment : new long[] {-1, 0, 3, Long.MIN_VALUE}) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> request.of(1, alignment))
                    .withMessage("alignment=%d must be a power of two", alignment);
        }
        assertThat(request.of(1, 8).alignment()).isEqualTo(4096);
    }

    @Test
    @DisplayName("Settings that contradict each other are refused with their values")
    void build_contradiction_isRefused() {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> PhysicalRequest.builder().boundary(4096).build())
                .withMessageContaining("boundary=4096");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> PhysicalRequest.ofBytes(-1).build())
                .withMessageContaining("size=-1");
    }
}
