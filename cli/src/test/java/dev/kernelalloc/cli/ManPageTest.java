package dev.kernelalloc.cli;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import picocli.CommandLine;
import picocli.CommandLine.Model.OptionSpec;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;

/** The manual pages, written by {@code -Pman}, have the options that the commands have. */
class ManPageTest {

    @Test
    @DisplayName("Each command has a manual page, with each of its options")
    void page_ofEachCommand_hasItsOptions() throws IOException {
        assertPage("kernel-alloc", Tool.commandLine());
        for (var command : Tool.commandLine().getSubcommands().entrySet()) {
            assertPage("kernel-alloc-" + command.getKey(), command.getValue());
        }
    }

    private static void assertPage(String name, CommandLine command) throws IOException {
        try (InputStream page = Tool.class.getResourceAsStream("/man/man1/" + name + ".1")) {
            assertThat(page).as("%s: written by -Pman", name).isNotNull();
            String text =
                    new String(page.readAllBytes(), StandardCharsets.UTF_8).replace("\\-", "-");
            for (OptionSpec option : command.getCommandSpec().options()) {
                assertThat(text).as("%s: write it anew by -Pman", name).contains(option.names());
            }
        }
    }
}
