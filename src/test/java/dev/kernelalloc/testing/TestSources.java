package dev.kernelalloc.testing;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** The sources of the tests, for checks of the documents that name tests. */
public final class TestSources {

    private static final Path ROOT =
            Path.of(System.getProperty("project.basedir", "."), "src/test/java");

    private TestSources() {}

    /** Returns what a pattern's first group matches in a text, without common indentation. */
    public static List<String> groups(String text, String pattern) {
        return Pattern.compile(pattern)
                .matcher(text)
                .results()
                .map(match -> match.group(1).stripTrailing().stripIndent())
                .toList();
    }

    /** Returns the source of a class of the tests, in whatever package it is. */
    public static Path find(String simpleName) throws IOException {
        try (Stream<Path> files = Files.walk(ROOT)) {
            return files.filter(file -> file.endsWith(simpleName + ".java"))
                    .findFirst()
                    .orElseThrow(() -> new NoSuchFileException(ROOT + "/**/" + simpleName));
        }
    }
}
