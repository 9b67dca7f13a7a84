package dev.kernelalloc.snippets;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** The examples of the javadoc are code of the tests beside this one, which run it. */
class SnippetsTest {

    private static final Path SOURCES = Path.of(System.getProperty("project.basedir"), "src");
    private static final Pattern START = Pattern.compile("\\{@snippet[^:]*:");

    @Test
    @DisplayName("Every example of the javadoc is compiled and run, paragraph by paragraph")
    void snippets_ofAllSources_areInTests() throws IOException {
        String tested = "";
        for (Path file : javaFiles(SOURCES.resolve("test/java/dev/kernelalloc/snippets"))) {
            tested += compact(Files.readString(file));
        }
        int count = 0;
        for (Path file : javaFiles(SOURCES.resolve("main/java"))) {
            for (String paragraph : paragraphs(Files.readString(file))) {
                assertThat(tested).as("%s: %s", file, paragraph).contains(compact(paragraph));
                count++;
            }
        }
        assertThat(count).isGreaterThan(20);
    }

    private static List<Path> javaFiles(Path directory) throws IOException {
        try (Stream<Path> files = Files.walk(directory)) {
            return files.filter(file -> file.toString().endsWith(".java")).sorted().toList();
        }
    }

    /** Returns the paragraphs of all snippets of a file. */
    private static List<String> paragraphs(String source) {
        List<String> found = new ArrayList<>();
        Matcher start = START.matcher(source);
        while (start.find()) {
            String snippet = source.substring(start.end(), end(source, start.end()));
            String code = snippet.replaceAll("(?m)^ *\\*", "");
            Stream.of(code.split("\n\\s*\n")).filter(text -> !text.isBlank()).forEach(found::add);
        }
        return found;
    }

    /** Returns the index of the brace that ends the snippet. */
    private static int end(String source, int from) {
        int open = 1;
        for (int i = from; ; i++) {
            open += source.charAt(i) == '{' ? 1 : source.charAt(i) == '}' ? -1 : 0;
            if (open == 0) {
                return i;
            }
        }
    }

    /** Returns code without white space and comments to the end of a line. */
    private static String compact(String code) {
        return code.replaceAll("//[^\n]*", "").replaceAll("\\s", "");
    }
}
