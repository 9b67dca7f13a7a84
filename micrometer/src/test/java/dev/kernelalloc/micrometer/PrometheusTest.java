package dev.kernelalloc.micrometer;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;

import dev.kernelalloc.PoolAllocator;

import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;

import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** What Prometheus reads, and what the dashboard asks it for. */
class PrometheusTest {

    private static final Path PROJECT = Path.of(System.getProperty("project.basedir"));

    /** In a line of a scrape: the name, and the labels. */
    private static final Pattern SAMPLE = Pattern.compile("(\\w+)\\{(.*)\\} \\S+");

    private static final Pattern NAME = Pattern.compile("\\bkernelalloc_\\w+");
    private static final Pattern MATCHED = Pattern.compile("(\\w+) *=~? *\"([^\"]*)\"");
    private static final Pattern GROUPED = Pattern.compile("\\bby *\\(([^)]*)\\)");

    @Test
    @DisplayName("Names and units are those of Prometheus")
    void scrape_ofAllocator_hasConventionalNames() {
        assertThat(samples(scrape()).keySet())
                .containsExactlyInAnyOrder(
                        "kernelalloc_memory_used_bytes",
                        "kernelalloc_blocks",
                        "kernelalloc_memory_peak_bytes",
                        "kernelalloc_memory_reserved_bytes",
                        "kernelalloc_memory_charged_bytes",
                        "kernelalloc_memory_limit_bytes",
                        "kernelalloc_refusals_total",
                        "kernelalloc_leaks_total",
                        "kernelalloc_leaked_bytes_total");
        assertThat(scrape())
                .contains("kernelalloc_memory_limit_bytes{allocator=\"orders\"} 6.7108864E7")
                .containsPattern(
                        "kernelalloc_blocks\\{allocator=\"orders\",state=\"live\"\\} 1\\.0");
    }

    @Test
    @DisplayName("Each metric has a help text")
    void scrape_ofAllocator_describesEachMetric() {
        assertThat(scrape().lines().filter(line -> line.startsWith("# HELP kernelalloc")))
                .hasSize(9)
                .allMatch(line -> line.matches("# HELP \\w+ \\w.*"));
    }

    @Test
    @DisplayName("Each query of the dashboard names meters and labels that are exposed")
    void dashboard_eachQuery_readsWhatIsExposed() throws IOException {
        JsonObject dashboard =
                JsonParser.parseString(
                                Files.readString(PROJECT.resolve("grafana/kernel-alloc.json")))
                        .getAsJsonObject();
        Map<String, Set<String>> exposed = samples(scrape());
        List<String> queries = new ArrayList<>();
        collectQueries(dashboard, queries);
        assertThat(queries).hasSizeGreaterThanOrEqualTo(10);
        Set<String> asked = new HashSet<>();
        for (String query : queries) {
            Set<String> names = all(NAME, query, 0);
            assertThat(exposed.keySet()).as(query).containsAll(names);
            assertThat(names).as(query).isNotEmpty();
            Set<String> labels = all(MATCHED, query, 1);
            for (String group : all(GROUPED, query, 1)) {
                labels.addAll(List.of(group.split(", *")));
            }
            for (String name : names) {
                assertThat(labelNames(exposed.get(name))).as(query).containsAll(labels);
            }
            for (String state : values(query, "state")) {
                assertThat(exposed.get("kernelalloc_blocks"))
                        .as(query)
                        .anySatisfy(l -> assertThat(l).contains("state=\"" + state + "\""));
            }
            asked.addAll(names);
        }
        assertThat(asked).containsExactlyInAnyOrderElementsOf(exposed.keySet());
    }

    @Test
    @DisplayName("Legends name labels that their query keeps")
    void dashboard_eachLegend_namesLabels() throws IOException {
        JsonObject dashboard =
                JsonParser.parseString(
                                Files.readString(PROJECT.resolve("grafana/kernel-alloc.json")))
                        .getAsJsonObject();
        for (JsonElement panel : dashboard.getAsJsonArray("panels")) {
            for (JsonElement target : panel.getAsJsonObject().getAsJsonArray("targets")) {
                String query = target.getAsJsonObject().get("expr").getAsString();
                String legend = target.getAsJsonObject().get("legendFormat").getAsString();
                Set<String> grouped =
                        all(GROUPED, query, 1).stream()
                                .flatMap(group -> Set.of(group.split(", *")).stream())
                                .collect(Collectors.toSet());
                Set<String> kept = grouped.isEmpty() ? Set.of("allocator") : grouped;
                assertThat(kept)
                        .as(query)
                        .containsAll(all(Pattern.compile("\\{\\{(\\w+)\\}\\}"), legend, 1));
            }
        }
    }

    private static String scrape() {
        PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
        try (PoolAllocator pool = PoolAllocator.builder().tag("orders").limit(64 << 20).build()) {
            MemorySegment block = pool.allocate(64, 8);
            new AllocatorMetrics(pool).bindTo(registry);
            String text = registry.scrape();
            pool.free(block);
            return text;
        }
    }

    /** The label sets of each name. */
    private static Map<String, Set<String>> samples(String scrape) {
        Map<String, Set<String>> samples = new HashMap<>();
        scrape.lines()
                .map(SAMPLE::matcher)
                .filter(Matcher::matches)
                .forEach(
                        sample ->
                                samples.computeIfAbsent(sample.group(1), _ -> new HashSet<>())
                                        .add(sample.group(2)));
        return samples;
    }

    private static Set<String> labelNames(Set<String> labelSets) {
        return labelSets.stream()
                .flatMap(labels -> all(MATCHED, labels, 1).stream())
                .collect(Collectors.toSet());
    }

    private static Set<String> values(String query, String label) {
        Set<String> values = new HashSet<>();
        Matcher matcher = MATCHED.matcher(query);
        while (matcher.find()) {
            if (matcher.group(1).equals(label)) {
                values.add(matcher.group(2));
            }
        }
        return values;
    }

    private static void collectQueries(JsonElement element, List<String> queries) {
        if (element.isJsonObject()) {
            for (var member : element.getAsJsonObject().entrySet()) {
                boolean isQuery = member.getKey().equals("expr") || member.getKey().equals("query");
                if (isQuery && member.getValue().isJsonPrimitive()) {
                    String query = member.getValue().getAsString();
                    if (!query.equals("prometheus")) { // the kind of the data source
                        queries.add(query);
                    }
                } else {
                    collectQueries(member.getValue(), queries);
                }
            }
        } else if (element.isJsonArray()) {
            element.getAsJsonArray().forEach(member -> collectQueries(member, queries));
        }
    }

    private static Set<String> all(Pattern pattern, String text, int group) {
        Set<String> found = new HashSet<>();
        Matcher matcher = pattern.matcher(text);
        while (matcher.find()) {
            found.add(matcher.group(group));
        }
        return found;
    }
}
