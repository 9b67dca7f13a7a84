package dev.kernelalloc.cli;

import dev.kernelalloc.os.KernelFiles;
import dev.kernelalloc.os.KernelFiles.Content;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.Stream;

/**
 * The text files of {@code /proc} and {@code /sys} of a system. An unreadable file is absent.
 *
 * @param root the root of its file system: a test may use another than this machine's
 */
record Host(Path root) {

    static Host ofThisMachine() {
        return new Host(Path.of("/"));
    }

    /** Whether it is one at all, and not another system. */
    boolean isLinux() {
        return has("/proc/self/status");
    }

    boolean has(String path) {
        return Files.exists(at(path));
    }

    Path at(String path) {
        return root.resolve(path.substring(1));
    }

    /** Its files, as the library reads them. */
    KernelFiles files() {
        return KernelFiles.below(root);
    }

    Optional<String> text(String path) {
        if (!has(path)) {
            return Optional.empty();
        }
        Content content = files().read(KernelFiles.bytes(path));
        return content.isRead()
                ? Optional.of(
                        new String(
                                        content.text().getBytes(StandardCharsets.ISO_8859_1),
                                        StandardCharsets.UTF_8)
                                .strip())
                : Optional.empty();
    }

    List<String> lines(String path) {
        return text(path).map(text -> text.lines().toList()).orElse(List.of());
    }

    OptionalLong number(String path) {
        return text(path).map(KernelFiles::number).orElse(OptionalLong.empty());
    }

    /** Returns the rest of a line that begins with a key. */
    Optional<String> field(String path, String key) {
        return lines(path).stream()
                .filter(line -> line.startsWith(key))
                .map(line -> line.substring(key.length()).strip())
                .findFirst();
    }

    /** A field such as {@code MemTotal: 123 kB}, in bytes. */
    OptionalLong kilobytes(String path, String key) {
        return field(path, key).map(KernelFiles::kibibytes).orElse(OptionalLong.empty());
    }

    /** The word in brackets, as in {@code always [madvise] never}. */
    Optional<String> choice(String path) {
        return text(path)
                .filter(text -> text.contains("[") && text.contains("]"))
                .map(text -> text.substring(text.indexOf('[') + 1, text.indexOf(']')));
    }

    /** The names in a directory, in order. */
    List<String> names(String directory) {
        try (Stream<Path> children = Files.list(at(directory))) {
            return children.map(child -> child.getFileName().toString()).sorted().toList();
        } catch (IOException absent) {
            return List.of();
        }
    }

    /** Returns the target of a symbolic link. */
    Optional<String> link(String path) {
        try {
            return Optional.of(Files.readSymbolicLink(at(path)).toString());
        } catch (IOException | UnsupportedOperationException absent) {
            return Optional.empty();
        }
    }
}
