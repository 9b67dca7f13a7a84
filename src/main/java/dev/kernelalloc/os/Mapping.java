package dev.kernelalloc.os;

import dev.kernelalloc.os.KernelFiles.Content;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * A mapping of this process, or a part of one.
 *
 * @param start its first address
 * @param end the address behind it
 * @param shared whether writes reach others that have mapped the same
 * @param pageBytes the size of the pages that the kernel maps it by
 * @param flags its flags by their two letters, {@code VmFlags} of smaps
 */
public record Mapping(long start, long end, boolean shared, long pageBytes, Set<String> flags) {

    private static final String PAGE_SIZE = "KernelPageSize:";
    private static final String FLAGS = "VmFlags:";

    /** Returns the parts of mappings that lie in a range, ascending, as smaps shows them. */
    static List<Mapping> read(KernelFiles files, long start, long end) throws Refusal {
        Parser parser = new Parser(start, end);
        Content smaps = files.lines(LockedMappings.SMAPS, parser::line);
        if (!smaps.isRead()) {
            throw smaps.refusal(LockedMappings.SMAPS);
        }
        return parser.found;
    }

    /** Whether its pages are locked, by mlock(2) or mlockall(2). */
    public boolean isLocked() {
        return flags.contains("lo");
    }

    /** Whether its pages are of the huge page pool. */
    public boolean isOfHugePool() {
        return flags.contains("ht");
    }

    /** Whether it maps a device, or frames that the kernel does not manage. */
    public boolean isOfDevice() {
        return flags.contains("io") || flags.contains("pf");
    }

    /** Returns its size in bytes. */
    public long bytes() {
        return end - start;
    }

    /** Follows the lines of smaps: one of flags ends what is said of a mapping. */
    private static final class Parser {

        private final List<Mapping> found = new ArrayList<>();
        private final long end;

        /** The unread part begins here: a mapping that grows while it is read is shown twice. */
        private long start;

        private MappingLine current = new MappingLine(0, 0, false);
        private long pageBytes;

        private Parser(long start, long end) {
            this.start = start;
            this.end = end;
        }

        private void line(String line) {
            MappingLine.of(line).ifPresent(begun -> current = begun);
            if (current.start() >= end || current.end() <= start) {
                return;
            }
            if (line.startsWith(PAGE_SIZE)) {
                String number = line.substring(PAGE_SIZE.length()).replace("kB", "").strip();
                pageBytes = Long.parseLong(number) << 10;
            } else if (line.startsWith(FLAGS)) {
                String[] letters = line.substring(FLAGS.length()).strip().split(" ");
                Set<String> flags = Set.copyOf(List.of(letters)); // unknown ones are alike
                long partEnd = Math.min(end, current.end());
                found.add(
                        new Mapping(
                                Math.max(start, current.start()),
                                partEnd,
                                current.shared(),
                                pageBytes,
                                flags));
                start = partEnd;
            }
        }
    }
}
