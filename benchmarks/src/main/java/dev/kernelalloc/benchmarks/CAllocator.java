package dev.kernelalloc.benchmarks;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * An allocator for C programs on this machine.
 *
 * @param name the common name
 * @param version the version that it reports
 * @param preload the shared library; empty for the C library's own allocator
 */
public record CAllocator(String name, String version, String preload) {

    /** The table's figure for C. */
    public static final String SYSTEM = "glibc";

    /**
     * By the names that the dynamic linker finds, so no path is guessed; the first of a name
     * counts.
     */
    private static final List<CAllocator> KNOWN =
            List.of(
                    new CAllocator(SYSTEM, "", ""),
                    new CAllocator("mimalloc", "", "libmimalloc.so.2"),
                    new CAllocator("mimalloc", "", "libmimalloc.so.3"),
                    new CAllocator("jemalloc", "", "libjemalloc.so.2"),
                    new CAllocator("tcmalloc", "", "libtcmalloc_minimal.so.4"),
                    new CAllocator("tcmalloc", "", "libtcmalloc.so.4"));

    /**
     * Those that are installed: the program itself is asked which malloc it has got. The linker
     * only warns of a library that is not there.
     */
    static List<CAllocator> installed(CBuild build) throws IOException, InterruptedException {
        List<CAllocator> found = new ArrayList<>();
        for (CAllocator known : KNOWN) {
            List<String> answer =
                    Subprocess.linesOfProbe(
                            known.command(build, List.of("version")), known.environment());
            String prefix = known.name + " ";
            boolean isNew = found.stream().noneMatch(one -> one.name.equals(known.name));
            if (isNew && !answer.isEmpty() && answer.getFirst().startsWith(prefix)) {
                String version = answer.getFirst().substring(prefix.length());
                found.add(new CAllocator(known.name, version, known.preload));
            }
        }
        return found;
    }

    public boolean isSystem() {
        return preload.isEmpty();
    }

    List<String> command(CBuild build, List<String> arguments) {
        List<String> command = new ArrayList<>();
        command.add(build.program().toString());
        command.addAll(arguments);
        return command;
    }

    Map<String, String> environment() {
        return isSystem() ? Map.of() : Map.of("LD_PRELOAD", preload);
    }
}
