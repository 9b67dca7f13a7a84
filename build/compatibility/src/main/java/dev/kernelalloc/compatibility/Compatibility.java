package dev.kernelalloc.compatibility;

import japicmp.cmp.JApiCmpArchive;
import japicmp.cmp.JarArchiveComparator;
import japicmp.cmp.JarArchiveComparatorOptions;
import japicmp.model.AccessModifier;
import japicmp.model.JApiBehavior;
import japicmp.model.JApiClass;
import japicmp.model.JApiCompatibility;
import japicmp.model.JApiCompatibilityChange;
import japicmp.model.JApiField;
import japicmp.model.JApiImplementedInterface;
import japicmp.model.JApiMethod;

import java.io.IOException;
import java.lang.module.ModuleFinder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;

/**
 * Compares the API of the library's jar with that of the baseline, for source and binary
 * compatibility. Every breaking change is listed in {@code accepted.txt} with its reason; a line
 * there that is no change is an error as well, so the list is the one for the release notes.
 */
final class Compatibility {

    private final Set<String> exported;

    /** The breaking changes, by element and kind. */
    private final Set<String> found = new TreeSet<>();

    private Compatibility(Path library) {
        exported =
                ModuleFinder.of(library).findAll().stream()
                        .flatMap(module -> module.descriptor().exports().stream())
                        .map(exports -> exports.source())
                        .collect(Collectors.toSet());
    }

    /**
     * Checks the library, or makes it the baseline.
     *
     * @param arguments {@code check} or {@code baseline}, the library's jar, and the directory of
     *     {@code baseline.jar} and {@code accepted.txt}
     */
    public static void main(String[] arguments) throws IOException {
        Path library = Path.of(arguments[1]);
        Path baseline = Path.of(arguments[2], "baseline.jar");
        Path accepted = Path.of(arguments[2], "accepted.txt");
        Compatibility compatibility = new Compatibility(library);
        switch (arguments[0]) {
            case "check" -> {
                compatibility.compare(baseline, library);
                System.exit(compatibility.report(accepted));
            }
            case "baseline" -> Baseline.write(library, compatibility.exported, baseline);
            default -> throw new IllegalArgumentException("api=" + arguments[0]);
        }
    }

    private void compare(Path baseline, Path library) {
        JarArchiveComparatorOptions options = new JarArchiveComparatorOptions();
        options.setAccessModifier(AccessModifier.PROTECTED);
        // Annotations, which a running program does not need.
        options.getIgnoreMissingClasses().setIgnoreAllMissingClasses(true);
        new JarArchiveComparator(options)
                .compare(
                        new JApiCmpArchive(baseline.toFile(), "baseline"),
                        new JApiCmpArchive(library.toFile(), "now"))
                .forEach(this::look);
    }

    private void look(JApiClass type) {
        String name = type.getFullyQualifiedName();
        if (!exported.contains(name.substring(0, name.lastIndexOf('.')))) {
            return;
        }
        add(name, type);
        add(name, type.getSuperclass());
        for (JApiImplementedInterface implemented : type.getInterfaces()) {
            add(name, implemented);
        }
        for (JApiField field : type.getFields()) {
            add(name + "#" + field.getName(), field);
        }
        for (JApiBehavior constructor : type.getConstructors()) {
            add(name + "#" + signature(constructor), constructor);
        }
        for (JApiMethod method : type.getMethods()) {
            add(name + "#" + signature(method), method);
        }
    }

    private static String signature(JApiBehavior behavior) {
        return behavior.getName()
                + behavior.getParameters().stream()
                        .map(parameter -> parameter.getType())
                        .collect(Collectors.joining(",", "(", ")"));
    }

    private void add(String element, JApiCompatibility compatibility) {
        for (JApiCompatibilityChange change : compatibility.getCompatibilityChanges()) {
            if (!change.isBinaryCompatible() || !change.isSourceCompatible()) {
                found.add(element + " " + change.getType());
            }
        }
    }

    /** Prints what the list lacks and what it has too much; returns the exit code. */
    private int report(Path file) throws IOException {
        Map<String, String> accepted = new TreeMap<>();
        for (String line : Files.readAllLines(file)) {
            if (!line.isBlank() && !line.startsWith("#")) {
                int colon = line.indexOf(": ");
                if (colon < 0) {
                    throw new IOException(file + ": no reason: " + line);
                }
                accepted.put(line.substring(0, colon), line.substring(colon + 2));
            }
        }
        Set<String> unlisted = new TreeSet<>(found);
        unlisted.removeAll(accepted.keySet());
        unlisted.forEach(change -> System.err.println("breaks its callers: " + change));
        Set<String> stale = new TreeSet<>(accepted.keySet());
        stale.removeAll(found);
        stale.forEach(change -> System.err.println("listed, and no change: " + change));
        if (unlisted.isEmpty() && stale.isEmpty()) {
            System.out.println(
                    "compatible with the baseline, except for "
                            + found.size()
                            + " accepted changes");
            return 0;
        }
        System.err.println(
                "A breaking change on purpose is a line of "
                        + file
                        + ", \"CHANGE: REASON\", and one of CHANGELOG.md");
        return 1;
    }
}
