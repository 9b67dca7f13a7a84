package dev.kernelalloc.testing.host;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Memory in which hardly two free pages lie together: of a large mapping every eighth page is kept
 * and the others are given back. Who asks for base pages next gets those, between the ones that are
 * kept; and compaction has something to do, and places to move pages to.
 */
public final class FragmentedMemory implements AutoCloseable {

    private static final Path COMPACT = Path.of("/proc/sys/vm/compact_memory");
    private static final long KEPT_OF = 8;

    private final Mapping mapping;

    private FragmentedMemory(Mapping mapping) {
        this.mapping = mapping;
    }

    /** Fragments about as many bytes of physical memory. */
    public static FragmentedMemory of(long bytes) {
        Mapping mapping = Mapping.of(bytes);
        long group = KEPT_OF * Mapping.PAGE_BYTES;
        for (long offset = 0; offset + group <= bytes; offset += group) {
            mapping.advise(
                    offset + Mapping.PAGE_BYTES, group - Mapping.PAGE_BYTES, Mapping.DONTNEED);
        }
        return new FragmentedMemory(mapping);
    }

    /**
     * Lets the kernel compact all memory of the machine, which moves pages and changes no setting.
     */
    public static void compact() {
        try {
            Files.writeString(COMPACT, "1");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        mapping.close();
    }
}
