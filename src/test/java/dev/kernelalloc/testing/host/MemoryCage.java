package dev.kernelalloc.testing.host;

import static org.junit.jupiter.api.Assumptions.abort;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;

/**
 * A memory cgroup, of version 1 or 2, for one process alone: the victim of a test, never the JVM
 * that runs it. It is removed when the guardian is closed, and whatever is in it is killed then.
 *
 * <p>It lies below this process's own cgroup where the kernel allows that, so that no limit in
 * force is escaped: always with version 1; with version 2 below the nearest ancestor that passes
 * the memory controller on.
 */
public final class MemoryCage {

    private static final AtomicLong MADE = new AtomicLong();

    private final Path directory;
    private final boolean unified;

    private MemoryCage(Path directory, boolean unified) {
        this.directory = directory;
        this.unified = unified;
    }

    /**
     * Makes a cage. The test is skipped where there is no memory controller to make it with.
     *
     * @param limitBytes what its process may use of memory, page cache included; no swap
     */
    public static MemoryCage make(HostGuardian guardian, long limitBytes) {
        String name =
                "kernel-alloc-%d-%d"
                        .formatted(ProcessHandle.current().pid(), MADE.incrementAndGet());
        MemoryCage cage =
                version1()
                        .map(parent -> new MemoryCage(parent.resolve(name), false))
                        .or(
                                () ->
                                        version2()
                                                .map(
                                                        parent ->
                                                                new MemoryCage(
                                                                        parent.resolve(name),
                                                                        true)))
                        .orElseGet(MemoryCage::skip);
        guardian.make(cage.directory);
        guardian.set(cage.limitFile(), limitBytes);
        if (Files.exists(cage.swapFile())) {
            guardian.set(cage.swapFile(), cage.unified ? 0 : limitBytes);
        }
        return cage;
    }

    /** What a command is run under, so that its process is in here from its first instruction. */
    public String[] prefix() {
        Path processes = directory.resolve("cgroup.procs");
        return new String[] {"sh", "-c", "echo $$ > " + processes + " && exec \"$@\"", "cage"};
    }

    /** A command, to run in here. */
    public List<String> prefixed(String... command) {
        return Stream.concat(Stream.of(prefix()), Stream.of(command)).toList();
    }

    /** Whether a process is in here. */
    public boolean contains(long process) {
        return lines(directory.resolve("cgroup.procs")).contains(Long.toString(process));
    }

    /** How many processes the kernel has killed in here because they needed more. */
    public long kills() {
        return lines(directory.resolve(unified ? "memory.events" : "memory.oom_control")).stream()
                .filter(line -> line.startsWith("oom_kill "))
                .mapToLong(line -> Long.parseLong(line.split(" ")[1]))
                .findFirst()
                .orElseThrow();
    }

    /** The most that was ever in use. */
    public long peakBytes() {
        return HostGuardian.number(
                directory.resolve(unified ? "memory.peak" : "memory.max_usage_in_bytes"));
    }

    /** Where it is. */
    public Path directory() {
        return directory;
    }

    private Path limitFile() {
        return directory.resolve(unified ? "memory.max" : "memory.limit_in_bytes");
    }

    /** Version 1 limits memory and swap together. */
    private Path swapFile() {
        return directory.resolve(unified ? "memory.swap.max" : "memory.memsw.limit_in_bytes");
    }

    private static Optional<Path> version1() {
        return mount("cgroup", "memory")
                .flatMap(
                        mount ->
                                ownPath(":memory:")
                                        .map(path -> below(mount, path))
                                        .filter(Files::isDirectory)
                                        .or(() -> Optional.of(mount))) // a namespace hides ours
                .filter(Files::isWritable);
    }

    private static Optional<Path> version2() {
        return mount("cgroup2", "")
                .flatMap(
                        mount -> {
                            Path here = below(mount, ownPath("0::").orElse("/")).toAbsolutePath();
                            while (here.startsWith(mount) && !passesMemoryOn(here)) {
                                here = here.getParent();
                            }
                            return here.startsWith(mount) ? Optional.of(here) : Optional.empty();
                        })
                .filter(Files::isWritable);
    }

    private static boolean passesMemoryOn(Path cgroup) {
        Path control = cgroup.resolve("cgroup.subtree_control");
        return Files.exists(control)
                && Arrays.asList(HostGuardian.read(control).split(" ")).contains("memory");
    }

    private static Path below(Path mount, String path) {
        return mount.resolve(path.substring(1));
    }

    /** This process's place in a hierarchy, from a line such as {@code 4:memory:/user}. */
    private static Optional<String> ownPath(String hierarchy) {
        return lines(Path.of("/proc/self/cgroup")).stream()
                .filter(line -> line.contains(hierarchy))
                .map(line -> line.substring(line.indexOf(hierarchy) + hierarchy.length()))
                .findFirst();
    }

    /** Where a hierarchy is mounted, see proc_pid_mountinfo(5). */
    private static Optional<Path> mount(String type, String controller) {
        return lines(Path.of("/proc/self/mountinfo")).stream()
                .map(line -> line.split(" - "))
                .filter(
                        parts -> {
                            String[] kind = parts[1].split(" ");
                            return kind[0].equals(type)
                                    && (controller.isEmpty()
                                            || List.of(kind[2].split(",")).contains(controller));
                        })
                .map(parts -> Path.of(parts[0].split(" ")[4]))
                .findFirst();
    }

    private static MemoryCage skip() {
        System.out.println("skipped: no memory controller of cgroups to make a cage with");
        return abort("skipped: no memory controller of cgroups to make a cage with");
    }

    private static List<String> lines(Path file) {
        try {
            return Files.readAllLines(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
