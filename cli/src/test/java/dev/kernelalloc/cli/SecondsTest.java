package dev.kernelalloc.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import picocli.CommandLine.TypeConversionException;

class SecondsTest {

    @ParameterizedTest
    @CsvSource({"5, 5000", "1.5s, 1500", "500ms, 500", "2m, 120000", "0.25, 250"})
    void timesAreReadAsPeopleWriteThem(String text, long millis) {
        assertThat(Seconds.parse(text)).hasMillis(millis);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "0", "-1", "1h", "s", "0.0001", "99999999999"})
    void whatIsNoTimeIsRefused(String text) {
        assertThatThrownBy(() -> Seconds.parse(text)).isInstanceOf(TypeConversionException.class);
    }
}
