import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Prints the tests that were skipped, each reason once, from the reports of surefire.
 *
 * <p>Arguments: the directory of the project, and optionally the time that the build started at, as
 * ISO 8601, before which reports are another build's. Runs on Java 17.
 */
class SkippedTests {

    private static final Pattern CASE =
            Pattern.compile("<testcase ([^>]*[^/])>(.*?)</testcase>", Pattern.DOTALL);
    private static final Pattern SKIPPED =
            Pattern.compile("<skipped([^>]*)(?:/>|>(.*?)</skipped>)", Pattern.DOTALL);
    private static final Pattern ABORTED =
            Pattern.compile("(?:Assumption failed|Test(?:Aborted|Skipped)Exception): ([^\\n]*)");

    public static void main(String[] arguments) throws IOException {
        Path project = Path.of(arguments[0]);
        Instant since = arguments.length > 1 ? Instant.parse(arguments[1]) : Instant.EPOCH;
        Map<String, List<String>> tests = new TreeMap<>();
        for (Path report : reports(project)) {
            // The clock of a file system may be coarser than that of the build.
            if (Files.getLastModifiedTime(report).toInstant().isAfter(since.minusSeconds(2))) {
                addSkipped(Files.readString(report), tests);
            }
        }
        tests.forEach(
                (classAndReason, names) -> {
                    String which =
                            names.size() == 1
                                    ? "." + names.get(0)
                                    : " (" + names.size() + " tests)";
                    System.out.println(
                            "skipped: "
                                    + classAndReason.replaceFirst(
                                            "\n", Matcher.quoteReplacement(which + ": ")));
                });
    }

    private static List<Path> reports(Path project) throws IOException {
        try (Stream<Path> files = Files.walk(project, 5)) {
            return files.filter(file -> file.getFileName().toString().matches("TEST-.*\\.xml"))
                    .filter(file -> file.getParent().endsWith("target/surefire-reports"))
                    .toList();
        }
    }

    private static void addSkipped(String report, Map<String, List<String>> tests) {
        Matcher test = CASE.matcher(report);
        while (test.find()) {
            Matcher skipped = SKIPPED.matcher(test.group(2));
            if (skipped.find()) {
                String reason = attribute(skipped.group(1), "message");
                Matcher aborted = ABORTED.matcher(skipped.group());
                if (reason.isEmpty() && aborted.find()) {
                    reason = aborted.group(1).replaceFirst("]]>.*", "");
                }
                String plain =
                        unescaped(reason).replaceFirst("^(Assumption failed: )?(skipped: )?", "");
                tests.computeIfAbsent(
                                attribute(test.group(1), "classname") + "\n" + plain,
                                any -> new ArrayList<>())
                        .add(attribute(test.group(1), "name"));
            }
        }
    }

    private static String attribute(String attributes, String name) {
        Matcher value = Pattern.compile("\\b" + name + "=\"([^\"]*)\"").matcher(attributes);
        return value.find() ? value.group(1) : "";
    }

    private static String unescaped(String xml) {
        return xml.replace("&#10;", " ")
                .replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&quot;", "\"")
                .replace("&apos;", "'")
                .replace("&amp;", "&");
    }
}
