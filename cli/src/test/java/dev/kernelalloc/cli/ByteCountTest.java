package dev.kernelalloc.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import picocli.CommandLine.TypeConversionException;

class ByteCountTest {

    @ParameterizedTest
    @CsvSource({
        "0, 0",
        "4096, 4096",
        "1b, 1",
        "64KiB, 65536",
        "64k, 65536",
        "64 KB, 65536",
        "2M, 2097152",
        "1.5MiB, 1572864",
        "1GiB, 1073741824",
        "1t, 1099511627776"
    })
    void sizesAreReadAsPeopleWriteThem(String text, long bytes) {
        assertThat(ByteCount.parse(text)).isEqualTo(new ByteCount(bytes));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "-1",
                "2Q",
                "M",
                "1e6",
                "0x10",
                "1.5",
                "1.00001K",
                "8192P",
                "1 000",
                "2MM"
            })
    void whatIsNoSizeIsRefusedWithAnExample(String text) {
        assertThatThrownBy(() -> ByteCount.parse(text))
                .isInstanceOf(TypeConversionException.class)
                .hasMessageContaining("'" + text + "'");
    }

    @Test
    void theLargestUnitIsPrinted() {
        assertThat(ByteCount.text(0)).isEqualTo("0 B");
        assertThat(ByteCount.text(1023)).isEqualTo("1023 B");
        assertThat(ByteCount.text(4096)).isEqualTo("4 KiB");
        assertThat(ByteCount.text(3 << 19)).isEqualTo("1.5 MiB");
        assertThat(ByteCount.text(1L << 40)).isEqualTo("1 TiB");
        assertThat(ByteCount.text(Long.MAX_VALUE)).isEqualTo("8192 PiB");
    }
}
