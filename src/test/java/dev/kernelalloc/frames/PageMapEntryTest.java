package dev.kernelalloc.frames;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.kernelalloc.physical.PhysicalAddressException;
import dev.kernelalloc.physical.PhysicalAddressException.Reason;

import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.LongRange;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PageMapEntryTest {

    /**
     * Entries as the kernel gave them; but the zero page has our mark, and the last was made:
     * swapped out with type 5, offset 1.
     */
    @ParameterizedTest
    @CsvSource({
        "8100000000000000, HIDDEN,      CAP_SYS_ADMIN",
        "0000000000000000, NOT_PRESENT, never touched",
        "440000000000009f, GUARD,       guard page",
        "8800000000003b34, ZERO_PAGE,   page of zeros",
        "8000000000003b34, SHARED,      shares its frame",
        "4000000000000025, SWAPPED,     swapped out"
    })
    void anEntryWithoutAFrameOfThePagesOwnIsAnExplainedAbsence(
            String entry, Reason reason, String explanation) {
        assertThatExceptionOfType(PhysicalAddressException.class)
                .isThrownBy(() -> PageMapEntry.frame(Long.parseUnsignedLong(entry, 16), 0x7000))
                .withMessageContaining(explanation)
                .withMessageContaining("0x7000")
                .withMessageContaining("0x" + entry)
                .extracting(PhysicalAddressException::reason)
                .isEqualTo(reason);
    }

    @Property
    void theFrameOfAPresentPageIsInTheLow55BitsWhateverTheOthersSay(
            @ForAll @LongRange(min = 1, max = (1L << 55) - 1) long frame,
            @ForAll @LongRange(min = 0, max = (1L << 8) - 1) long otherBits) {
        long entry =
                (frame | otherBits << 55 | PageMapEntry.PRESENT | PageMapEntry.EXCLUSIVE)
                        & ~PageMapEntry.ZERO_PAGE;
        assertThat(PageMapEntry.frame(entry, 0)).isEqualTo(frame);
    }
}
