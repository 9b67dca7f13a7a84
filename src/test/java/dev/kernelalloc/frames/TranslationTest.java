package dev.kernelalloc.frames;

import static org.assertj.core.api.Assertions.assertThat;

import dev.kernelalloc.os.Refusal;
import dev.kernelalloc.physical.PhysicalAddress;
import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.physical.PhysicalExtent;

import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.LongRange;
import net.jqwik.api.constraints.Size;

import org.junit.jupiter.api.Test;

import java.util.List;

class TranslationTest {

    private static final long PAGE = 4096;
    private static final long OWN = PageMapEntry.PRESENT | PageMapEntry.EXCLUSIVE;

    private static Translation of(List<Integer> frames) {
        long[] entries = frames.stream().mapToLong(frame -> OWN | frame).toArray();
        return Translation.of(entries, false, PAGE);
    }

    /** Byte by byte as far as it matters: at both ends of each piece. */
    @Property
    void extentsSayOfEveryByteWhatItsPageSays(
            @ForAll @Size(min = 1, max = 20) List<@IntRange(min = 1, max = 9) Integer> frames,
            @ForAll @LongRange(min = 0, max = 20 * PAGE - 1) long from,
            @ForAll @LongRange(min = 1, max = 20 * PAGE) long length,
            @ForAll @IntRange(min = 10, max = 14) int longestBits,
            @ForAll @IntRange(min = 10, max = 14) int boundaryBits) {
        Translation translation = of(frames);
        long end = frames.size() * PAGE;
        long offset = from % end;
        long bytes = Math.min(length, end - offset);
        long longest = (1L << longestBits) + 100;
        long boundary = 1L << boundaryBits;
        long at = offset;
        for (PhysicalExtent extent :
                translation.extents(offset, bytes, longest, boundary, PhysicalAddress.Scope.HOST)) {
            assertThat(extent.bytes()).isBetween(1L, longest);
            assertThat(extent.start().value() / boundary).isEqualTo((extent.end() - 1) / boundary);
            assertThat(extent.start().value()).isEqualTo(translation.addressOf(at));
            at += extent.bytes();
            assertThat(extent.end() - 1).isEqualTo(translation.addressOf(at - 1));
        }
        assertThat(at).isEqualTo(offset + bytes);
    }

    @Property
    void whatTouchesIsOneExtentAndNothingElse(
            @ForAll @Size(min = 1, max = 20) List<@IntRange(min = 1, max = 9) Integer> frames) {
        List<PhysicalExtent> extents =
                of(frames)
                        .extents(
                                0,
                                frames.size() * PAGE,
                                Long.MAX_VALUE,
                                0,
                                PhysicalAddress.Scope.HOST);
        for (int i = 1; i < extents.size(); i++) {
            assertThat(extents.get(i).start().value()).isNotEqualTo(extents.get(i - 1).end());
        }
    }

    @Test
    void addressesLeadBack() {
        Translation translation = of(List.of(7, 8, 3));
        assertThat(translation.offsetOf(8 * PAGE + 5)).isEqualTo(PAGE + 5);
        assertThat(translation.offsetOf(3 * PAGE)).isEqualTo(2 * PAGE);
        assertThat(translation.offsetOf(9 * PAGE)).isEqualTo(-1);
        assertThat(translation.offsetOf(0)).isEqualTo(-1);
        assertThat(translation.isContiguous(0, 2 * PAGE)).isTrue();
        assertThat(translation.isContiguous(1, 2 * PAGE)).isFalse();
        assertThat(translation.longestRunBytes()).isEqualTo(2 * PAGE);
    }

    @Test
    void pagesWithoutAFrameOfTheirOwnAreUnknownEachForItself() {
        Translation translation =
                Translation.of(
                        new long[] {OWN | 7, PageMapEntry.PRESENT | 8, 0, OWN | 9}, false, PAGE);
        assertThat(translation.isKnown()).isFalse();
        assertThat(translation.isHidden()).isFalse();
        assertThat(translation.addressOf(PAGE)).isEqualTo(Translation.UNKNOWN);
        assertThat(translation.addressOf(3 * PAGE + 1)).isEqualTo(9 * PAGE + 1);
        assertThat(translation.unknown(1, PAGE).reason())
                .isEqualTo(PhysicalAddressException.Reason.SHARED);
        assertThat(translation.unknown(2, PAGE).reason())
                .isEqualTo(PhysicalAddressException.Reason.NOT_PRESENT);
        assertThat(Translation.of(new long[] {PageMapEntry.PRESENT | 8}, true, PAGE).isKnown())
                .isTrue();
    }

    @Test
    void hiddenFramesAndUnreadableMapsAreHidden() {
        assertThat(of(List.of(0)).isHidden()).isTrue();
        Translation unreadable =
                Translation.unreadable(new Refusal.NotPermitted("not here"), 2, PAGE);
        assertThat(unreadable.isHidden()).isTrue();
        assertThat(unreadable.isKnown()).isFalse();
        assertThat(unreadable.unknown(0, 0)).hasMessageContaining("not here");
    }
}
