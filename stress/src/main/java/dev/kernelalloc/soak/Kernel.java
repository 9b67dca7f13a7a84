package dev.kernelalloc.soak;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.invoke.MethodHandle;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** What Linux says of the pages of this process, and does to them, without the library. */
@SuppressWarnings("restricted")
final class Kernel implements AutoCloseable {

    static final int PAGE_BYTES = 4096;
    static final int HUGE_BYTES = 2 << 20;

    /** See madvise(2). */
    static final int DONTNEED = 4;

    static final int NOHUGEPAGE = 15;
    static final int COLD = 20;
    static final int PAGEOUT = 21;
    static final int POPULATE_WRITE = 23;
    static final int COLLAPSE = 25;

    private static final int PR_SET_THP_DISABLE = 41;
    private static final int PR_SET_MEMORY_MERGE = 67;

    /** Of an entry of the page map. */
    private static final long PRESENT = 1L << 63;

    private static final long FRAME = (1L << 55) - 1;

    /** Of an entry of /proc/kpageflags. */
    private static final int KPF_HUGE = 17;

    private static final int KPF_KSM = 21;
    private static final int KPF_THP = 22;
    private static final int KPF_MLOCKED = 33;

    private static final Path COMPACT = Path.of("/proc/sys/vm/compact_memory");

    private static final MethodHandle MADVISE =
            function("madvise", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT));
    private static final MethodHandle MMAP =
            function(
                    "mmap",
                    FunctionDescriptor.of(
                            JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT,
                            JAVA_LONG));
    private static final MethodHandle MUNMAP =
            function("munmap", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));
    private static final MethodHandle PRCTL =
            Linker.nativeLinker()
                    .downcallHandle(
                            Linker.nativeLinker().defaultLookup().findOrThrow("prctl"),
                            FunctionDescriptor.of(
                                    JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG),
                            Linker.Option.firstVariadicArg(1));

    private final RandomAccessFile pageMap;

    /** Null where it cannot be read. */
    private final RandomAccessFile frames;

    Kernel() {
        try {
            pageMap = new RandomAccessFile("/proc/self/pagemap", "r");
            Path flags = Path.of("/proc/kpageflags");
            frames = Files.isReadable(flags) ? new RandomAccessFile(flags.toFile(), "r") : null;
        } catch (IOException e) {
            throw new IllegalStateException("this soak needs Linux", e);
        }
    }

    /** Returns whether places and kinds of pages are shown to this process. */
    boolean showsFrames(long address) {
        return frames != null && places(address, 1)[0] > 0;
    }

    /** Returns the physical address of each page, negative for one that is not present. */
    long[] places(long address, int pages) {
        ByteBuffer entries = ByteBuffer.allocate(pages * Long.BYTES).order(ByteOrder.nativeOrder());
        try {
            pageMap.seek(address / PAGE_BYTES * Long.BYTES);
            pageMap.readFully(entries.array());
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
        long[] places = new long[pages];
        for (int i = 0; i < pages; i++) {
            long entry = entries.getLong(i * Long.BYTES);
            places[i] = (entry & PRESENT) == 0 ? -1 : (entry & FRAME) * PAGE_BYTES;
        }
        return places;
    }

    boolean isHuge(long place) {
        long flags = flags(place);
        return (flags >> KPF_HUGE & 1 | flags >> KPF_THP & 1) != 0;
    }

    /** Returns whether a page is merged with others: a write would give it another frame. */
    boolean isMerged(long place) {
        return (flags(place) >> KPF_KSM & 1) != 0;
    }

    /**
     * Returns whether a page never leaves memory: it is locked, or of the pool. Of a huge page that
     * is mapped in part the frame has no flag; its mapping is locked, and refuses to age then.
     */
    boolean isLocked(long place, long page) {
        long flags = flags(place);
        return (flags >> KPF_MLOCKED & 1 | flags >> KPF_HUGE & 1) != 0
                || !advise(page, PAGE_BYTES, COLD);
    }

    private long flags(long place) {
        try {
            frames.seek(place / PAGE_BYTES * Long.BYTES);
            return Long.reverseBytes(frames.readLong());
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Returns the bytes of a line of /proc/self/status, such as VmLck. */
    static long status(String name) {
        return lines("/proc/self/status").stream()
                .filter(line -> line.startsWith(name + ":"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D+", "")) * 1024)
                .findFirst()
                .orElseThrow();
    }

    private static List<String> lines(String file) {
        try {
            return Files.readAllLines(Path.of(file));
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Returns whether the kernel took the advice. */
    static boolean advise(long address, long bytes, int advice) {
        try {
            return (int) MADVISE.invokeExact(address, bytes, advice) == 0;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    /** Maps base pages and populates them. */
    static long map(long bytes) {
        try {
            long address = (long) MMAP.invokeExact(0L, bytes, 3, 0x22, -1, 0L);
            if (address == -1) {
                throw new IllegalStateException("mmap of " + bytes + " bytes");
            }
            advise(address, bytes, NOHUGEPAGE);
            advise(address, bytes, POPULATE_WRITE);
            return address;
        } catch (RuntimeException e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    static void unmap(long address, long bytes) {
        try {
            if ((int) MUNMAP.invokeExact(address, bytes) != 0) {
                throw new IllegalStateException("munmap of " + bytes + " bytes");
            }
        } catch (RuntimeException e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    /** Whether transparent huge pages are forbidden to this process from now on. */
    static void forbidHugePages(boolean forbidden) {
        control(PR_SET_THP_DISABLE, forbidden ? 1 : 0);
    }

    /** Whether all memory of this process, present and future, may be merged with equal pages. */
    static boolean mergeEverything(boolean merged) {
        return control(PR_SET_MEMORY_MERGE, merged ? 1 : 0);
    }

    private static boolean control(int option, long value) {
        try {
            return (int) PRCTL.invokeExact(option, value, 0L, 0L, 0L) == 0;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    static boolean mayCompact() {
        return Files.isWritable(COMPACT);
    }

    static void compact() {
        try {
            Files.writeString(COMPACT, "1");
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    private static MethodHandle function(String name, FunctionDescriptor descriptor) {
        Linker linker = Linker.nativeLinker();
        return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), descriptor);
    }

    @Override
    public void close() {
        try {
            pageMap.close();
            if (frames != null) {
                frames.close();
            }
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }
}
