package dev.kernelalloc.site;

import org.commonmark.Extension;
import org.commonmark.ext.gfm.tables.TablesExtension;
import org.commonmark.ext.heading.anchor.HeadingAnchorExtension;
import org.commonmark.parser.Parser;
import org.commonmark.renderer.html.HtmlRenderer;
import org.jsoup.Jsoup;
import org.jsoup.nodes.Document;
import org.jsoup.nodes.Element;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * A folder of static pages: one for each Markdown file of the project, the files that they link to,
 * and the API documentation if it has been made. Every link inside must lead to a page, a file or a
 * heading.
 */
final class Site {

    private static final List<Extension> EXTENSIONS =
            List.of(TablesExtension.create(), HeadingAnchorExtension.create());
    private static final Parser PARSER = Parser.builder().extensions(EXTENSIONS).build();
    private static final HtmlRenderer RENDERER =
            HtmlRenderer.builder().extensions(EXTENSIONS).build();

    /** The links in the head of each page, the texts, and the Markdown files. */
    private static final Map<String, String> MENU = menu();

    /** The place in the sources that shows directories without a page. */
    private static final String REPOSITORY =
            "https://github.com/kernelalloc/kernel-alloc-java/tree/main/";

    private final Path root;
    private final Path site;
    private final String template;
    private final Map<Path, Document> pages = new TreeMap<>();
    private final List<String> dead = new ArrayList<>();

    private Site(Path root, Path site) throws IOException {
        this.root = root;
        this.site = site;
        template = resource("page.html");
    }

    private static String resource(String name) throws IOException {
        try (InputStream in = Site.class.getResourceAsStream(name)) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private static Map<String, String> menu() {
        Map<String, String> menu = new LinkedHashMap<>();
        menu.put("Kernel-Alloc", "README.md");
        menu.put("Use it", "docs/use.md");
        menu.put("Ownership", "docs/ownership.md");
        menu.put("Structs", "docs/structs.md");
        menu.put("Pools", "docs/pool.md");
        menu.put("Physical memory", "docs/physical-memory.md");
        menu.put("Peers", "docs/peers.md");
        menu.put("Changes", "CHANGELOG.md");
        return menu;
    }

    /** Makes the site of the project, the first argument, in a directory, the second. */
    public static void main(String[] arguments) throws IOException {
        Path root = Path.of(arguments[0]).toRealPath();
        Path out = Path.of(arguments[1]).toAbsolutePath().normalize();
        Site site = new Site(root, out);
        site.read();
        site.copyApi();
        site.link();
        site.write();
        site.dead.forEach(System.err::println);
        if (!site.dead.isEmpty()) {
            System.exit(1);
        }
    }

    private void read() throws IOException {
        List<Path> sources = new ArrayList<>();
        try (Stream<Path> files = Files.walk(root, 3)) {
            files.map(root::relativize)
                    .filter(file -> file.toString().endsWith(".md"))
                    .filter(file -> !file.toString().matches("(.*/)?(\\.|target/|src/).*"))
                    .forEach(sources::add);
        }
        for (Path source : sources) {
            String body = RENDERER.render(PARSER.parse(Files.readString(root.resolve(source))));
            Document page = Jsoup.parse(template);
            page.getElementsByTag("main").html(body);
            Element heading = page.selectFirst("h1");
            page.title(heading == null ? source.toString() : heading.text());
            // Wide tables scroll by themselves, not the page.
            page.select("table").wrap("<div class=wide></div>");
            // And so do charts, which are too small to read on a phone.
            page.select("img").wrap("<span class=chart></span>");
            Element menu = page.selectFirst("nav");
            MENU.forEach(
                    (text, file) ->
                            menu.appendElement("a").text(text).attr("href", up(source) + file));
            pages.put(source, page);
        }
    }

    /** Returns the way from a file to the root. */
    private static String up(Path source) {
        return "../".repeat(source.getNameCount() - 1);
    }

    private void copyApi() throws IOException {
        Path api = root.resolve("target/reports/apidocs");
        if (!Files.isDirectory(api)) {
            return;
        }
        try (Stream<Path> files = Files.walk(api)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                copy(file, site.resolve("api").resolve(api.relativize(file)));
            }
        }
        Files.writeString(
                site.resolve("api/resource-files/stylesheet.css"),
                resource("api-dark.css"),
                StandardOpenOption.APPEND);
        pages.forEach(
                (source, page) ->
                        page.selectFirst("nav")
                                .appendElement("a")
                                .text("API")
                                .attr("href", up(source) + "api/index.html"));
    }

    private void link() throws IOException {
        for (Map.Entry<Path, Document> page : pages.entrySet()) {
            for (Element element : page.getValue().select("a[href], img[src]")) {
                String attribute = element.hasAttr("href") ? "href" : "src";
                String link = element.attr(attribute);
                if (!link.matches("[a-z]+:.*")) {
                    element.attr(attribute, linked(page.getKey(), link));
                }
            }
        }
    }

    /** Returns the link as it is on the site, and copies what is no page. */
    private String linked(Path source, String link) throws IOException {
        String[] parts = link.split("#", 2);
        String fragment = parts.length == 2 ? "#" + parts[1] : "";
        Path target = parts[0].isEmpty() ? source : source.resolveSibling(parts[0]).normalize();
        if (target.startsWith("api")) {
            return link;
        }
        if (Files.isDirectory(root.resolve(target))) {
            if (!pages.containsKey(target.resolve("README.md"))) {
                return REPOSITORY + target;
            }
            target = target.resolve("README.md");
        }
        Document page = pages.get(target);
        if (page == null
                ? !Files.isRegularFile(root.resolve(target))
                : !hasHeading(page, fragment)) {
            dead.add("dead link: page=" + source + " link=" + link);
            return link;
        }
        if (page == null) {
            copy(root.resolve(target), site.resolve(target));
        }
        return up(source) + (page == null ? target : html(target)) + fragment;
    }

    private static boolean hasHeading(Document page, String fragment) {
        return fragment.isEmpty() || page.getElementById(fragment.substring(1)) != null;
    }

    private static Path html(Path source) {
        String name = source.getFileName().toString();
        return source.resolveSibling(
                name.equals("README.md") ? "index.html" : name.replaceFirst("md$", "html"));
    }

    private void write() throws IOException {
        for (Map.Entry<Path, Document> page : pages.entrySet()) {
            Path file = site.resolve(html(page.getKey()));
            Files.createDirectories(file.getParent());
            Files.writeString(file, page.getValue().outerHtml());
        }
    }

    private static void copy(Path from, Path to) throws IOException {
        Files.createDirectories(to.getParent());
        Files.copy(from, to, StandardCopyOption.REPLACE_EXISTING);
    }
}
