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

import java.util.ArrayList;
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
        for (PhysicalExtent extent : extents(translation, offset, bytes, longest, boundary)) {
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
                extents(of(frames), 0, frames.size() * PAGE, Long.MAX_VALUE, 0);
        for (int i = 1; i < extents.size(); i++) {
            assertThat(extents.get(i).start().value()).isNotEqualTo(extents.get(i - 1).end());
        }
    }

    @Test
    void runs_ofAdjoiningFrames_areFound() {
        Translation translation = of(List.of(7, 8, 3));
        assertThat(translation.isContiguous(0, 2 * PAGE)).isTrue();
        assertThat(translation.isContiguous(1, 2 * PAGE)).isFalse();
        assertThat(translation.longestRunBytes()).isEqualTo(2 * PAGE);
        assertThat(translation.endOfRun(1)).isEqualTo(2);
    }

    @Property
    void units_haveTheAddressOfTheirFirstPage_ifContiguousAndAligned(
            @ForAll @Size(min = 1, max = 40) List<@IntRange(min = 1, max = 9) Integer> frames) {
        Translation translation = of(frames);
        long unit = 4 * PAGE;
        long[] units = translation.addressesOfUnits(unit);
        assertThat(units).hasSize(Math.ceilDiv(frames.size(), 4));
        for (int i = 0; i < units.length; i++) {
            long offset = i * unit;
            long bytes = Math.min(unit, frames.size() * PAGE - offset);
            long address = translation.addressOf(offset);
            boolean whole = translation.isContiguous(offset, bytes) && address % unit == 0;
            assertThat(units[i]).isEqualTo(whole ? address : Translation.UNKNOWN);
        }
    }

    @Test
    void hugePages_takeOneRunEach() {
        long[] entries = new long[2048];
        for (int i = 0; i < entries.length; i++) {
            entries[i] = OWN | (i < 1024 ? 1024 + i : 8192 + i);
        }
        Translation translation = Translation.of(entries, false, PAGE);
        assertThat(translation.consistsOf(512 * PAGE)).isTrue();
        assertThat(translation.addressesOfUnits(512 * PAGE))
                .containsExactly(1024 * PAGE, 1536 * PAGE, 9216 * PAGE, 9728 * PAGE);
        assertThat(translation.endOfRun(0)).isEqualTo(1024);
        entries[700] = OWN | 1;
        assertThat(Translation.of(entries, false, PAGE).consistsOf(512 * PAGE)).isFalse();
    }

    @Property
    void builder_thatContinuesATranslation_equalsOneOfAllPages(
            @ForAll @Size(min = 1, max = 20) List<@IntRange(min = 0, max = 9) Integer> frames,
            @ForAll @IntRange(min = 0, max = 20) int cut) {
        Translation whole = of(frames);
        int first = Math.min(cut, frames.size());
        Translation.Builder builder = new Translation.Builder(false, PAGE);
        builder.add(whole, first);
        frames.subList(first, frames.size()).forEach(frame -> builder.add(OWN | frame));
        Translation continued = builder.build();
        assertThat(continued.pages()).isEqualTo(whole.pages());
        for (int page = 0; page < frames.size(); page++) {
            assertThat(continued.pageAddress(page)).isEqualTo(whole.pageAddress(page));
            assertThat(continued.endOfRun(page)).isEqualTo(whole.endOfRun(page));
        }
        assertThat(continued.isHidden()).isEqualTo(whole.isHidden());
    }

    private static List<PhysicalExtent> extents(
            Translation translation, long offset, long bytes, long longest, long boundary) {
        List<PhysicalExtent> extents = new ArrayList<>();
        translation.extents(
                offset,
                bytes,
                longest,
                boundary,
                (address, length) ->
                        extents.add(
                                new PhysicalExtent(
                                        new PhysicalAddress(address, PhysicalAddress.Scope.HOST),
                                        length)));
        return extents;
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
